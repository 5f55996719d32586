"""Is a log whole? Reads every event through the port and checks what the store promises.

Reads: event_store/protocol.py, chain.py. Read next: backends/sqlite/integrity.py (what only one backend can check).

The work is one pass over the log, and a second one through the tag index, with the tags of a name asked for together.
Memory holds the event ids and one number pair per tag: about 100 MB for a million events.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol, TypeAlias

import msgspec

from headwater.event_store.protocol import EventQuery, QueryItem, RecordedEvent, Slice
from headwater.integration.chain import Chain

Moved = Callable[[int, int | None], None]
_Carried: TypeAlias = tuple[int, int, tuple[str, ...]]  # how many events, their positions mixed, their types
_NOWHERE: _Carried = (0, 0, ())
_SLICE = 2_000
_SHOWN = 20
_TAGS_TOGETHER = 200
_MIX = 0x9E37_79B9_7F4A_7C15
_LOW_64 = (1 << 64) - 1


class ReadableLog(Protocol):
    """As much of an event store as is read here."""

    async def head(self) -> int:
        """See ``EventStore.head``."""
        ...

    async def read(self, query: EventQuery = ..., *, after: int = ..., limit: int | None = ...) -> Slice:
        """See ``EventStore.read``."""
        ...


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
    store: ReadableLog,
    *,
    expect: ExpectedChain | None = None,
    moved: Moved = lambda _done, _total: None,
    compared: bool = False,
) -> Verification:
    """Check positions, ids, bodies and tags of all events up to the head of now; ``moved(done, total)`` tells progress.

    ``compared`` says that the backend has compared index and events itself, both ways: then each tag is asked for with
    the types of its events only, which is much less work where there are many types.
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
    tags = await _check_tags(store, reading, head, moved, typed=compared)
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
        self.tags: dict[str, _Carried] = {}
        self.crowded: set[str] = set()  # names of which an event has two tags
        self._ids: set[bytes] = set()
        self._kinds: dict[tuple[str, ...], tuple[str, ...]] = {}  # each combination of types is kept once
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
        tags = set(event.tags)
        for tag in tags:
            carried = self.tags.get(tag, _NOWHERE)
            kinds = carried[2]
            if event.type not in kinds:
                kinds = self._kinds.setdefault((*kinds, event.type), (*kinds, event.type))
            self.tags[tag] = (*_mixed(carried[:2], event.position), kinds)
        if len(tags) > 1:
            names = [_name(tag) for tag in tags]
            self.crowded.update(name for name in names if names.count(name) > 1)
        self.chain = self.chain.and_then((event,))
        if self._chain_wanted_at is None or event.position <= self._chain_wanted_at:
            self.chain_there = self.chain
        self._ids.add(event.raw_id)
        self.types.add(event.type)
        self.bytes += len(event.data)
        self.events += 1
        self.last = event.position


async def _check_tags(store: ReadableLog, reading: _Reading, head: int, moved: Moved, *, typed: bool) -> Check:
    """Ask for the tags: the index must answer exactly the events that carry them.

    Tags of one name are asked for together if no event has two of them, so that each event found tells which of them
    found it.
    """
    faults = _Faults("the tag index is equal to the events' tags")
    done = 0
    for tags in _together(reading.tags, reading.crowded):
        found: dict[str, tuple[int, int]] = {}
        wanted = set(tags)
        query = EventQuery(tuple(QueryItem(tags=(tag,), types=reading.tags[tag][2] if typed else ()) for tag in tags))
        async for event in _events(store, query, head):
            carried = next((tag for tag in event.tags if tag in wanted), "")
            if carried:
                found[carried] = _mixed(found.get(carried, (0, 0)), event.position)
            else:
                faults.add(f"{event.position}: the index finds it by {_those(tags)}, which it does not carry")
        for tag in tags:
            expected, answered = reading.tags[tag][:2], found.get(tag, (0, 0))
            if answered != expected:
                faults.add(f"{tag}: {expected[0]} events carry it, the index finds {answered[0]}")
        done += len(tags)
        moved(done, len(reading.tags))
    return faults.check(sum(carried[0] for carried in reading.tags.values()))


def _those(tags: Sequence[str]) -> str:
    return tags[0] if len(tags) == 1 else f"one of {len(tags)} tags from {tags[0]} on"


def _together(tags: Mapping[str, _Carried], crowded: set[str]) -> Iterator[list[str]]:
    """The tags in groups of one name that a slice or two answer; those of crowded names each by itself."""
    open_groups: dict[str, list[str]] = defaultdict(list)
    events: dict[str, int] = defaultdict(int)
    for tag, (count, _, _) in tags.items():
        name = _name(tag)
        if name in crowded:
            yield [tag]
            continue
        group = open_groups[name]
        if group and (len(group) == _TAGS_TOGETHER or events[name] + count > _SLICE):
            yield group
            group = open_groups[name] = []
            events[name] = 0
        group.append(tag)
        events[name] += count
    yield from (group for group in open_groups.values() if group)


def _name(tag: str) -> str:
    return tag.partition(":")[0]


async def _events(store: ReadableLog, query: EventQuery, head: int) -> AsyncIterator[RecordedEvent]:
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
