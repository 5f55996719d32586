"""Reads rows of read models. Reads: row_plans.py, connection.py. Read next: row_writing.py.

A short read runs where it is asked for, on the event loop's thread: a row by key takes some microseconds, a hop to a
thread ten times that. A long one is broken off after a budget of virtual-machine steps and run again in a worker
thread, where it may take as many as the query is allowed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import contextmanager
from itertools import islice
from threading import Lock
from typing import Any, TypeVar

import apsw

from headwater.backends.sqlite.connection import SqliteFile, connect
from headwater.backends.sqlite.driver import Connection, Cursor, Row, Value
from headwater.backends.sqlite.errors import store_error
from headwater.backends.sqlite.row_figures import add_functions
from headwater.errors import HeadwaterError, QueryTooExpensive, ReadOnlyViolation
from headwater.limits import Allowance, current_allowance

T = TypeVar("T")

_INLINE_STEPS = 100_000
_STEPS_A_ROW = 10
"""About: what SQLite does to look at a row of a filtered list."""
_LANES_KEPT = 8
_READING = {apsw.SQLITE_SELECT, apsw.SQLITE_READ, apsw.SQLITE_FUNCTION, apsw.SQLITE_RECURSIVE}
_CHUNK_ROWS = 256


class RowReader:
    """Read-only statements on one file, on any thread: each borrows a lane, a connection of its own."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._idle: deque[_Lane] = deque()
        self._closed = False

    async def rows(self, sql: str, values: Sequence[Value]) -> list[Row]:
        """All rows of a statement. Raises ``QueryTooExpensive`` beyond what the query that is answered may cost.

        Who is cancelled meanwhile has the database stop.
        """
        try:
            return self._at_once(sql, values)
        except apsw.InterruptError:  # it looks at much: begin again in a worker thread
            return await _in_thread(_Run(current_allowance()), self.rows_at_length, sql, values)

    def _at_once(self, sql: str, values: Sequence[Value]) -> list[Row]:
        lane = self._take()
        lane.begin(None)
        try:
            found = lane.connection.execute(sql, values).fetchall()
        except apsw.InterruptError:
            self._give(lane)
            raise
        except Exception as error:
            raise self._failed(lane, error) from error
        self._give(lane)
        return found

    def rows_at_length(self, run: _Run, sql: str, values: Sequence[Value]) -> list[Row]:
        """All rows of a statement, as long as the run may take; to be called in a worker thread."""
        lane = self._take()
        try:
            with lane.during(run):
                found = lane.connection.execute(sql, values).fetchall()
        except Exception as error:
            raise self._failed(lane, error) from error
        self._give(lane)
        return found

    async def stream(self, sql: str, values: Sequence[Value], made: Callable[[Row], T]) -> AsyncGenerator[T, None]:
        """The rows of a statement, a bounded number in memory at a time, from one snapshot."""
        run = _Run(current_allowance())
        lane, rows, chunk = await self._begin(run, sql, values)
        try:
            for row in chunk:
                yield made(row)
            while len(chunk) == _CHUNK_ROWS:
                chunk = await _in_thread(run, self._next, lane, rows)
                for row in chunk:
                    yield made(row)
        finally:
            rows.close(force=True)  # lets the snapshot go
            self._give(lane)

    async def _begin(self, run: _Run, sql: str, values: Sequence[Value]) -> tuple[_Lane, Cursor, list[Row]]:
        lane = self._take()
        lane.begin(None)
        try:
            rows = lane.connection.execute(sql, values)
            return lane, rows, list(islice(rows, _CHUNK_ROWS))
        except apsw.InterruptError:  # it looks at much before the first row: begin again in a worker thread
            rows = await _in_thread(run, self._open, lane, sql, values)
            return lane, rows, await _in_thread(run, self._next, lane, rows)
        except Exception as error:
            raise self._failed(lane, error) from error

    def _open(self, run: _Run, lane: _Lane, sql: str, values: Sequence[Value]) -> Cursor:
        try:
            with lane.during(run):
                return lane.connection.execute(sql, values)
        except Exception as error:
            raise self._failed(lane, error) from error

    def _next(self, run: _Run, lane: _Lane, rows: Cursor) -> list[Row]:
        try:
            with lane.during(run):
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
        if isinstance(error, apsw.InterruptError | QueryTooExpensive):
            return error
        if isinstance(error, apsw.ReadOnlyError | apsw.AuthError):
            return ReadOnlyViolation("a query tried to write to the read store")
        if isinstance(error, apsw.Error | OSError) and not isinstance(error, HeadwaterError):
            return store_error(error, self._file.path)
        return error


