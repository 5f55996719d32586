"""A PostgreSQL that is killed keeps rows and checkpoints together, and its clients find it again."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress

import pytest
from tests.servers.postgres import served

from headwater.errors import StoreError
from headwater.read_store import Changes, Checkpoint, ReadStore, TableChanges, open_read_store
from headwater.testing.conformance.read_samples import NOON, SEATS, Seat


@pytest.fixture(scope="module")
def server():
    pytest.importorskip("asyncpg")
    with served() as own:
        yield own


async def test_what_a_crash_takes_back_it_takes_back_whole(server):
    """Each commit adds a row and moves the checkpoint by one: afterwards both say the same, and work goes on."""
    async with open_read_store(server.fresh_database()) as store:
        await store.prepare([SEATS])
        done = asyncio.Event()
        filling = asyncio.create_task(_fill(store, done))
        for _ in range(2):
            await _grow(store, 50)
            await asyncio.to_thread(server.stop, signal.SIGQUIT)
            await asyncio.to_thread(server.start)
        await _grow(store, 50)
        done.set()
        position = await filling
        assert position >= 50
        assert [row.number for row in await store.reader(Seat).all()] == list(range(1, position + 1))


async def _fill(store: ReadStore, done: asyncio.Event) -> int:
    """Commit row after row, starting from what is stored; returns the last position."""
    while True:
        with suppress(StoreError):
            here = (await store.checkpoints())["Seats"]
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
