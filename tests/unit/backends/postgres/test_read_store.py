from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack, aclosing, suppress
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from headwater.backends.postgres.read_store import PostgresReadStore, open_postgres
from headwater.backends.postgres.row_plans import TableSql
from headwater.errors import ProjectionError, QueryError, QueryTooSlow, ReadOnlyViolation, StoreBusy, StoreIOError
from headwater.read_store import Changes, Prefix, Table, TableChanges
from headwater.read_store.selection import Selection, order_of
from headwater.read_store.statements import selecting
from headwater.testing.conformance.read_samples import ARTICLES, NOON, SEATS, Article, Seat, put

_NOISE = random.Random(1).randbytes(5_000).hex()


@pytest_asyncio.fixture
async def store(postgres_url):
    async with AsyncExitStack() as stack:
        yield await _opened(stack, postgres_url)


async def _opened(stack: AsyncExitStack, url: str) -> PostgresReadStore:
    store = await open_postgres(url, migrate=True)
    stack.push_async_callback(store.close)
    await store.prepare([ARTICLES, SEATS])
    return store


def _seats(count: int) -> list[Seat]:
    return [Seat(day=NOON.date(), number=number) for number in range(count)]


def _changes(start: Any, name: str = "Seats", rows: int = 1, position: int = 9) -> Changes:
    table = SEATS if name == "Seats" else ARTICLES
    made = _seats(rows) if name == "Seats" else [Article(code=str(number)) for number in range(rows)]
    return Changes(name, start[name], position, (TableChanges(table, [table.values_of(row) for row in made], []),))


# -- queries only read


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM articles_v1",
        "CREATE TABLE mine (a integer)",
        "WITH gone AS (DELETE FROM seats_v1 RETURNING 1) SELECT * FROM gone",
        "SELECT nextval('numbers')",
    ],
)
async def test_a_query_that_writes_is_refused(store, postgres_server, postgres_url, sql):
    """By the server itself, whatever the statement looks like."""
    postgres_server.execute("CREATE SEQUENCE headwater_read.numbers", url=postgres_url)
    await put(store, ARTICLES, Article(code="a"))
    with pytest.raises(ReadOnlyViolation):
        await store.query(sql)
    assert await store.query("SELECT code, stock FROM articles_v1 WHERE code = $1", ["a"]) == [("a", None)]


@pytest.mark.parametrize(
    "sql",
    [
        "SET default_transaction_read_only = off",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "SET TRANSACTION READ WRITE",
        "COMMIT",
    ],
)
async def test_a_query_cannot_talk_itself_into_writing(postgres_url, sql):
    """What it does to its connection is taken back before anybody else gets it."""
    async with AsyncExitStack() as stack:
        store = await _opened(stack, f"{postgres_url}?pool_size=1")
        with suppress(QueryError):
            await store.query(sql)
        with pytest.raises(ReadOnlyViolation):
            await store.query("CREATE TABLE mine (a integer)")


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT 1 FROM nowhere", "SELECT 1 / 0", "SELECT 1; SELECT 2"])
async def test_a_query_that_the_server_refuses_is_the_querys_fault(store, sql):
    """And the connection is good for the next."""
    with pytest.raises(QueryError):
        await store.query(sql)
    assert await store.query("SELECT 1") == [(1,)]


# -- limits


async def test_a_query_that_takes_too_long_is_broken_off(postgres_url):
    """By the server, with the limit of the URL."""
    async with AsyncExitStack() as stack:
        store = await _opened(stack, f"{postgres_url}?statement_timeout=0.05")
        with pytest.raises(QueryTooSlow):
            await store.query("SELECT pg_sleep(60)")


async def test_cancelling_reaches_the_server(store, postgres_server):
    """It stops working on what nobody waits for."""
    slow = "FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(61)'"
    task = asyncio.create_task(store.query("SELECT pg_sleep(61)"))
    await _until(lambda: postgres_server.execute(f"SELECT 1 {slow}"))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await _until(lambda: not postgres_server.execute(f"SELECT 1 {slow}"))
    assert await store.query("SELECT 1") == [(1,)]


async def test_who_finds_no_free_connection_is_told(postgres_url):
    """After the time that the URL says, with what to do about it."""
    async with AsyncExitStack() as stack:
        store = await _opened(stack, f"{postgres_url}?pool_size=1&pool_timeout=1")
        await put(store, SEATS, *_seats(2))
        async with aclosing(store.reader(Seat).stream()) as rows:
            await anext(rows)
            with pytest.raises(StoreBusy, match="pool_size"):
                await store.reader(Seat).count()
        assert await store.reader(Seat).count() == 2