class _Run:
    """One reading at length: what it may cost, and how to stop it from another thread."""

    def __init__(self, allowance: Allowance | None) -> None:
        self._allowance = allowance
        self._lock = Lock()
        self._connection: Connection | None = None
        self._is_stopped = False
        self._fault: QueryTooExpensive | None = None

    def stop(self) -> None:
        """Make the statement that runs fail, and those that would follow it."""
        with self._lock:
            self._is_stopped = True
            if self._connection is not None:
                self._connection.interrupt()

    @contextmanager
    def on(self, connection: Connection) -> Generator[None, None, None]:
        """For the block, statements on that connection are part of it. Raises ``QueryTooExpensive``."""
        with self._lock:
            if self._is_stopped:
                raise apsw.InterruptError
            self._connection = connection
        try:
            yield
        except apsw.InterruptError as error:
            if self._fault is not None:
                raise self._fault from error
            raise
        finally:
            with self._lock:  # from here on nobody interrupts it, so that its next user is left alone
                self._connection = None

    def is_over(self) -> bool:
        """Whether it must end now; asked after so many steps."""
        if self._allowance is not None and not self._is_stopped:
            try:
                self._allowance.scan(_INLINE_STEPS // _STEPS_A_ROW)
                self._allowance.seconds_left()
            except QueryTooExpensive as error:
                self._fault = error
        return self._is_stopped or self._fault is not None


class _Lane:
    """A read-only connection. Without a run, a read ends in ``InterruptError`` when it takes too many steps."""

    __slots__ = ("_run", "_spent", "connection", "is_dropped")

    def __init__(self, file: SqliteFile) -> None:
        self.is_dropped = False
        self._run: _Run | None = None
        self._spent = 0
        self.connection = connect(file, read_only=True)
        add_functions(self.connection)
        self.connection.set_progress_handler(self._is_over_budget, _INLINE_STEPS)
        self.connection.authorizer = _only_reads

    def begin(self, run: _Run | None) -> None:
        """Begin a read: as part of a run, or with a budget."""
        self._run, self._spent = run, 0

    @contextmanager
    def during(self, run: _Run) -> Generator[None, None, None]:
        """For the block, read as part of the run."""
        self.begin(run)
        try:
            with run.on(self.connection):
                yield
        finally:
            self._run = None

    def _is_over_budget(self) -> bool:
        """SQLite counts on from one statement to the next, so the first call of a read may come at once."""
        if self._run is not None:
            return self._run.is_over()
        self._spent += 1
        return self._spent > 1

    def drop(self) -> None:
        """Close the connection."""
        self.is_dropped = True
        self.connection.close(force=True)


def _only_reads(action: int, _first: str | None, second: str | None, *_: str | None) -> int:
    """Whether a statement may be made. ``query_only`` refuses what writes; nobody may turn it off, or attach a file."""
    if action in _READING or (action == apsw.SQLITE_PRAGMA and second is None):
        return apsw.SQLITE_OK
    return apsw.SQLITE_DENY


async def _in_thread(run: _Run, function: Callable[..., T], *arguments: Any) -> T:
    """Part of a run, in a worker thread. Whoever is cancelled stops the run and waits until it has let go."""
    work = asyncio.get_running_loop().run_in_executor(None, function, run, *arguments)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        run.stop()
        await asyncio.wait([work])
        work.exception()  # looked at, so that nobody reports it
        raise
