"""What happens when an append is sent again. Reads: samples.py. Read next: subscribing.py."""

from __future__ import annotations

import asyncio

import pytest

from headwater.errors import DuplicateEventId
from headwater.event_store.protocol import Appended, EventStore
from headwater.testing.conformance.capabilities import Backend
from headwater.testing.conformance.samples import event, filled, of, unless


class Repeating(Backend):
    """An append whose acknowledgement was lost may be sent again, with the same ids, and is stored once."""

    async def test_an_exact_repeat_gets_the_first_outcome(self, store: EventStore) -> None:
        """It is marked as a replay, and nothing is stored again."""
        events = [event("A", "x"), event("B", "x")]
        await filled(store, "Z")
        assert await store.append(events) == Appended(2, 3)
        await filled(store, "Z")
        assert await store.append(events) == Appended(2, 3, replayed=True)
        assert await store.head() == 4

    async def test_also_when_its_condition_fails_by_now(self, store: EventStore) -> None:
        """The condition fails because of the append's own events: that is no conflict."""
        new = [event("A", "x")]
        assert await store.append(new, unless(of("x"))) == Appended(1, 1)
        assert await store.append(new, unless(of("x"))) == Appended(1, 1, replayed=True)
        await filled(store, "B x")
        assert await store.append(new, unless(of("x"))) == Appended(1, 1, replayed=True)

    async def test_a_repeat_within_one_turn(self, store: EventStore) -> None:
        """A caller that is too quick gets the same positions twice; others are not concerned."""
        new = [event("A", "x")]
        outcomes = await asyncio.gather(
            store.append([event("B")]),
            store.append(new, unless(of("x"))),
            store.append(new, unless(of("x"))),
            store.append(new),
            store.append([event("C")]),
        )
        again = Appended(2, 2, replayed=True)
        assert list(outcomes) == [Appended(1, 1), Appended(2, 2), again, again, Appended(3, 3)]

    async def test_some_of_its_events_are_stored(self, store: EventStore) -> None:
        """That is not a repeat but a mistake, and nothing is stored, whether the condition holds or not."""
        first, second = event("A", "x"), event("B", "x")
        await store.append([first])
        for condition in (None, unless(of("y")), unless(of("x"))):
            with pytest.raises(DuplicateEventId):
                await store.append([first, second], condition)
            with pytest.raises(DuplicateEventId):
                await store.append([second, first], condition)
        assert await store.head() == 1

    async def test_its_events_are_stored_in_another_order(self, store: EventStore) -> None:
        """The same ids in another order, or from two appends with others between, are another append."""
        first, second = event("A"), event("B")
        await store.append([first])
        await filled(store, "Z")
        await store.append([second])
        with pytest.raises(DuplicateEventId):
            await store.append([first, second])
        with pytest.raises(DuplicateEventId):
            await store.append([second, first])

    async def test_a_repeat_after_opening_the_store_again(self, location: str) -> None:
        """The log knows the ids, not the process."""
        self.needs("durable")
        new = [event("A", "x"), event("B", "x")]
        async with self.open(location) as store:
            await store.append(new, unless(of("x")))
        async with self.open(location) as store:
            assert await store.append(new, unless(of("x"))) == Appended(1, 2, replayed=True)
            assert await store.head() == 2