async def test_closing_does_not_wait_for_a_stream_that_is_left_half_way(postgres_url):
    """What is under way gets a moment, then it is broken off."""
    store = await open_postgres(postgres_url, migrate=True)
    await store.prepare([SEATS])
    await put(store, SEATS, *_seats(700))
    rows = store.reader(Seat).stream()
    await anext(rows)
    await asyncio.wait_for(store.close(), 10)
    with pytest.raises(StoreIOError):
        [row async for row in rows]


# -- rows that SQLite takes and PostgreSQL cannot


@pytest.mark.parametrize("row", [Article(code="a\0"), Article(code=_NOISE)], ids=["NUL", "too long for an index"])
async def test_rows_that_the_server_cannot_hold_are_refused(store, row):
    """As the projection's fault, with nothing stored."""
    start = await store.checkpoints()
    part = TableChanges(ARTICLES, [ARTICLES.values_of(row)], [])
    with pytest.raises(ProjectionError):
        await store.commit([Changes("Articles", start["Articles"], 1, (part,))])
    assert await store.checkpoints() == start


async def test_text_with_nul_finds_nothing(store):
    """There is no such row, so that is the answer."""
    await put(store, ARTICLES, Article(code="a", title="x"))
    reader = store.reader(Article)
    assert await reader.get("a\0") is None
    assert await store.load(ARTICLES, ["a", "a\0"]) == {"a": Article(code="a", title="x")}
    assert await reader.where(title="x\0").all() == []
    assert await reader.where(title=Prefix("x\0")).count() == 0


# -- writing


async def test_of_two_commits_from_one_checkpoint_one_stores(postgres_url):
    """Whoever comes first, whatever else is in them, and nobody waits for ever."""
    async with AsyncExitStack() as stack:
        stores = [await _opened(stack, postgres_url) for _ in range(4)]
        for position in range(1, 11):
            start = await stores[0].checkpoints()
            batch = [_changes(start, name, 3, position) for name in ("Articles", "Seats")]
            moved = await asyncio.gather(
                *(store.commit(batch if number % 2 else batch[::-1]) for number, store in enumerate(stores))
            )
            assert sorted(map(len, moved)) == [0, 2, 2, 2]
        assert {at.position for at in (await stores[0].checkpoints()).values()} == {10}


async def test_a_batch_is_a_handful_of_statements(store, monkeypatch):
    """However many rows it has."""
    import asyncpg

    first = await store.checkpoints()
    await store.commit([_changes(first, "Seats", position=1), _changes(first, "Articles", position=1)])
    start = await store.checkpoints()
    sent: list[str] = []
    for name in ("execute", "fetch"):
        _spy(monkeypatch, asyncpg.Connection, name, sent)
    await store.load(SEATS, [SEATS.row_key(row) for row in _seats(1000)])
    await store.commit([_changes(start, "Seats", 1000), _changes(start, "Articles", 1000)])
    sent = [each for each in sent if "pg_notify" not in each]  # of the commit before
    assert len(sent) == 6, sent  # the load; begin, checkpoints, a table, another, commit
    assert await store.reader(Seat).count() == await store.reader(Article).count() == 1000


def _spy(monkeypatch, cls, name, sent):
    original = getattr(cls, name)

    async def noted(self, query, *args, **options):
        sent.append(query)
        return await original(self, query, *args, **options)

    monkeypatch.setattr(cls, name, noted)


class _Watched(list[Any]):
    """Values to send that look at the server's sessions just before they are made ready for it."""

    def __init__(self, values: Any, look: Any) -> None:
        super().__init__(values)
        self._look = look

    def __iter__(self) -> Any:
        self._look()
        return super().__iter__()


async def test_a_process_that_is_stopped_while_it_makes_rows_ready_is_broken_off(
    store, postgres_server, postgres_url, monkeypatch
):
    """What it holds is let go after a pause: it is between two commands to the server, not in the middle of one."""
    seen: list[tuple[Any, ...]] = []
    sql = (
        "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND xact_start < now()"
        " AND backend_type = 'client backend'"  # the server's own housekeeping may be at work
    )

    def look() -> None:
        seen.extend(postgres_server.execute(sql, url=postgres_url))

    original = TableSql.rows
    monkeypatch.setattr(
        TableSql, "rows", lambda self, puts: [_Watched(each, look) if puts else each for each in original(self, puts)]
    )
    start = await store.checkpoints()
    assert not await store.commit([_changes(start, "Seats", 3), _changes(start, "Articles", 3)])
    assert {state for (state,) in seen} == {"idle in transaction"}
    assert await store.reader(Seat).count() == 3


