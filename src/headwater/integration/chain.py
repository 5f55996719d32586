"""One number for a whole log: each event's hash covers the hash before it, so equal heads mean equal histories.

Reads: event_store/paging.py. Read next: verify.py, replicate.py.

The canonical form of an event is binary and says every length, so no two events have the same: position, time in
microseconds and version as big-endian integers of 64 bits, then id, type, number of tags, tags in their order, metadata
and data, each after its length in 32 bits. Source: RFC 7693 (BLAKE2b, here of 32 bytes).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from hashlib import blake2b
from struct import Struct

import msgspec

from headwater.errors import StoreCorrupt
from headwater.event_store.paging import PAGE_BYTES, read_page
from headwater.event_store.protocol import EventStore, RecordedEvent

_DIGEST_BYTES = 32
_PURPOSE = b"headwater-log-1"
_PLACE = Struct(">qqq")
_LENGTH = Struct(">I")
_SLICE = 1_000


class Chain(msgspec.Struct, frozen=True):
    """The hash of a log's events up to ``position``. The empty log's is all zeros."""

    position: int = 0
    digest: bytes = bytes(_DIGEST_BYTES)

    def and_then(self, events: Iterable[RecordedEvent]) -> Chain:
        """The chain with these events added, which follow in the log."""
        position, digest = self.position, self.digest
        for event in events:
            position = event.position
            digest = blake2b(digest + canonical(event), digest_size=_DIGEST_BYTES, person=_PURPOSE).digest()
        return Chain(position, digest)

    @property
    def hex(self) -> str:
        """The hash as people pass it on: 64 hexadecimal digits."""
        return self.digest.hex()

    def __str__(self) -> str:
        return f"{self.hex}@{self.position}"


def canonical(event: RecordedEvent) -> bytes:
    """An event's canonical form: every field it has, and nothing of where it is kept."""
    place = _PLACE.pack(event.position, event.recorded_us, event.version)
    return place + _sized(event.raw_id) + content(event.type, event.tags, event.metadata, event.data)


def content(event_type: str, tags: Sequence[str], metadata: bytes, data: bytes) -> bytes:
    """The canonical form of what an event says, without which and where it is."""
    sized = (_sized(event_type.encode()), _LENGTH.pack(len(tags)), *(_sized(tag.encode()) for tag in tags))
    return b"".join((*sized, _sized(metadata), _sized(data)))


def _sized(part: bytes) -> bytes:
    return _LENGTH.pack(len(part)) + part


async def chain_of(store: EventStore, *, until: int | None = None) -> Chain:
    """The chain of a log up to that position, by default up to the head of now. Reads every event.

    Raises ``StoreCorrupt`` if an event before it is missing.
    """
    made = Chain()
    async for events in slices(store, until=await store.head() if until is None else until):
        made = made.and_then(events)
    return made


async def slices(
    store: EventStore, *, after: int = 0, until: int, size: int = _SLICE, size_bytes: int = PAGE_BYTES
) -> AsyncIterator[Sequence[RecordedEvent]]:
    """All events after ``after`` up to ``until``, at most so many at a time (see ``read_page``).

    Raises ``StoreCorrupt`` if one is missing.
    """
    while after < until:
        events = await read_page(store, after=after, limit=min(size, until - after), limit_bytes=size_bytes)
        expected = range(after + 1, after + len(events) + 1)
        if not events or [event.position for event in events] != list(expected):
            raise StoreCorrupt(
                f"the log has no gapless events after {after}", remedy="run `headwater verify` on it", after=after
            )
        yield events
        after = expected[-1]
