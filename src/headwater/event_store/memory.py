"""The reference: a complete event store in memory. Backend authors start here. Reads: protocol.py, subscribing.py.

All that a store promises, and that is not about disks or other processes, stands here in its plainest form.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import AsyncIterator, Iterable, Sequence
from threading import Lock

from headwater.clock import Clock, SystemClock
from headwater.errors import DuplicateEventId, StoreClosed
from headwater.event_store.checking import check_reading, checked
from headwater.event_store.protocol import (
    ALL,
    AppendCondition,
    Appended,
    Capabilities,
    Conflict,
    EventQuery,
    NewEvent,
    QueryItem,
    RecordedEvent,
    Slice,
    Snapshot,
    microseconds,
)
from headwater.event_store.replica import check_goes_on
from headwater.event_store.subscribing import PAGE, following
from headwater.event_store.waiting import HeadSignal


class MemoryEventStore:
    """An event log in a list. ``clock`` gives ``recorded_at``."""

    capabilities = Capabilities(name="memory", durable=False, multi_process=False, enforces_immutability=False)

    def __init__(self, *, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._log: list[RecordedEvent] = []  # the event at position p stands at index p - 1
        self._positions_of_tag: dict[str, list[int]] = {}
        self._position_of_id: dict[bytes, int] = {}
        self._snapshots: dict[str, Snapshot] = {}
        self._sequencer = Lock()
        self._grown = HeadSignal()
        self._closed = False

    async def append(self, events: Sequence[NewEvent], condition: AppendCondition | None = None) -> Appended | Conflict:
        """See ``EventStore.append``."""
        events, _ = checked(events, condition)
        with self._sequencer:
            self._refuse_if_closed()
            outcome = self._repeat_of(events) or self._conflict_with(condition) or self._store(events)
        self._grown.announce()
        return outcome

    async def copy(self, events: Sequence[RecordedEvent]) -> int:
        """See ``Replica.copy``."""
        with self._sequencer:
            self._refuse_if_closed()
            check_goes_on(events, len(self._log), self._position_of_id)
            for event in events:
                self._keep(event)
        self._grown.announce()
        return len(self._log)

    async def read(
        self, query: EventQuery = ALL, *, after: int = 0, limit: int | None = None, backwards: bool = False
    ) -> Slice:
        """See ``EventStore.read``."""
        check_reading(query, after, limit)
        with self._sequencer:
            self._refuse_if_closed()
            positions = self._matching(query, after)
            chosen = list(reversed(positions) if backwards else positions)[:limit]
            return Slice([self._log[position - 1] for position in chosen], len(self._log))

    def subscribe(self, query: EventQuery = ALL, *, after: int = 0) -> AsyncIterator[Slice]:
        """See ``EventStore.subscribe``."""
        return following(
            lambda place: self.read(query, after=place, limit=PAGE),
            lambda place: self._grown.wait(lambda: self._closed or len(self._log) > place),
            after,
        )

    async def head(self) -> int:
        """See ``EventStore.head``."""
        self._refuse_if_closed()
        return len(self._log)

    async def load_snapshot(self, key: str) -> Snapshot | None:
        """See ``EventStore.load_snapshot``."""
        self._refuse_if_closed()
        return self._snapshots.get(key)

    async def save_snapshot(self, key: str, snapshot: Snapshot) -> None:
        """See ``EventStore.save_snapshot``."""
        self._refuse_if_closed()
        self._snapshots[key] = snapshot

    async def close(self) -> None:
        """See ``EventStore.close``."""
        self._closed = True
        self._grown.announce()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StoreClosed("the event store is closed", remedy="open it again")

    def _repeat_of(self, events: Sequence[NewEvent]) -> Appended | None:
        """The first outcome, if exactly these events are stored already: its acknowledgement was lost."""
        found = [self._position_of_id.get(event.id.bytes) for event in events]
        if not any(found):
            return None
        first = found[0] or 0
        if found != list(range(first, first + len(events))):
            raise DuplicateEventId("an event id is stored already, in another append", remedy="give new events new ids")
        return Appended(first, first + len(events) - 1, replayed=True)

    def _conflict_with(self, condition: AppendCondition | None) -> Conflict | None:
        positions = self._matching(condition.fail_if, condition.after) if condition else ()
        return next((Conflict(position) for position in positions), None)

    def _store(self, events: Sequence[NewEvent]) -> Appended:
        now = microseconds(self._clock.now())
        first = len(self._log) + 1
        for at, new in enumerate(events, first):
            self._keep(RecordedEvent(at, new.type, new.version, new.data, new.tags, new.metadata, new.id.bytes, now))
        return Appended(first, len(self._log))

    def _keep(self, event: RecordedEvent) -> None:
        self._log.append(event)
        self._position_of_id[event.raw_id] = event.position
        for tag in event.tags:
            self._positions_of_tag.setdefault(tag, []).append(event.position)

    def _matching(self, query: EventQuery, after: int) -> Sequence[int]:
        """Positions of the matching events after that one, in order, each once."""
        if not query.items:
            return range(after + 1, len(self._log) + 1)
        candidates = {position for item in query.items for position in self._candidates(item, after)}
        found = (self._log[position - 1] for position in sorted(candidates))
        return [event.position for event in found if query.matches(event.type, event.tags)]

    def _candidates(self, item: QueryItem, after: int) -> Iterable[int]:
        if not item.tags:
            return range(after + 1, len(self._log) + 1)
        rarest = min((self._positions_of_tag.get(tag, []) for tag in item.tags), key=len)
        return rarest[bisect_right(rarest, after) :]