async def test_stores_that_open_together_make_everything_once(postgres_url):
    """Schema, tables, indexes and the key of cursors."""
    async with AsyncExitStack() as stack:
        stores = await asyncio.gather(*(_opened(stack, postgres_url) for _ in range(5)))
        assert len({store.cursor_key for store in stores}) == 1
        await put(stores[0], SEATS, *_seats(3))
        assert [await store.reader(Seat).count() for store in stores] == [3] * 5


async def test_a_reset_leaves_readers_their_rows_until_it_is_committed(store):
    """A stream that began before goes on to its end."""
    await put(store, SEATS, *_seats(700))
    async with aclosing(store.reader(Seat).sort("number").stream()) as rows:
        first = await anext(rows)
        await asyncio.wait_for(store.reset("Seats"), 10)
        assert [first, *[row async for row in rows]] == _seats(700)
    assert await store.reader(Seat).count() == 0


# -- plans


@pytest.mark.parametrize("sort", ["stock", "-stock", "-price", "made_at", "-state", "-code"])
async def test_pages_are_read_from_an_index(store, sort):
    """In both directions, with and without NULL, the first page and one in the middle."""
    rows = [Article(code=f"{n:05}", stock=n % 97 or None, state="new" if n % 2 else "old") for n in range(5_000)]
    await put(store, ARTICLES, *rows)
    await store._writer._pool._pool.execute("ANALYZE headwater_read.articles_v1")
    order = order_of(ARTICLES, sort)
    for after in (None, ARTICLES.values_of(rows[2_500])):
        place = after and tuple(after[ARTICLES.names.index(term.column.order_name)] for term in order)
        selection = Selection(table=ARTICLES, order=order, after=place, limit=50)
        sql, values = selecting(store._sql[ARTICLES], selection)
        plan = "\n".join(line for (line,) in await store.query(f"EXPLAIN {sql}", values))
        assert "Seq Scan" not in plan, plan
        assert "Index" in plan


async def _until(holds):
    async with asyncio.timeout(20):
        while True:
            if await asyncio.to_thread(holds):
                return


# -- tables go


async def test_rows_that_are_streamed_hold_up_nobody(store):
    """A table that is to go stays while somebody reads it, and checkpoints move on meanwhile."""
    await put(store, SEATS, *_seats(2))
    async with aclosing(store.reader(Seat).stream()) as rows:
        await anext(rows)
        await store.build_beside("Seats")
        new = next(each.checkpoint for each in (await store.fleet()).shares if each.checkpoint.side)
        await store.commit([Changes("Seats", new, 1, ())])
        assert await store.switch("Seats")
        with pytest.raises(StoreBusy):
            await store.tidy("Seats")
        assert not await store.commit([_changes(await store.checkpoints(), "Articles")])
    await store.tidy("Seats")


async def test_a_version_that_is_streamed_is_dropped_later(store, postgres_url):
    """And all queries that come meanwhile are answered."""
    await put(store, SEATS, *_seats(2))
    async with AsyncExitStack() as stack:
        newer = await open_postgres(postgres_url, migrate=False)
        stack.push_async_callback(newer.close)
        await newer.prepare([ARTICLES, Table("Seats", 2, Seat)])
        async with aclosing(store.reader(Seat).stream()) as rows:
            await anext(rows)
            with pytest.raises(StoreBusy):
                await newer.retire("Seats")
            assert await store.reader(Seat).count() == 2
        await newer.retire("Seats")


# -- who stands still


async def test_a_process_that_stands_still_in_a_commit_is_broken_off(store, postgres_url):
    """What it holds would keep the others from every checkpoint, for as long as it is stopped."""
    await put(store, SEATS, *_seats(1))
    start = await store.checkpoints()
    stopped = await asyncpg.connect(postgres_url, server_settings=store.server.writing)
    try:
        await stopped.execute("BEGIN; UPDATE checkpoints SET position = position")
        assert not await store.commit([_changes(start, "Seats")])
    finally:
        stopped.terminate()


async def test_a_commit_that_is_cancelled_leaves_no_transaction_behind(store):
    """At whichever turn of the loop it is: the connection that comes back is as it was, and the driver has no word."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    changes = [_changes(await store.checkpoints())]
    for turns in range(12):
        task = asyncio.create_task(store.commit(changes))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await store.close()
    assert complaints == []
