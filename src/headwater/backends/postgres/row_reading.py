"""Reads rows of read models. Reads: row_plans.py, row_pool.py. Read next: row_writing.py.

Every statement is a read in the eyes of the server too. When the task that waits for one is cancelled, the driver tells
the server, which stops working on it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any, NamedTuple, TypeVar

from msgspec import json

from headwater.backends.postgres.driver import Connection, Row
from headwater.backends.postgres.row_pool import RowPool
from headwater.limits import Allowance, current_allowance

T = TypeVar("T")
_CHUNK_ROWS = 256
_EXPLAIN = "EXPLAIN (FORMAT JSON) "
_ESTIMATED_SECONDS = 60.0
_MOST_ESTIMATES = 1_000


class RowReader:
    """Read-only statements over a pool."""

    def __init__(self, pool: RowPool) -> None:
        self._pool = pool
        self._estimates: dict[str, _Estimate] = {}

    async def rows(self, sql: str, values: Sequence[Any]) -> list[Row]:
        """All rows of a statement. Raises ``QueryTooExpensive`` beyond what the query that is answered may cost."""
        allowance = current_allowance()
        async with self._pool.lent() as connection:
            return await self._fetch(connection, allowance, sql, values)

    async def row(self, sql: str, values: Sequence[Any]) -> Row | None:
        """The first row of a statement, if there is one: by key, which costs nothing worth asking about."""
        allowance = current_allowance()
        async with self._pool.lent() as connection:
            return await _within(allowance, partial(connection.fetchrow, sql, *values))

    async def rows_of_any(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """All rows of a statement that somebody else wrote. What it does to the connection itself is taken back."""
        allowance = current_allowance()
        async with self._pool.snapshot("query") as connection:
            return [tuple(row) for row in await self._fetch(connection, allowance, sql, values)]

    async def _fetch(
        self, connection: Connection, allowance: Allowance | None, sql: str, values: Sequence[Any]
    ) -> list[Row]:
        if allowance is not None:
            await self._estimate(connection, allowance, sql, values)
        return await _within(allowance, partial(connection.fetch, sql, *values))

    async def _estimate(self, connection: Connection, allowance: Allowance, sql: str, values: Sequence[Any]) -> None:
        """Ask the planner what a statement costs: each time if the query has limits of its own, else now and then."""
        if allowance.limits.cost is None:
            return
        now = monotonic()
        known = self._estimates.get(sql)
        if known is None or known.until < now or allowance.is_own:
            plan = json.decode(await _within(allowance, partial(connection.fetchval, _EXPLAIN + sql, *values)))
            if len(self._estimates) >= _MOST_ESTIMATES:
                self._estimates.clear()
            known = self._estimates[sql] = _Estimate(plan[0]["Plan"]["Total Cost"], now + _ESTIMATED_SECONDS)
        allowance.pay(known.cost)

    async def stream(self, sql: str, values: Sequence[Any], made: Callable[[Row], T]) -> AsyncGenerator[T, None]:
        """The rows of a statement, a bounded number in memory at a time: a cursor on the server, one snapshot."""
        allowance = current_allowance()
        async with self._pool.snapshot() as connection:
            rows = await connection.cursor(sql, *values)
            while chunk := await _within(allowance, partial(rows.fetch, _CHUNK_ROWS)):
                for row in chunk:
                    yield made(row)


async def _within(allowance: Allowance | None, fetch: Callable[..., Awaitable[T]]) -> T:
    """What a statement gives, while the query that is answered may take. Then the driver tells the server to stop."""
    if allowance is None or (seconds := allowance.seconds_left()) is None:
        return await fetch()
    try:
        return await fetch(timeout=seconds)
    except TimeoutError as error:
        raise allowance.too_slow() from error


class _Estimate(NamedTuple):
    """What the planner says a statement costs, in its own units, and until when that is believed."""

    cost: float
    until: float
