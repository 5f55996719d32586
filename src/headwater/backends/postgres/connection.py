"""Opens connections to the database of one log. Reads: driver.py, errors.py. Read next: schema.py.

No session is set up in any way and none keeps anything but prepared statements, so that a pooler such as PgBouncer may
stand between and give each transaction to another session of the server.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import msgspec

from headwater.backends.postgres.driver import DRIVER_OPTIONS, Connection, connect, driver
from headwater.backends.postgres.errors import is_lost, store_error
from headwater.errors import StoreIOError, UnsupportedUrl

T = TypeVar("T")

Durability = Literal["full", "relaxed"]
_LONGEST_NAME = 63
_CLOSING_SECONDS = 2.0


class PostgresLog(msgspec.Struct, frozen=True, kw_only=True):
    """Which database and schema, and how. Times are in seconds.

    ``read_url`` names a replica for readers. ``relaxed`` durability survives a crash of this process, but a crash of
    the server may lose the last commits. ``statement_cache_size=0`` prepares nothing, for poolers that need it.
    ``notify=off`` sends and hears no notifications; then ``poll`` alone says how soon other processes are noticed.
    """

    dsn: str
    read_url: str = ""
    schema: str = "headwater"
    pool: int = 8
    durability: Durability = "full"
    statement_cache_size: int = 100
    poll: float = 0.25
    timeout: float = 60.0
    notify: Literal["on", "off"] = "on"

    @classmethod
    def of_url(cls, url: str) -> PostgresLog:
        """``postgresql://user:password@host:port/database``, options after ``?``. Raises ``UnsupportedUrl``."""
        address, _, query = url.partition("?")
        shown = without_password(url)
        if not urlsplit(address).path.strip("/"):
            remedy = "write postgresql://user@host/database"
            raise UnsupportedUrl(f"{shown!r} names no database", remedy=remedy, url=shown)
        given = dict(parse_qsl(query, keep_blank_values=True))
        unknown = sorted(given.keys() - _OPTIONS - DRIVER_OPTIONS)
        if unknown:
            known = ", ".join(sorted({*_OPTIONS, *DRIVER_OPTIONS}))
            raise UnsupportedUrl(f"unknown option {unknown[0]!r} in {shown!r}", remedy=f"known are: {known}", url=shown)
        theirs = {name: value for name, value in given.items() if name in DRIVER_OPTIONS}
        mine = {name: value for name, value in given.items() if name in _OPTIONS}
        dsn = f"{address}?{urlencode(theirs)}" if theirs else address
        try:
            made = msgspec.convert({"dsn": dsn, **mine}, cls, strict=False)
        except msgspec.ValidationError as error:
            raise UnsupportedUrl(f"{shown!r} has a bad option: {error}", remedy="see the options", url=shown) from None
        if not 0 < len(made.schema.encode()) <= _LONGEST_NAME or made.pool < 1 or made.poll <= 0 or made.timeout <= 0:
            remedy = f"schema has 1 to {_LONGEST_NAME} bytes, pool, poll and timeout are positive"
            raise UnsupportedUrl(f"{shown!r} has an option out of bounds", remedy=remedy, url=shown)
        return made

    @property
    def place(self) -> str:
        """What errors call it."""
        return f"{without_password(self.dsn)} (schema {self.schema})"

    @property
    def quoted_schema(self) -> str:
        """The schema's name as SQL has it."""
        return '"' + self.schema.replace('"', '""') + '"'

    def function(self, name: str, binds: int) -> str:
        """The statement that calls a function of this schema."""
        bound = ", ".join(f"${number}" for number in range(1, binds + 1))
        return f"SELECT * FROM {self.quoted_schema}.{name}({bound})"  # noqa: S608  a quoted name


_OPTIONS = {*PostgresLog.__struct_fields__} - {"dsn"}


def without_password(url: str) -> str:
    """The URL as it may stand in errors and logs: without password and options."""
    address = url.partition("?")[0]
    scheme, slashes, rest = address.partition("://")
    user, at, host = rest.rpartition("@")
    return f"{scheme}{slashes}{user.partition(':')[0]}{at}{host}"


async def open_connection(log: PostgresLog, dsn: str = "") -> Connection:
    """A connection to the log's database, or to that of another ``dsn``. Raises ``StoreError``, ``MissingExtra``."""
    driver()
    options: dict[str, Any] = {
        "statement_cache_size": log.statement_cache_size,
        "max_cached_statement_lifetime": 0,
        "command_timeout": log.timeout,
        "timeout": log.timeout,
    }
    try:
        return await connect(dsn or log.dsn, {}, **options)
    except Exception as error:
        raise store_error(error, log.place) from error


async def say_goodbye(connection: Connection) -> None:
    """Close a connection; one that does not answer is cut."""
    try:
        await connection.close(timeout=_CLOSING_SECONDS)
    except Exception:  # noqa: BLE001  it is being closed: nothing depends on it any more
        connection.terminate()
    except BaseException:  # cancelled: there is no time for words
        connection.terminate()
        raise


class Lanes:
    """Connections of one event loop, lent to whoever asks, at most ``log.pool`` at a time; the last used is next."""

    def __init__(self, log: PostgresLog, dsn: str = "") -> None:
        self._log = log
        self._dsn = dsn
        self._room = asyncio.Semaphore(log.pool)
        self._idle: deque[Connection] = deque()
        self._closed = False

    @asynccontextmanager
    async def lent(self, *, committing: bool = False) -> AsyncGenerator[Connection, None]:
        """A connection for the block; driver errors leave as domain errors, and a failed connection is not kept."""
        async with self._room:
            connection = await self._take()
            try:
                yield connection
            except Exception as error:
                if is_lost(error):
                    connection.terminate()
                else:
                    await self._give(connection)
                raise store_error(error, self._log.place, committing=committing) from error
            except BaseException:  # cancelled in the middle of something
                connection.terminate()
                raise
            await self._give(connection)

    async def asked(self, question: Callable[[Connection], Awaitable[T]]) -> T:
        """What a question that only reads finds out. Asked again if the connection was cut while it lay idle."""
        lay_idle = bool(self._idle)
        try:
            async with self.lent() as connection:
                return await question(connection)
        except StoreIOError as error:
            if not lay_idle or error.__cause__ is None or not is_lost(error.__cause__):
                raise
        while self._idle:  # what cut one has most likely cut them all
            self._idle.pop().terminate()
        async with self.lent() as connection:
            return await question(connection)

    async def close(self) -> None:
        """Close what is idle now, and the rest as it comes back."""
        self._closed = True
        while self._idle:
            await say_goodbye(self._idle.pop())

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        return await open_connection(self._log, self._dsn)

    async def _give(self, connection: Connection) -> None:
        if self._closed:
            with suppress(Exception):
                await say_goodbye(connection)
        elif not connection.is_closed():
            self._idle.append(connection)
