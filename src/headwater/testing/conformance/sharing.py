"""Several stores on one log, as several processes have them. Reads: samples.py. Read next: copying.py."""

from __future__ import annotations

import asyncio
import threading

from headwater.event_store.protocol import ALL, Appended, Conflict, EventStore
from headwater.testing.conformance.capabilities import Backend
from headwater.testing.conformance.samples import appended, event, filled, log_of, of, positions, unless
from headwater.testing.conformance.subscribing import delivered


class Sharing(Backend):
    """Each store sees at once what another one appended, in its conditions, its reads and its subscriptions."""

    async def test_each_sees_what_the_other_appended(self, store: EventStore, location: str) -> None:
        """Also a head that moved for other reasons than the query."""
        self.needs("multi_process")
        async with self.open(location) as other:
            for number in range(5):
                await filled(store, f"A n:{number} mine")
                assert (await other.read(of("absent"))).head == 2 * number + 1
                await filled(other, f"B n:{number} theirs")
                assert positions(await store.read(of(f"n:{number}"))) == [2 * number + 1, 2 * number + 2]
            assert positions(await store.read(of(types=("B",)))) == [2, 4, 6, 8, 10]

    async def test_conditions_hold_across_stores(self, store: EventStore, location: str) -> None:
        """What one has in memory is caught up with what another wrote, new tags and types included."""
        self.needs("multi_process")
        async with self.open(location) as other:
            assert isinstance(await store.append([event("A", "x")], unless(of("x"))), Appended)
            assert await other.append([event("A", "x")], unless(of("x"))) == Conflict(1)
            assert isinstance(await other.append([event("B", "x", "y")], unless(of("y"))), Appended)
            assert await store.append([event("B", "y")], unless(of("y"))) == Conflict(2)
            assert await store.append([event("B", "y")], unless(of(types=("B",)))) == Conflict(2)
            assert await store.append([event("B", "z")], unless(of("x"), 1)) == Conflict(2)
            assert await store.append([event("B", "z")], unless(of("z"))) == Appended(3, 3)
            assert await other.append([event("B", "z")], unless(of("z"))) == Conflict(3)

    async def test_of_racers_in_two_stores_one_wins(self, store: EventStore, location: str) -> None:
        """The race for each of many seats has one winner."""
        self.needs("multi_process")
        async with self.open(location) as other:
            for seat in range(10):
                outcomes = await asyncio.gather(
                    *(
                        one.append([event("Seated", f"seat:{seat}", f"by:{number}")], unless(of(f"seat:{seat}")))
                        for number in range(8)
                        for one in (store, other)
                    )
                )
                assert len(appended(outcomes)) == 1
        assert positions(await log_of(store)) == list(range(1, 11))

    async def test_a_repeat_sent_to_another_store(self, store: EventStore, location: str) -> None:
        """A client that lost its connection may repeat the append elsewhere."""
        self.needs("multi_process")
        new = [event("A", "x")]
        await store.append(new, unless(of("x")))
        async with self.open(location) as other:
            assert await other.append(new, unless(of("x"))) == Appended(1, 1, replayed=True)

    async def test_a_subscription_sees_what_others_append(self, store: EventStore, location: str) -> None:
        """Nobody in this store wakes the subscriber, and it wakes all the same."""
        self.needs("multi_process")
        waiting = asyncio.ensure_future(delivered(store, ALL, lambda events, _: len(events) == 2))
        async with self.open(location) as other:
            await filled(other, "A", "B")
            found, _ = await waiting
        assert [recorded.type for recorded in found] == ["A", "B"]

    async def test_one_store_serves_several_event_loops(self, store: EventStore) -> None:
        """Threads with loops of their own append and read through the same store."""
        made: list[Appended | Conflict] = []

        async def work(number: int) -> None:
            for turn in range(10):
                made.append(await store.append([event("A", f"t:{number}")], unless(of(f"t:{number}"), turn and 10_000)))
                await store.read(of(f"t:{number}"))

        threads = [threading.Thread(target=asyncio.run, args=(work(number),)) for number in range(4)]
        for thread in threads:
            thread.start()
        await asyncio.gather(work(4), *(asyncio.to_thread(thread.join) for thread in threads))
        assert sorted(outcome.first for outcome in appended(made)) == list(range(1, 51))
