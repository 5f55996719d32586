"""Copies of other logs, for backends that can hold one (see ``Replica``). Reads: samples.py. Read next: scripts.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

import msgspec
import pytest

from headwater.errors import DuplicateEventId, InvalidAppend, OtherHistory, StoreClosed
from headwater.event_store.protocol import ALL, Appended, Conflict, EventStore, RecordedEvent
from headwater.event_store.replica import Replica
from headwater.testing.conformance.capabilities import Backend
from headwater.testing.conformance.samples import event, filled, log_of, of, positions, unless

_MADE_ELSEWHERE = (
    ("Opened", 1, ("case:1", "idempotency:k"), 1_700_000_000_000_001),
    ("Nobody knows this type", 7, (), 1_700_000_000_000_001),
    ("Opened", 2, ("case:2",), 1_600_000_000_000_000),
    ("Closed", 1, ("case:1", "case:2"), 0),
)
"""Types nobody here knows, several at the same time, time that goes backwards, events without tags."""


class Copying(Backend):
    """What was recorded elsewhere is stored as it stands, and is then a log like any other."""

    async def test_a_copy_is_verbatim(self, store: EventStore, location: str) -> None:
        """Positions, ids, times, names, tags and bytes, also after the store was opened again."""
        events = elsewhere()
        assert await replica(store).copy(events[:1]) == 1
        assert await replica(store).copy(events[1:]) == 4
        assert (await log_of(store)).events == events
        if self.capabilities.durable:
            async with self.open(location) as again:
                assert (await log_of(again)).events == events

    async def test_a_copy_is_a_log_like_any_other(self, store: EventStore) -> None:
        """Queries find its events, conditions see them, repeats are known, and appends go on after them."""
        await replica(store).copy(elsewhere())
        assert positions(await store.read(of("case:1"))) == [1, 4]
        assert positions(await store.read(of("case:2", types=("Opened",)))) == [3]
        assert await store.append([event("Reopened", "case:1")], unless(of("case:1"), 1)) == Conflict(4)
        assert await store.append([event("Reopened", "case:1")], unless(of("case:1"), 4)) == Appended(5, 5)
        assert positions(await store.read(of("case:1"))) == [1, 4, 5]

    async def test_subscribers_see_what_is_copied(self, store: EventStore) -> None:
        """Copying wakes them like appending does."""
        news = aiter(store.subscribe(ALL))
        await replica(store).copy(elsewhere()[:2])
        assert positions(await anext(news)) == [1, 2]
        await replica(store).copy(elsewhere()[2:])
        assert positions(await anext(news)) == [3, 4]

    async def test_a_copy_goes_on_where_the_log_ends(self, store: EventStore) -> None:
        """Otherwise it is refused and nothing is stored, and the store goes on."""
        events = elsewhere()
        with pytest.raises(OtherHistory):
            await replica(store).copy(events[1:])
        with pytest.raises(InvalidAppend):
            await replica(store).copy([events[0], events[2]])
        await filled(store, "A")
        with pytest.raises(OtherHistory):
            await replica(store).copy(events)
        assert await store.head() == 1
        assert await replica(store).copy(events[1:2]) == 2

    async def test_no_id_stands_twice(self, store: EventStore) -> None:
        """A source that is damaged like this is not copied, and the store goes on."""
        events = elsewhere()
        await replica(store).copy(events[:2])
        again = msgspec.structs.replace(events[2], raw_id=events[0].raw_id)
        with pytest.raises(DuplicateEventId):
            await replica(store).copy([again, events[3]])
        with pytest.raises(DuplicateEventId):
            await replica(store).copy([events[2], msgspec.structs.replace(events[3], raw_id=events[2].raw_id)])
        assert await replica(store).copy(events[2:]) == 4
        assert (await log_of(store)).events == events

    async def test_a_closed_store_takes_no_copy(self, store: EventStore) -> None:
        """It is told so."""
        copying = replica(store)
        await store.close()
        with pytest.raises(StoreClosed):
            await copying.copy(elsewhere())


def replica(store: EventStore) -> Replica:
    """The store as one that can hold copies; the test is skipped if it cannot."""
    if not isinstance(store, Replica):
        pytest.skip(f"{store.capabilities.name} holds no copies of other logs")
    return cast("Replica", store)


def elsewhere() -> Sequence[RecordedEvent]:
    """Events as another log has recorded them."""
    return [
        RecordedEvent(place, name, version, b"\x00 no JSON", tags, b'{"actor":"a"}', UUID(int=place).bytes, time_us)
        for place, (name, version, tags, time_us) in enumerate(_MADE_ELSEWHERE, 1)
    ]
