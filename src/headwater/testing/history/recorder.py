"""A store that writes down what is done with it. Reads: journal.py. Read next: checker.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from headwater.errors import OutcomeUnknown, StoreError
from headwater.event_store.protocol import (
    ALL,
    AppendCondition,
    Appended,
    Capabilities,
    Conflict,
    EventQuery,
    EventStore,
    NewEvent,
    Slice,
    Snapshot,
)
from headwater.testing.history.journal import Journal
from headwater.testing.history.records import Answered, Delivered, Outcome, Seen, Sent, seen_event, sent_event


class RecordedStore:
    """An ``EventStore`` in front of another one, which records every append, read and delivered slice."""

    def __init__(self, store: EventStore, journal: Journal) -> None:
        self._store = store
        self._journal = journal

    @property
    def capabilities(self) -> Capabilities:
        """What the store behind can do."""
        return self._store.capabilities

    async def append(self, events: Sequence[NewEvent], condition: AppendCondition | None = None) -> Appended | Conflict:
        """Append, with word of it before and after. A caller that is cancelled leaves it unknown."""
        operation = self._journal.fresh("append")
        sent = tuple(sent_event(event) for event in events)
        fail_if, after = (condition.fail_if, condition.after) if condition else (None, 0)
        self._journal.write(Sent(operation, self._journal.now(), sent, fail_if, after))
        try:
            outcome = await self._store.append(events, condition)
        except BaseException as error:
            self._answer(operation, outcome_of(error), error=type(error).__name__)
            raise
        if isinstance(outcome, Conflict):
            self._answer(operation, "conflict", first=outcome.position)
        else:
            self._answer(operation, "stored", first=outcome.first, last=outcome.last, replayed=outcome.replayed)
        return outcome

    async def read(
        self, query: EventQuery = ALL, *, after: int = 0, limit: int | None = None, backwards: bool = False
    ) -> Slice:
        """Read, and record what came back."""
        began = self._journal.now()
        found = await self._store.read(query, after=after, limit=limit, backwards=backwards)
        self._journal.write(
            Seen(
                reader=self._journal.name,
                began=began,
                at=self._journal.now(),
                query=query,
                head=found.head,
                events=tuple(seen_event(event) for event in found.events),
                after=after,
                limit=limit,
                backwards=backwards,
            )
        )
        return found

    async def subscribe(self, query: EventQuery = ALL, *, after: int = 0) -> AsyncIterator[Slice]:
        """Subscribe, and record each slice before it is passed on."""
        name = self._journal.fresh("subscription")
        async for found in self._store.subscribe(query, after=after):
            events = tuple(seen_event(event) for event in found.events)
            self._journal.write(Delivered(name, self._journal.now(), query, after, found.head, events))
            yield found

    async def head(self) -> int:
        """Ask for the head, and record it."""
        began = self._journal.now()
        head = await self._store.head()
        self._journal.write(Seen(self._journal.name, began, self._journal.now(), ALL, head, limit=0))
        return head

    async def load_snapshot(self, key: str) -> Snapshot | None:
        """See ``EventStore.load_snapshot``; snapshots are a cache and are not recorded."""
        return await self._store.load_snapshot(key)

    async def save_snapshot(self, key: str, snapshot: Snapshot) -> None:
        """See ``EventStore.save_snapshot``."""
        await self._store.save_snapshot(key, snapshot)

    async def close(self) -> None:
        """Close the store behind. The journal stays open."""
        await self._store.close()

    def _answer(self, operation: str, outcome: Outcome, **facts: Any) -> None:
        self._journal.write(Answered(operation, self._journal.now(), outcome, **facts))


def outcome_of(error: BaseException) -> Outcome:
    """What an error says of the events: every ``StoreError`` but ``OutcomeUnknown`` means that nothing was stored."""
    return "refused" if isinstance(error, StoreError) and not isinstance(error, OutcomeUnknown) else "unknown"
