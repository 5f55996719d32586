"""How other processes learn that the log has grown."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import asyncpg
import pytest

from headwater.backends.postgres import bell
from headwater.errors import OutcomeUnknown
from headwater.event_store import ALL, AppendCondition, Appended, Conflict, EventQuery, NewEvent, open_store

LISTENERS = (
    "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ILIKE 'LISTEN%'"
)
SLOW = "?poll=30"


def event(*tags):
    return NewEvent("A", b"{}", tags)


async def count_of(sql, wanted):
    """Wait until so many sessions listen."""
    async with asyncio.timeout(20):
        while (await asyncio.to_thread(sql, f"SELECT count(*) {LISTENERS}"))[0][0] != wanted:  # noqa: ASYNC110  another process moves
            await asyncio.sleep(0.02)


async def next_positions(pages):
    async with asyncio.timeout(20):
        return [recorded.position for recorded in (await anext(pages)).events]


async def test_a_notification_wakes_other_processes(postgres_url, sql):
    """Long before they would poll."""
    async with open_store(postgres_url + SLOW) as here, open_store(postgres_url) as there:
        pages = aiter(here.subscribe())
        waiting = asyncio.ensure_future(next_positions(pages))
        await count_of(sql, 1)
        await there.append([event()])
        assert await waiting == [1]


async def test_a_subscription_goes_on_after_its_connections_were_cut(postgres_url, sql):
    """All of them at once, as an administrator does it, while it waits: it hears of the next event all the same."""
    async with open_store(postgres_url) as here, open_store(postgres_url) as there:
        await there.append([event()])
        pages = aiter(here.subscribe())
        assert await next_positions(pages) == [1]
        for position in (2, 3, 4):
            waiting = asyncio.ensure_future(next_positions(pages))
            await count_of(sql, 1)
            await asyncio.to_thread(
                sql,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()",
            )
            await repeated(there.append, [event()])
            assert await waiting == [position]


async def repeated(append, events):
    """Append until the outcome is known."""
    while True:
        try:
            return await append(events)
        except OutcomeUnknown:
            continue


async def test_a_watch_outlives_what_nobody_thought_of():
    """Whoever waits depends on it: an error of any kind while it looks is no reason to end."""
    looks, heard_twice = [], asyncio.Event()

    async def look():
        looks.append(len(looks))
        if len(looks) > 1:
            heard_twice.set()
        raise RuntimeError("not foreseen")

    watched = bell.Bell(asyncio.Future, "s", poll=0.001, notify=False)
    watched.watch(look, print)
    async with asyncio.timeout(20):
        await heard_twice.wait()
    await watched.close()


async def test_news_that_come_during_a_look_are_looked_at():
    """And not at the next poll, which may be long away."""
    looked = asyncio.Queue()

    async def look():
        looked.put_nowait(None)
        if looked.qsize() == 1:
            watched.news.set()

    watched = bell.Bell(asyncio.Future, "s", poll=1_000, notify=False)
    watched.watch(look, print)
    async with asyncio.timeout(20):
        while looked.qsize() < 2:  # noqa: ASYNC110  the watch moves
            await asyncio.sleep(0)
    await watched.close()


async def test_appends_are_told_in_one_notification(postgres_url, monkeypatch):
    """However many commits there were meanwhile, and never in their transaction."""
    monkeypatch.setattr(bell, "_RING_SECONDS", 1.0)
    heard = []
    async with open_store(postgres_url) as store:
        listener = await asyncpg.connect(postgres_url)
        await listener.add_listener(store._log_head.bell.channel, lambda *told: heard.append(int(told[-1])))
        for _ in range(50):
            await store.append([event()])
        async with asyncio.timeout(20):
            while not heard or heard[-1] < 50:  # noqa: ASYNC110  another process moves
                await asyncio.sleep(0.01)
        await listener.close()
    assert heard == sorted(set(heard))
    assert len(heard) < 50


async def test_a_dropped_listener_delays_nothing_beyond_the_poll_interval(postgres_url, sql):
    """It listens again, and reads again first: what was appended meanwhile is delivered."""
    async with open_store(postgres_url + SLOW) as here, open_store(postgres_url + "?notify=off") as there:
        pages = aiter(here.subscribe())
        waiting = asyncio.ensure_future(next_positions(pages))
        await count_of(sql, 1)
        await there.append([event()])
        await asyncio.to_thread(sql, f"SELECT pg_terminate_backend(pid) {LISTENERS}")
        assert await waiting == [1]
        await count_of(sql, 1)


async def test_polling_alone_is_enough(postgres_url):
    """As behind a pooler that passes no notifications on."""
    options = "?notify=off&poll=0.05"
    async with open_store(postgres_url + options) as here, open_store(postgres_url + options) as there:
        pages = aiter(here.subscribe())
        waiting = asyncio.ensure_future(next_positions(pages))
        await asyncio.sleep(0)
        await there.append([event()])
        assert await waiting == [1]


async def test_the_last_append_is_told_also_if_the_store_is_closed_at_once(postgres_url, sql):
    """A short command line must not leave others to their poll interval."""
    async with open_store(postgres_url + SLOW) as here:
        pages = aiter(here.subscribe())
        waiting = asyncio.ensure_future(next_positions(pages))
        await count_of(sql, 1)
        async with open_store(postgres_url + SLOW) as there:
            await there.append([event()])
        assert await waiting == [1]


async def test_without_prepared_statements(postgres_url):
    """Everything works with ``statement_cache_size=0``, which some poolers need."""
    async with open_store(postgres_url + "?statement_cache_size=0") as store:
        assert await store.append([event("x")]) == Appended(1, 1)
        assert await store.append([event("x")], AppendCondition(EventQuery.of(tags=("x",)))) == Conflict(1)
        assert [recorded.position for recorded in (await store.read(ALL)).events] == [1]


@pytest.fixture
def stale(postgres_server, postgres_url):
    """A second database that stands in for a replica which lags."""
    url = postgres_server.fresh_database()
    yield url
    postgres_server.drop_database(url)


async def test_readers_go_to_the_replica_and_conditions_to_the_primary(postgres_url, stale):
    """A stale replica never lets an append through that the primary refuses."""
    async with open_store(postgres_url) as elsewhere, open_store(stale):
        await elsewhere.append([event("x")])
        async with open_store(f"{postgres_url}?read_url={quote(stale, safe='')}") as store:
            assert (await store.read(ALL)).head == 0
            condition = AppendCondition(EventQuery.of(tags=("x",)))
            assert await store.append([event("x")], condition) == Conflict(1)


async def test_what_this_process_was_told_of_is_read_also_from_a_replica_that_lags(postgres_url, stale):
    """Its own appends, and what it conflicted with: otherwise it would decide on the same old state again."""
    async with open_store(stale), open_store(f"{postgres_url}?read_url={quote(stale, safe='')}") as store:
        await store.append([event("x")])
        assert (await store.read(ALL)).head == await store.head() == 1


async def test_a_subscription_follows_the_replica(postgres_url, stale):
    """It delivers what the replica has got, when it has got it."""
    async with open_store(stale) as replica, open_store(f"{postgres_url}?read_url={quote(stale, safe='')}") as store:
        pages = aiter(store.subscribe())
        waiting = asyncio.ensure_future(next_positions(pages))
        await store.append([event("x")])
        await asyncio.sleep(0)
        assert not waiting.done()
        await replica.append([event("x")])
        assert await waiting == [1]
