"""Is a log whole? Reads every event through the port and checks what the store promises.

Reads: event_store/protocol.py, chain.py. Read next: backends/sqlite/integrity.py (what only one backend can check).

The work is one pass over the log, plus one read per tag. Memory holds the event ids and one number pair per tag: about
100 MB for a million events.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence

import msgspec

from headwater.event_store.protocol import EventQuery, EventStore, RecordedEvent
from headwater.integration.chain import Chain

Moved = Callable[[int, int | None], None]
_SLICE = 2_000
_SHOWN = 20
_MIX = 0x9E37_79B9_7F4A_7C15
_LOW_64 = (1 << 64) - 1


class Check(msgspec.Struct, frozen=True):
    """One thing that was checked: how many of it, and the first faults found (``fault_count`` says how many in all)."""

    name: str
    count: int
    faults: tuple[str, ...] = ()
    fault_count: int = 0

    @property
    def passed(self) -> bool:
        """Whether no fault was found."""
        return self.fault_count == 0


class ExpectedChain(msgspec.Struct, frozen=True):
    """The hash that a log's chain must have at ``position``; ``None`` means at its end."""

    hex: str
    position: int | None = None


class Verification(msgspec.Struct, frozen=True):
    """The outcome: the log's ``head`` and figures at the start, every check, and the hash that stands for it all."""

    head: int
    figures: dict[str, int]
    checks: tuple[Check, ...]
    chain: Chain = Chain()

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def with_checks(self, more: Iterable[Check]) -> Verification:
        """The same outcome with further checks, for example those of a backend."""
        return msgspec.structs.replace(self, checks=(*self.checks, *more))


async def verify_log(
    store: EventStore, *, expect: ExpectedChain | None = None, moved: Moved = lambda _done, _total: None
) -> Verification:
    """Check positions, ids, bodies and tags of all events up to the head of now; ``moved(done, total)`` tells progress.

    With ``expect`` also the hash chain: the log must be the one that had this hash, or go on from it.
    Raises ``StoreError`` if the store cannot even be read; every other fault is in the outcome.
    """
    head = await store.head()
    reading = _Reading(expect)
    async for event in _events(store, EventQuery(), head):
        reading.take(event)
        if event.position % _SLICE == 0:
            moved(event.position, head)
    if reading.last != head:
        reading.checks[0].add(f"the last event is {reading.last}, the head is {head}")
    tags = await _check_tags(store, reading.tags, head, moved)
    figures = {
        "events": reading.events,
        "types": len(reading.types),
        "tags": len(reading.tags),
        "bytes": reading.bytes,
    }
    checks = [*(faults.check(reading.events) for faults in reading.checks), tags]
    if expect is not None:
        checks.append(_check_chain(expect, head, reading.chain_there))
    return Verification(head, figures, tuple(checks), reading.chain)


def _check_chain(expect: ExpectedChain, head: int, there: Chain) -> Check:
    place = head if expect.position is None else expect.position
    faults: list[str] = []
    if place > head:
        faults.append(f"expected {expect.hex} at {place}, but the log ends at {head}")
    elif there.hex != expect.hex:
        faults.append(f"at {place} it is {there.hex}, expected was {expect.hex}")
    return checked("the hash chain is the expected one", place, faults)


def checked(name: str, count: int, faults: Sequence[str]) -> Check:
    """A check with all its faults at hand."""
    return Check(name, count, tuple(faults[:_SHOWN]), len(faults))


class _Faults:
    """The faults of one check: the first ones as text, all of them as a number."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.shown: list[str] = []
        self.count = 0

    def add(self, fault: str) -> None:
        self.count += 1
        if len(self.shown) < _SHOWN:
            self.shown.append(fault)

    def check(self, count: int) -> Check:
        return Check(self.name, count, tuple(self.shown), self.count)


class _Reading:
    """What one pass over the log gathers."""

    def __init__(self, expect: ExpectedChain | None) -> None:
        self._chain_wanted_at = expect.position if expect else None
        self.chain = self.chain_there = Chain()
        self.events = self.last = self.bytes = 0
        self.types: set[str] = set()
        self.tags: dict[str, tuple[int, int]] = {}
        self._ids: set[bytes] = set()
        self._positions = _Faults("positions are gapless")
        self._unique = _Faults("event ids are unique")
        self._bodies = _Faults("bodies are JSON")
        self._metadata = _Faults("metadata is JSON")
        self.checks = (self._positions, self._unique, self._bodies, self._metadata)

    def take(self, event: RecordedEvent) -> None:
        if event.position != self.last + 1:
            self._positions.add(f"{event.position} follows {self.last}")
        if event.raw_id in self._ids:
            self._unique.add(f"{event.position}: the id {event.id} is there before")
        if fault := _json_fault(event.data):
            self._bodies.add(f"{event.position}: {fault}")
        if fault := _json_fault(event.metadata):
            self._metadata.add(f"{event.position}: {fault}")
        for tag in set(event.tags):
            self.tags[tag] = _mixed(self.tags.get(tag, (0, 0)), event.position)
        self.chain = self.chain.and_then((event,))
        if self._chain_wanted_at is None or event.position <= self._chain_wanted_at:
            self.chain_there = self.chain
        self._ids.add(event.raw_id)
        self.types.add(event.type)
        self.bytes += len(event.data)
        self.events += 1
        self.last = event.position


async def _check_tags(store: EventStore, expected: dict[str, tuple[int, int]], head: int, moved: Moved) -> Check:
    """Ask for each tag by itself: the index must answer exactly the events that carry it."""
    faults = _Faults("the tag index is equal to the events' tags")
    for done, (tag, (count, mixed)) in enumerate(expected.items()):
        found = (0, 0)
        async for event in _events(store, EventQuery.of(tags=(tag,)), head):
            found = _mixed(found, event.position)
        if found != (count, mixed):
            faults.add(f"{tag}: {count} events carry it, the index finds {found[0]}")
        if done % _SLICE == 0:
            moved(done, len(expected))
    return faults.check(sum(count for count, _ in expected.values()))


async def _events(store: EventStore, query: EventQuery, head: int) -> AsyncIterator[RecordedEvent]:
    """All events of a query up to ``head``, a slice at a time."""
    after = 0
    while True:
        found = await store.read(query, after=after, limit=_SLICE)
        for event in found.events:
            if event.position > head:
                return
            yield event
        if len(found.events) < _SLICE:
            return
        after = found.events[-1].position


def _mixed(seen: tuple[int, int], position: int) -> tuple[int, int]:
    """A count, and a sum of scrambled positions: equal for equal sets, and different for others but by rare chance."""
    scrambled = (position * _MIX) & _LOW_64
    return seen[0] + 1, (seen[1] + (scrambled ^ (scrambled >> 29))) & _LOW_64


def _json_fault(data: bytes) -> str:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return str(error)
    return ""
