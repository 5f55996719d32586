"""A pool of connections for rows: which one is lent next, and what becomes of those that nobody uses."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
import pytest_asyncio

from headwater.backends.postgres import row_pool
from headwater.backends.postgres.row_connections import RowServer
from headwater.backends.postgres.row_pool import RowPool
from headwater.errors import StoreBusy, StoreError, StoreIOError

pytestmark = pytest.mark.usefixtures("schema")
_SIZE = 2


@pytest.fixture
def schema(postgres_server, postgres_url):
    postgres_server.execute("CREATE SCHEMA headwater_read", url=postgres_url)


@pytest_asyncio.fixture
async def pool(postgres_url):
    pool = await opened(postgres_url)
    yield pool
    await pool.close()


async def opened(url):
    server = RowServer.of_url(f"{url}?pool_timeout=0.5")
    return await RowPool.open(server, server.writing, _SIZE, "rows", 10)


async def session(pool):
    async with pool.lent() as connection:
        return await connection.fetchval("SELECT pg_backend_pid()")


def idle(pool):
    """How many connections lie at hand, and how many in the driver's pool."""
    return len(pool._at_hand), pool._pool.get_idle_size()


async def test_a_connection_stays_at_hand_for_the_next_who_asks(pool):
    """The driver's pool is not asked again."""
    first = await session(pool)
    assert {await session(pool) for _ in range(5)} == {first}
    assert idle(pool) == (1, 0)


async def test_a_connection_that_somebody_waits_for_is_handed_on(pool):
    """Whoever waits does so at the driver's pool, in line; who comes after the wait finds all at hand again."""
    held, free = asyncio.Event(), asyncio.Event()

    async def hold():
        async with pool.lent():
            held.set()
            await free.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(_SIZE):
            held.clear()
            group.create_task(hold())
            await held.wait()
        waiting = [group.create_task(session(pool)) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in waiting)
        free.set()
    assert all(task.result() for task in waiting)
    await session(pool)
    assert sum(idle(pool)) == _SIZE


async def test_too_few_connections_are_a_typed_error_and_the_next_who_asks_gets_one(pool):
    """Waiting in vain leaves nothing behind."""
    async with pool.lent(), pool.lent():
        with pytest.raises(StoreBusy, match="write_pool_size"):
            await session(pool)
    assert await session(pool)
    assert pool._waiting == 0


async def test_a_connection_that_was_cut_while_it_lay_at_hand_is_not_lent(pool, sql):
    """The pool makes another one in its place."""
    first = await session(pool)
    sql(f"SELECT pg_terminate_backend({first})")
    await asyncio.sleep(0.1)
    assert await session(pool) != first
    assert pool._pool.get_size() == 1


async def test_a_connection_goes_back_to_the_pool_when_something_went_wrong(pool):
    """It is the driver's pool that knows what to do with it."""
    with pytest.raises(StoreIOError):
        async with pool.lent() as connection:
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    assert len(pool._at_hand) == 0
    task = asyncio.create_task(_sleeping(pool))
    await asyncio.sleep(0.1)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert len(pool._at_hand) == 0
    assert await session(pool)


async def _sleeping(pool):
    async with pool.lent() as connection:
        await connection.execute("SELECT pg_sleep(60)")


async def test_a_pool_is_for_the_event_loop_that_opened_it(pool):
    """A connection answers on its own loop only."""
    with pytest.raises(StoreError, match="another event loop"):
        await asyncio.to_thread(asyncio.run, session(pool))
    assert await session(pool)


async def test_what_lies_at_hand_is_given_back_now_and_then(postgres_url, monkeypatch):
    """So that the driver's pool closes what nobody has asked for in a while."""
    monkeypatch.setattr(row_pool, "_AT_HAND_SECONDS", 0.02)
    pool = await opened(postgres_url)
    for _ in range(2):
        await session(pool)
        assert idle(pool) == (1, 0)
        await asyncio.sleep(0.2)
        assert idle(pool) == (0, 1)
    await pool.close()


async def test_nothing_is_open_after_close(pool, sql):
    """Neither what lay at hand nor what came back meanwhile."""
    async with pool.lent() as connection:
        mine = await connection.fetchval("SELECT pg_backend_pid()")
        theirs = await session(pool)
        closing = asyncio.create_task(pool.close())
        await asyncio.sleep(0.05)
    await closing
    assert idle(pool) == (0, 0)
    for _ in range(100):
        if sql(f"SELECT count(*) FROM pg_stat_activity WHERE pid IN ({mine}, {theirs})") == [(0,)]:
            return
        await asyncio.sleep(0.05)
    pytest.fail("a session is still there")
