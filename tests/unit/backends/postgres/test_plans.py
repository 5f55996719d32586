"""Every query and every condition finds its events by index, whatever the planner knows of the tables."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from headwater.backends.postgres.batches import SEPARATOR, Batch
from headwater.backends.postgres.connection import PostgresLog, open_connection
from headwater.backends.postgres.statements import statement
from headwater.event_store import ALL, AppendCondition, EventQuery, NewEvent, open_store
from headwater.event_store.protocol import QueryItem

EVENTS = 100_000
PER_ORDER = 10
of = EventQuery.of

# Of each: the query, and how many events match it.
QUERIES = {
    "a tag": (of(tags=("order:7",)), PER_ORDER),
    "two tags": (of(tags=("order:7", "line:3")), 1),
    "a tag and a type": (of(tags=("order:7",), types=("T1",)), 1),
    "a tag and many types": (of(tags=("order:7",), types=tuple(f"T{number}" for number in range(10))), PER_ORDER),
    "a rare type": (of(types=("Rare",)), 1),
    "a type nobody knows": (of(types=("Nobody",)), 0),
    "a tag nobody knows": (of(tags=("nobody",)), 0),
    "a common tag and a rare type": (of(tags=("shop:1",), types=("Rare",)), 1),
    "items of all kinds": (of(tags=("order:7",)) | of(types=("Rare",)) | of(tags=("order:8",), types=("T2",)), 12),
    "many items": (EventQuery(tuple(QueryItem(tags=(f"order:{number}",)) for number in range(50))), 50 * PER_ORDER),
}
LIMITED = {"all": ALL, "a common tag": of(tags=("shop:1",)), "a common type": of(types=("T1",))}


@pytest.fixture(scope="module", params=["no statistics", "analyzed"])
def large(postgres_server, request):
    """A log of a hundred thousand events, before the server has gathered statistics of it, and after."""
    url = postgres_server.fresh_database()

    async def fill():
        async with open_store(url) as store:
            await tell(url, "ALTER TABLE headwater.events SET (autovacuum_enabled = off)")
            await tell(url, "ALTER TABLE headwater.event_tags SET (autovacuum_enabled = off)")
            for start in range(0, EVENTS - 1, 20_000):
                numbers = range(start, min(start + 20_000, EVENTS - 1))
                await store.append([made(number) for number in numbers])
            await store.append([NewEvent("Rare", b"{}", ("shop:1",))])
        if request.param == "analyzed":
            await tell(url, "VACUUM ANALYZE headwater.events, headwater.event_tags")

    asyncio.run(fill())
    yield url
    postgres_server.drop_database(url)


async def tell(url, statement):
    """Run a statement of the database's owner."""
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


def made(number):
    tags = (f"order:{number // PER_ORDER}", f"line:{number % PER_ORDER}", "shop:1")
    return NewEvent(f"T{number % 10}", b"{}", tags)


async def looked_at(url, *call):
    """How many sequential scans of the log's tables a call makes, and how many entries of them it reads by index."""
    log = PostgresLog.of_url(url)
    connection = await open_connection(log)
    counted = (
        "SELECT coalesce(sum(seq_scan), 0), coalesce(sum(idx_tup_fetch), 0) FROM pg_stat_xact_user_tables"
        " WHERE relname IN ('events', 'event_tags')"
    )
    transaction = connection.transaction()
    await transaction.start()
    try:
        before = await connection.fetchrow(counted)
        rows = await connection.fetch(*call)
        after = await connection.fetchrow(counted)
    finally:
        await transaction.rollback()
        await connection.close()
    return rows, after[0] - before[0], after[1] - before[1]


def reading(url, query, limit, *, backwards):
    tags, types = ([SEPARATOR.join(getattr(item, name)) for item in query.items] for name in ("tags", "types"))
    return PostgresLog.of_url(url).function("read_events", 5), tags, types, 0, limit, backwards


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", list(QUERIES))
async def test_a_read_looks_at_little_more_than_it_finds(large, name, backwards):
    """No scan of a table, and no walk through entries that do not match."""
    query, matching = QUERIES[name]
    rows, scans, entries = await looked_at(large, *reading(large, query, None, backwards=backwards))
    assert (len(rows) - 1, scans) == (matching, 0)
    assert entries <= 4 * matching + 60


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("name", list(LIMITED))
async def test_a_limit_ends_a_read_early(large, name, backwards):
    """However many events match."""
    rows, scans, entries = await looked_at(large, *reading(large, LIMITED[name], 20, backwards=backwards))
    assert (len(rows) - 1, scans) == (20, 0)
    assert entries <= 20 * 15


@pytest.mark.parametrize("after", [0, EVENTS - 5])
@pytest.mark.parametrize("name", [*QUERIES, *LIMITED])
async def test_a_condition_is_checked_without_reading_history(large, name, after):
    """While it is checked, every other writer waits."""
    query, matching = QUERIES[name] if name in QUERIES else (LIMITED[name], EVENTS)
    batch = Batch([([NewEvent("T1", b"{}", ("order:7",))], AppendCondition(query, after))])
    call = statement("append_batch").format(schema="headwater")
    rows, scans, entries = await looked_at(large, call, False, True, 0, *batch.arguments())
    assert scans == 0
    assert entries <= 100
    if after == 0:
        assert bool(rows[0][1]) is bool(matching)  # it is refused if anything matches


async def test_the_head_is_found_by_index(large):
    """It is asked for again and again."""
    rows, scans, _ = await looked_at(large, "SELECT coalesce(max(position), 0) FROM headwater.events")
    assert (rows[0][0], scans) == (EVENTS, 0)


async def test_the_measure_sees_a_scan(large):
    """Or else these tests would prove nothing."""
    _, scans, _ = await looked_at(large, "SELECT count(*) FROM headwater.events WHERE version = 9")
    assert scans > 0
