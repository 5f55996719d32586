"""A PostgreSQL that is killed keeps rows and checkpoints together, and its clients find it again."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress

import pytest
from tests.pairings import fill, folded, projected, shelves_app
from tests.servers.postgres import served

from headwater.errors import StoreError
from headwater.read_store import Changes, Checkpoint, ReadStore, TableChanges, open_read_store
from headwater.testing.conformance.read_samples import NOON, SEATS, Seat


@pytest.fixture(scope="module")
def server():
    pytest.importorskip("asyncpg")
    with served() as own:
        yield own


@pytest.mark.parametrize("durability", ["full", "relaxed"])
async def test_a_crash_takes_back_whole_commits_or_nothing(server, durability):
    """Each commit adds a row and moves the checkpoint by one: afterwards both say the same, and work goes on."""
    async with open_read_store(f"{server.fresh_database()}?durability={durability}") as store:
        await store.prepare([SEATS])
        done, stored = asyncio.Event(), list[int]()
        filling = asyncio.create_task(_fill(store, done, stored))
        await _grow(store, 50)
        await asyncio.to_thread(server.stop, signal.SIGQUIT)
        await asyncio.to_thread(server.start)
        await _grow(store, 50)
        done.set()
        position = await filling
        assert [row.number for row in await store.reader(Seat).all(1_000_000)] == list(range(1, position + 1))
        assert durability == "relaxed" or stored == sorted(stored)


async def test_an_application_goes_on_when_the_server_is_back(server):
    """Log and read models both stand there; the followers find it again, and the rows are what the log says."""
    async with shelves_app().open(server.fresh_database()) as runtime:
        await fill(runtime.event_store, 3_000)
        await asyncio.to_thread(server.stop, signal.SIGQUIT)
        await asyncio.to_thread(server.start)
        async with asyncio.timeout(60):
            while True:
                with suppress(StoreError):
                    await fill(runtime.event_store, 500)
                    break
        await runtime.caught_up(timeout=60)
        assert await projected(runtime.read_store) == await folded(runtime.event_store)


async def _fill(store: ReadStore, done: asyncio.Event, stored: list[int]) -> int:
    """Commit row after row, going on from what is stored; notes where that is, and returns the last position."""
    while True:
        with suppress(StoreError):
            here = (await store.checkpoints())["Seats"]
            stored.append(here.position)
            if done.is_set():
                return here.position
            await store.commit([_next(here)])
        await asyncio.sleep(0)


def _next(here: Checkpoint) -> Changes:
    row = Seat(day=NOON.date(), number=here.position + 1)
    return Changes("Seats", here, here.position + 1, (TableChanges(SEATS, [SEATS.values_of(row)], []),))


async def _grow(store: ReadStore, rows: int) -> None:
    """Wait until there are so many rows more, however long the server is away."""
    first: int | None = None
    async with asyncio.timeout(60):
        while True:
            with suppress(StoreError):
                count = await store.reader(Seat).count()
                first = count if first is None else first
                if count >= first + rows:
                    return
