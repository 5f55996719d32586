"""Short words for the events, queries and expectations of the suites. Read next: querying.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from headwater.event_store.protocol import (
    ALL,
    AppendCondition,
    Appended,
    Conflict,
    EventQuery,
    EventStore,
    NewEvent,
    Slice,
)


def event(kind: str = "Happened", *tags: str, data: bytes = b"{}") -> NewEvent:
    """A new event of that type, with those tags."""
    return NewEvent(kind, data, tags)


def of(*tags: str, types: Sequence[str] = ()) -> EventQuery:
    """A query of one item."""
    return EventQuery.of(types=types, tags=tags)


def unless(query: EventQuery, after: int = 0) -> AppendCondition:
    """The condition that nothing matched since."""
    return AppendCondition(query, after)


async def filled(store: EventStore, *described: str) -> None:
    """Append an event for each description: its type, then its tags, all separated by blanks."""
    await store.append([event(*words.split()) for words in described])


def positions(found: Slice) -> list[int]:
    """Where the events of a slice stand."""
    return [recorded.position for recorded in found.events]


def appended(outcomes: Iterable[Appended | Conflict | BaseException]) -> list[Appended]:
    """The successes among the outcomes."""
    return [outcome for outcome in outcomes if isinstance(outcome, Appended)]


async def log_of(store: EventStore) -> Slice:
    """The whole log."""
    return await store.read(ALL)
