"""The event store's contract: what every backend keeps. Reads: errors.py, ids.py. Read next: memory.py.

Promises: positions are gapless from 1, given at commit, in commit order; an append is all or nothing; the condition
is checked in the same step as the append; ``Slice.head`` comes from the same snapshot as the events; an acknowledged
append is durable; repeating an append with the same event ids returns the first outcome.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

import msgspec

from headwater.errors import InvalidAppend
from headwater.ids import uuid7, uuid_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(moment: datetime) -> int:
    """An aware moment as ``RecordedEvent.recorded_us`` has it."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


class QueryItem(msgspec.Struct, frozen=True, gc=False):
    """One alternative of a query: any of ``types`` (or any type), and all of ``tags``."""

    types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class EventQuery(msgspec.Struct, frozen=True, gc=False):
    """Which events: items are OR'ed with ``|``; no items means ``ALL``. Source: the DCB specification, dcb.events."""

    items: tuple[QueryItem, ...] = ()

    @classmethod
    def of(cls, *, types: Sequence[str] = (), tags: Sequence[str] = ()) -> EventQuery:
        """One item: the types are OR'ed, the tags AND'ed. An item with neither is refused: say ``ALL``."""
        if isinstance(types, str) or isinstance(tags, str):
            raise InvalidAppend("types and tags are sequences of strings, not one string")
        if not types and not tags:
            raise InvalidAppend("a query item needs a type or a tag", remedy="use ALL for every event")
        return cls((QueryItem(tuple(dict.fromkeys(types)), tuple(dict.fromkeys(tags))),))

    def __or__(self, other: EventQuery) -> EventQuery:
        if not self.items or not other.items:
            return ALL
        return EventQuery(tuple(dict.fromkeys(self.items + other.items)))

    def matches(self, event_type: str, tags: Sequence[str]) -> bool:
        """Whether an event of that type with those tags is meant."""
        for item in self.items:  # loops, not any(...): each event of a command is asked for here
            if not item.types or event_type in item.types:
                for tag in item.tags:
                    if tag not in tags:
                        break
                else:
                    return True
        return not self.items


ALL = EventQuery()


class NewEvent(msgspec.Struct, frozen=True, gc=False):
    """An event to append. ``data`` and ``metadata`` are opaque bytes (JSON by the codec's convention)."""

    type: str
    data: bytes
    tags: tuple[str, ...] = ()
    id: UUID = msgspec.field(default_factory=uuid7)
    version: int = 1
    metadata: bytes = b"{}"


class RecordedEvent(msgspec.Struct, frozen=True, gc=False):
    """An event as the log holds it. Made positionally by backends: id and time are kept raw and shaped on demand."""

    position: int
    type: str
    version: int
    data: bytes
    tags: tuple[str, ...]
    metadata: bytes
    raw_id: bytes
    recorded_us: int

    @property
    def id(self) -> UUID:
        """The event's own id, as it was appended."""
        return uuid_of(self.raw_id)

    @property
    def recorded_at(self) -> datetime:
        """When the event was committed: an aware ``datetime`` in UTC, to the microsecond."""
        return _EPOCH + timedelta(microseconds=self.recorded_us)


class AppendCondition(msgspec.Struct, frozen=True, gc=False):
    """Nothing that matches ``fail_if`` may have been appended after position ``after`` (exclusive; 0 means ever)."""

    fail_if: EventQuery
    after: int = 0


class Appended(msgspec.Struct, frozen=True):
    """The events stand at positions ``first`` to ``last``; ``replayed`` if they already did before this append."""

    first: int
    last: int
    replayed: bool = False


class Conflict(msgspec.Struct, frozen=True):
    """The condition failed: an event at ``position`` (after the condition's ``after``) matches. Nothing was stored."""

    position: int


class Slice(msgspec.Struct, frozen=True):
    """Events in order, and the log's last position in the same snapshot: a condition's ``after`` may be ``head``."""

    events: Sequence[RecordedEvent]
    head: int


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a backend can do, for the conformance suite and for ``doctor``."""

    name: str
    durable: bool
    multi_process: bool
    enforces_immutability: bool


class Snapshot(msgspec.Struct, frozen=True):
    """An aggregate's state as of ``position``; ``fingerprint`` says which code made it. A cache, never an authority."""

    position: int
    fingerprint: str
    state: bytes


class EventStore(Protocol):
    """Where the log lives."""

    @property
    def capabilities(self) -> Capabilities:
        """What this backend can do."""
        ...

    async def append(self, events: Sequence[NewEvent], condition: AppendCondition | None = None) -> Appended | Conflict:
        """Store the events, all or none, unless the condition fails; return once they are durable.

        Raises ``InvalidAppend``, ``DuplicateEventId``, or a ``StoreError`` that says what happened to the events.
        """
        ...

    async def read(
        self, query: EventQuery = ALL, *, after: int = 0, limit: int | None = None, backwards: bool = False
    ) -> Slice:
        """The matching events after that position, in order (newest first with ``backwards``), at most ``limit``."""
        ...

    def subscribe(self, query: EventQuery = ALL, *, after: int = 0) -> AsyncIterator[Slice]:
        """Catch up from ``after``, then stay live; every matching event comes once, in order.

        The ``head`` of each slice is how far the subscription has come, and so a checkpoint to go on from. A slice
        may be empty: then only ``head`` moved on. Raises ``StoreClosed`` when the store is closed.
        """
        ...

    async def head(self) -> int:
        """The last position, 0 for an empty log."""
        ...

    async def load_snapshot(self, key: str) -> Snapshot | None:
        """The last snapshot saved under that key."""
        ...

    async def save_snapshot(self, key: str, snapshot: Snapshot) -> None:
        """Keep a snapshot, replacing the one before. Losing it costs time, never correctness."""
        ...

    async def close(self) -> None:
        """Finish what was acknowledged, refuse what comes after. Calling it again does nothing."""
        ...
