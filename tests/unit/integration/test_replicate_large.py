"""Copying logs of large events: memory has a bound, whatever is in the log."""

from __future__ import annotations

import asyncio
import tracemalloc
from contextlib import contextmanager

import msgspec
import pytest

from headwater.errors import OtherHistory
from headwater.event_store import EventQuery, NewEvent, open_store
from headwater.event_store.memory import MemoryEventStore
from headwater.integration.chain import chain_of
from headwater.integration.replicate import replicate

MIB = 1 << 20
COUNT = 40
BATCH_BYTES = 3 * MIB


@pytest.fixture
def urls(request, tmp_path):
    """Where to copy from and to: from a file to another one, to a server, and back."""
    here, there = f"sqlite:///{tmp_path}/source.db", f"sqlite:///{tmp_path}/copy.db"
    if "postgres" not in request.param:
        return here, there
    server = request.getfixturevalue("postgres_url")
    return (here, server) if request.param == "to postgres" else (server, there)


WAYS = pytest.mark.parametrize("urls", ["to a file", "to postgres", "from postgres"], indirect=True)


async def grow(store, count, size=MIB):
    """Append events of that size, one at a time."""
    for number in range(count):
        await store.append([NewEvent("Large", bytes([number % 256]) * size, (f"n:{number}",))])


async def copied_until(target, position):
    """Wait until the target has that many events, without reading them."""
    async for news in target.subscribe(EventQuery.of(types=("None",))):
        if news.head >= position:
            return


@contextmanager
def bounded(most):
    """What Python objects take within the block is at no time more than so many bytes."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
        assert peak < most
    finally:
        tracemalloc.stop()


@WAYS
async def test_copying_large_events_takes_a_few_batches_of_memory(urls):
    """One that is read, one before it, one that comes back; the driver of a server holds one more, to send it."""
    async with open_store(urls[0]) as source, open_store(urls[1]) as target:
        await grow(source, COUNT)
        with bounded(5 * BATCH_BYTES):  # all of them are 13 batches
            outcome = await replicate(source, target, batch_bytes=BATCH_BYTES)
        assert (outcome.copied, outcome.head) == (COUNT, COUNT)
        with bounded(5 * BATCH_BYTES):
            assert (await replicate(source, target, batch_bytes=BATCH_BYTES)).compared == COUNT


async def test_following_large_events_takes_no_more(tmp_path):
    """What came while nobody looked comes in batches of the same size."""
    async with open_store(f"sqlite:///{tmp_path}/a.db") as source, open_store(f"sqlite:///{tmp_path}/b.db") as target:
        stop = asyncio.Event()
        with bounded(5 * BATCH_BYTES):
            following = asyncio.ensure_future(replicate(source, target, batch_bytes=BATCH_BYTES, follow=stop))
            await grow(source, COUNT)
            await copied_until(target, COUNT)
        stop.set()
        assert (await following).head == COUNT


async def test_a_stop_waits_for_one_batch_and_not_for_all(tmp_path):
    """However far behind the copy is; the next run goes on there."""
    stop = asyncio.Event()

    class Stopping(MemoryEventStore):
        async def copy(self, events):
            if events[0].position > 2:
                stop.set()
            return await super().copy(events)

    target = Stopping()
    async with open_store(f"sqlite:///{tmp_path}/source.db") as source:
        await grow(source, 2, 1_000)
        following = asyncio.ensure_future(replicate(source, target, batch_bytes=2_000, follow=stop))
        await copied_until(target, 2)
        await source.append([NewEvent("Large", b"x" * 1_000) for _ in range(6)])
        assert (await following).head == 3
        assert (await replicate(source, target)).head == 8


async def test_reading_the_chain_of_large_events_takes_no_more_than_pages(tmp_path):
    """What `headwater verify` reads has the same bound."""
    async with open_store(f"sqlite:///{tmp_path}/log.db") as store:
        await grow(store, 12, 8 * MIB)
        with bounded(64 * MIB):
            assert (await chain_of(store)).position == 12


async def test_a_target_whose_events_are_larger_is_told_where_it_differs(tmp_path):
    """Though what it has at these places takes more pages than what the source has."""
    async with open_store(f"sqlite:///{tmp_path}/a.db") as source, open_store(f"sqlite:///{tmp_path}/b.db") as target:
        await grow(source, 9, 1_000)
        events = list((await source.read()).events)
        events[3] = msgspec.structs.replace(events[3], data=b"x" * MIB)
        await target.copy(events)
        with pytest.raises(OtherHistory, match="another event at 4 "):
            await replicate(source, target, batch_bytes=20_000)
