from __future__ import annotations

import asyncio

import pytest

from headwater.commands.gathering import GatheredReads
from headwater.errors import StoreClosed
from headwater.event_store.memory import MemoryEventStore
from headwater.event_store.protocol import ALL, EventQuery, NewEvent


class DistantStore(MemoryEventStore):
    """Answers when it is told to, as a server at the end of a long wire; notes what it was asked."""

    def __init__(self):
        super().__init__()
        self.asked = []
        self.answering = asyncio.Event()
        self.asked_thrice = asyncio.Event()

    async def read(self, query=ALL, **options):
        self.asked.append(query)
        if len(self.asked) == 3:
            self.asked_thrice.set()
        await self.answering.wait()
        return await super().read(query, **options)


@pytest.fixture
async def store():
    """Ten shelves, each with a thing put on it and a thing taken from it."""
    store = DistantStore()
    for number in range(10):
        await store.append(
            [NewEvent("Put", b"{}", (f"shelf:{number}", "thing")), NewEvent("Taken", b"{}", (f"shelf:{number}",))]
        )
    return store


def of(number, *types):
    return EventQuery.of(tags=(f"shelf:{number}",), types=types)


async def ask(reads, queries, **options):
    """Ask for all of them at once; the tasks, once each has asked or waits."""
    tasks = [asyncio.create_task(reads.read(query, **options)) for query in queries]
    await asyncio.sleep(0)
    return tasks


async def test_what_is_asked_while_the_store_is_busy_goes_there_together(store):
    """Ten readers, three reads; each gets its own events."""
    tasks = await ask(GatheredReads(store), [of(number) for number in range(10)])
    assert len(store.asked) == 2
    store.answering.set()

    slices = await asyncio.gather(*tasks)

    assert len(store.asked) == 3
    assert [[event.position for event in each.events] for each in slices] == [[n, n + 1] for n in range(1, 20, 2)]
    assert {each.head for each in slices} == {20}


async def test_types_and_limits_hold_for_each(store):
    """Two may ask for the same tag and mean different events."""
    reads = GatheredReads(store)
    tasks = await ask(reads, [of(0), of(0), of(3, "Taken"), of(3), of(3, "Unknown")])
    tasks += await ask(reads, [of(3)], limit=1)
    store.answering.set()

    slices = await asyncio.gather(*tasks)

    assert [[event.position for event in each.events] for each in slices[2:]] == [[8], [7, 8], [], [7]]


async def test_slow_reads_hold_up_nobody_for_long(store):
    """Who waits goes after a while, though nothing was answered."""
    tasks = await ask(GatheredReads(store), [of(number) for number in range(6)])
    await store.asked_thrice.wait()
    store.answering.set()

    assert [len((await task).events) for task in tasks] == [2] * 6
    assert len(store.asked) == 3


async def test_too_many_events_are_read_by_each_for_itself(store):
    """A gathered read is bounded; what it cut off is not taken for the whole."""
    await store.append([NewEvent("Put", b"{}", ("shelf:many",)) for _ in range(5_000)])
    tasks = await ask(GatheredReads(store), [of(0), of(1), of("many"), of(2)])
    store.answering.set()

    assert [len((await task).events) for task in tasks] == [2, 2, 5_000, 2]


async def test_one_who_gives_up_leaves_the_others_alone(store):
    """Cancelled while it waits, or while it reads."""
    tasks = await ask(GatheredReads(store), [of(number) for number in range(5)])
    tasks[0].cancel()
    tasks[3].cancel()
    store.answering.set()

    done = await asyncio.gather(*tasks, return_exceptions=True)

    assert [isinstance(each, asyncio.CancelledError) for each in done] == [True, False, False, True, False]
    assert [len(done[number].events) for number in (1, 2, 4)] == [2, 2, 2]


async def test_each_is_told_of_a_failure(store):
    """With an exception of its own, by the store itself."""
    tasks = await ask(GatheredReads(store), [of(number) for number in range(5)])
    await store.close()
    store.answering.set()

    done = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(isinstance(each, StoreClosed) for each in done)
    assert len({id(each) for each in done}) == 5


async def test_other_reads_go_directly(store):
    """From a later position, of everything, of several tags or items."""
    reads = GatheredReads(store)
    await ask(reads, [of(0), of(1)])
    tasks = await ask(
        reads, [ALL, of(0) | of(1), EventQuery.of(types=("Put",)), EventQuery.of(tags=("thing", "shelf:2"))]
    )
    tasks += await ask(reads, [of(4)], after=9)
    assert len(store.asked) == 7
    store.answering.set()

    assert [len((await task).events) for task in tasks] == [20, 4, 10, 1, 1]


async def test_a_store_that_answers_at_once_is_read_directly():
    """As a file is: nothing is ever under way."""
    store = DistantStore()
    store.answering.set()
    await asyncio.gather(*await ask(GatheredReads(store), [of(number) for number in range(10)]))

    assert len(store.asked) == 10
