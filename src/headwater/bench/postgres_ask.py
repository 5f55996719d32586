"""Queries on rows in PostgreSQL: one row by key, and a page of 50 as JSON. Reads: ask.py. Read next: serve.py.

The floor does the same on the driver, with its pool: the same table, rows made into the same structs. Neither side
resets a connection that is brought back, which would be a round trip more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from headwater.backends.postgres.driver import Pool, connect, make_pool
from headwater.bench.ask import Questions, asked_key, asked_page, encoded_page, fill, made
from headwater.bench.figures import Case, Group, Kind, Plan, Sample, Settings, Target
from headwater.bench.postgres_server import ABSENT, PostgresServer, is_available, postgres_server
from headwater.bench.questions import placed_order
from headwater.bench.timing import microseconds, run

_SECONDS = 0.5
_ROWS = 100_000
_POOL = 8
_COLUMNS = "order_id, customer, state, total, placed_at"
_BY_KEY = f"SELECT {_COLUMNS} FROM orders WHERE order_id = $1"  # noqa: S608  constants
_PAGE_OF = (
    f"SELECT {_COLUMNS} FROM orders WHERE state = $1 AND placed_at < $2"  # noqa: S608  as above
    " ORDER BY placed_at DESC, order_id DESC LIMIT 50"
)
_TABLE = """
    CREATE TABLE orders (
        order_id text COLLATE "C" PRIMARY KEY, customer text NOT NULL, state text COLLATE "C" NOT NULL,
        total bigint NOT NULL, placed_at bigint NOT NULL
    );
    CREATE INDEX by_state ON orders (state, placed_at, order_id);
"""
_INSERT = "INSERT INTO orders SELECT * FROM unnest($1::text [], $2::text [], $3::text [], $4::bigint [], $5::bigint [])"

FLOOR_KEY, FLOOR_PAGE = "floor: PostgreSQL row by key", "floor: PostgreSQL page of 50 as JSON"
KEY, PAGE = "PostgreSQL query: row by key", "PostgreSQL query: page of 50 as JSON"


@contextmanager
def _plan(settings: Settings) -> Iterator[Plan]:
    if not is_available():
        yield Plan(cases=(), targets=_TARGETS, absent=(ABSENT,))
        return
    rows, seconds = settings.count(_ROWS, least=2000), settings.seconds(_SECONDS)
    with postgres_server(settings.directory) as server:
        url, raw = _filled(server, rows)
        yield Plan(
            cases=(
                _case(FLOOR_KEY, "asyncpg with its pool, struct made", lambda: run(_raw(raw, seconds, _key, rows))),
                _case(KEY, "ask() of a query for one row", lambda: run(asked_key(url, rows, seconds))),
                _case(FLOOR_PAGE, "the same, encoded", lambda: run(_raw(raw, seconds, _page, rows))),
                _case(
                    PAGE, "ask() with a filter, a range, a sort, cursors", lambda: run(asked_page(url, rows, seconds))
                ),
            ),
            targets=_TARGETS,
        )


def _case(name: str, does: str, measure: Callable[[], Sample]) -> Case:
    kind: Kind = "floor" if name.startswith("floor") else "headwater"
    return Case(name=name, kind=kind, unit="us", does=f"{does}; one task", measure=measure)


def _filled(server: PostgresServer, rows: int) -> tuple[str, str]:
    """Databases with the rows as a projection made them, and with a table made by hand."""
    url, raw = server.fresh_database(), server.fresh_database()
    run(fill(url, rows))
    run(_fill_by_hand(raw, rows))
    server.settle(url)
    server.settle(raw)
    return url, raw


async def _fill_by_hand(url: str, rows: int) -> None:
    connection = await connect(url, {})
    try:
        await connection.execute(_TABLE)
        orders = map(placed_order, range(rows))
        values = ((each.order_id, each.customer, each.state, each.total, each.placed_at) for each in orders)
        await connection.execute(_INSERT, *zip(*values, strict=True))
    finally:
        await connection.close()


async def _raw(
    url: str, seconds: float, step_of: Callable[[Pool, Questions], Callable[[], Awaitable[Any]]], rows: int
) -> Sample:
    pool = await make_pool(url, {}, size=_POOL)
    try:
        return await microseconds(step_of(pool, Questions(rows)), seconds)
    finally:
        await pool.close()


def _key(pool: Pool, questions: Questions) -> Callable[[], Awaitable[Any]]:
    async def step() -> Any:
        connection = await pool.acquire()
        try:
            row: Any = await connection.fetchrow(_BY_KEY, questions.key())
        finally:
            await pool.release(connection)
        return made(row)

    return step


def _page(pool: Pool, questions: Questions) -> Callable[[], Awaitable[Any]]:
    async def step() -> bytes:
        connection = await pool.acquire()
        try:
            rows: list[Any] = await connection.fetch(_PAGE_OF, *questions.page())
        finally:
            await pool.release(connection)
        return encoded_page(rows)

    return step


_TARGETS = (
    Target(figure=KEY, against=(FLOOR_KEY,), bound="at most", limit=2),
    Target(figure=PAGE, against=(FLOOR_PAGE,), bound="at most"),
)

POSTGRES_ASK = Group(name="postgres-ask", title="Queries on 100,000 rows in PostgreSQL", plan=_plan)
