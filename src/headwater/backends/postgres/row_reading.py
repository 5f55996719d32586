"""Reads rows of read models. Reads: row_plans.py, row_pool.py. Read next: row_writing.py.

Every statement is a read in the eyes of the server too. When the task that waits for one is cancelled, the driver tells
the server, which stops working on it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, TypeVar

from headwater.backends.postgres.driver import Row
from headwater.backends.postgres.row_pool import RowPool

T = TypeVar("T")
_CHUNK_ROWS = 256


class RowReader:
    """Read-only statements over a pool."""

    def __init__(self, pool: RowPool) -> None:
        self._pool = pool

    async def rows(self, sql: str, values: Sequence[Any]) -> list[Row]:
        """All rows of a statement."""
        async with self._pool.lent() as connection:
            return await connection.fetch(sql, *values)

    async def row(self, sql: str, values: Sequence[Any]) -> Row | None:
        """The first row of a statement, if there is one."""
        async with self._pool.lent() as connection:
            return await connection.fetchrow(sql, *values)

    async def rows_of_any(self, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        """All rows of a statement that somebody else wrote. What it does to the connection itself is taken back."""
        async with self._pool.snapshot("query") as connection:
            return [tuple(row) for row in await connection.fetch(sql, *values)]

    async def stream(self, sql: str, values: Sequence[Any], made: Callable[[Row], T]) -> AsyncGenerator[T, None]:
        """The rows of a statement, a bounded number in memory at a time: a cursor on the server, one snapshot."""
        async with self._pool.snapshot() as connection:
            rows = await connection.cursor(sql, *values)
            while chunk := await rows.fetch(_CHUNK_ROWS):
                for row in chunk:
                    yield made(row)
