"""Reads rows of read models. Reads: row_plans.py, connection.py. Read next: row_writing.py.

A short read runs where it is asked for, on the event loop's thread: a row by key takes some microseconds, a hop to a
thread ten times that. A long one is broken off after a budget of virtual-machine steps and run again in a worker
thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from itertools import islice
from typing import Any, TypeVar

import apsw

from headwater.backends.sqlite.connection import SqliteFile, connect
from headwater.backends.sqlite.driver import Cursor, Row, Value
from headwater.backends.sqlite.errors import store_error
from headwater.backends.sqlite.row_figures import add_functions
from headwater.errors import HeadwaterError, ReadOnlyViolation

T = TypeVar("T")

_INLINE_STEPS = 100_000
_LANES_KEPT = 8
_CHUNK_ROWS = 256


class RowReader:
    """Read-only statements on one file, on any thread: each borrows a lane, a connection of its own."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._idle: deque[_Lane] = deque()
        self._closed = False

    async def rows(self, sql: str, values: Sequence[Value]) -> list[Row]:
        """All rows of a statement."""
        try:
            return self._at_once(sql, values)
        except apsw.InterruptError:  # it looks at much: begin again in a worker thread
            return await _in_thread(self.rows_at_length, sql, values)

    def _at_once(self, sql: str, values: Sequence[Value]) -> list[Row]:
        lane = self._take()
        lane.limited, lane.spent = True, 0
        try:
            found = lane.connection.execute(sql, values).fetchall()
        except apsw.InterruptError:
            self._give(lane)
            raise
        except Exception as error:
            raise self._failed(lane, error) from error
        self._give(lane)
        return found

    def rows_at_length(self, sql: str, values: Sequence[Value]) -> list[Row]:
        """All rows of a statement, however long it takes; to be called in a worker thread."""
        lane = self._take()
        lane.limited = False
        try:
            found = lane.connection.execute(sql, values).fetchall()
        except Exception as error:
            raise self._failed(lane, error) from error
        self._give(lane)
        return found

    async def stream(self, sql: str, values: Sequence[Value], made: Callable[[Row], T]) -> AsyncGenerator[T, None]:
        """The rows of a statement, a bounded number in memory at a time, from one snapshot."""
        lane, rows, chunk = await self._begin(sql, values)
        try:
            for row in chunk:
                yield made(row)
            while len(chunk) == _CHUNK_ROWS:
                chunk = await _in_thread(self._next, lane, rows)
                for row in chunk:
                    yield made(row)
        finally:
            rows.close(force=True)  # lets the snapshot go
            self._give(lane)

    async def _begin(self, sql: str, values: Sequence[Value]) -> tuple[_Lane, Cursor, list[Row]]:
        lane = self._take()
        lane.limited, lane.spent = True, 0
        try:
            rows = lane.connection.execute(sql, values)
            return lane, rows, list(islice(rows, _CHUNK_ROWS))
        except apsw.InterruptError:  # it looks at much before the first row: begin again in a worker thread
            rows = await _in_thread(self._open, lane, sql, values)
            return lane, rows, await _in_thread(self._next, lane, rows)
        except Exception as error:
            raise self._failed(lane, error) from error

    def _open(self, lane: _Lane, sql: str, values: Sequence[Value]) -> Cursor:
        lane.limited = False
        try:
            return lane.connection.execute(sql, values)
        except Exception as error:
            raise self._failed(lane, error) from error

    def _next(self, lane: _Lane, rows: Cursor) -> list[Row]:
        lane.limited = False
        try:
            return list(islice(rows, _CHUNK_ROWS))
        except Exception as error:
            raise self._failed(lane, error) from error

    def refresh(self) -> None:
        """Have statements planned anew, by what is known of the rows now: a connection learns it when it is opened."""
        while self._idle:
            self._idle.pop().drop()

    def close(self) -> None:
        """Close the lanes, those in use when they come back."""
        self._closed = True
        while self._idle:
            self._idle.pop().drop()

    # -- lanes

    def _take(self) -> _Lane:
        try:
            return self._idle.pop()
        except IndexError:
            return _Lane(self._file)

    def _give(self, lane: _Lane) -> None:
        if lane.is_dropped or self._closed or len(self._idle) >= _LANES_KEPT:
            lane.drop()
        else:
            self._idle.append(lane)

    def _failed(self, lane: _Lane, error: Exception) -> Exception:
        lane.drop()
        if isinstance(error, apsw.ReadOnlyError | apsw.AuthError):
            return ReadOnlyViolation("a query tried to write to the read store")
        if isinstance(error, apsw.Error | OSError) and not isinstance(error, HeadwaterError):
            return store_error(error, self._file.path)
        return error


class _Lane:
    """A read-only connection. While ``limited``, a read ends in ``InterruptError`` when it takes too many steps."""

    __slots__ = ("connection", "is_dropped", "limited", "spent")

    def __init__(self, file: SqliteFile) -> None:
        self.is_dropped = False
        self.limited = False
        self.spent = 0
        self.connection = connect(file, read_only=True)
        add_functions(self.connection)
        self.connection.set_progress_handler(self._is_over_budget, _INLINE_STEPS)

    def _is_over_budget(self) -> bool:
        """SQLite counts on from one statement to the next, so the first call of a read may come at once."""
        self.spent += 1
        return self.limited and self.spent > 1

    def drop(self) -> None:
        """Close the connection."""
        self.is_dropped = True
        self.connection.close(force=True)


async def _in_thread(function: Callable[..., T], *arguments: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)
