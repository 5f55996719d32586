"""Opens connections to the database of one log. Reads: driver.py, errors.py. Read next: schema.py.

No session is set up in any way and none keeps anything but prepared statements, so that a pooler such as PgBouncer may
stand between and give each transaction to another session of the server.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from math import inf
from typing import Any, Literal, TypeVar
from urllib.parse import parse_qsl, urlencode

import msgspec

from headwater.backends.postgres.driver import DRIVER_OPTIONS, Connection, connect, driver
from headwater.backends.postgres.errors import is_lost, store_error
from headwater.errors import StoreIOError, UnsupportedUrl
from headwater.event_store.opening import names_servers, url_to_show

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
        dsn, mine = address_and_options(url, _OPTIONS)
        shown = without_password(url)
        try:
            made = msgspec.convert({"dsn": dsn, **mine}, cls, strict=False)
        except msgspec.ValidationError as error:
            raise UnsupportedUrl(f"{shown!r} has a bad option: {error}", remedy="see the options", url=shown) from None
        check_schema_name(made.schema, shown)
        if made.pool < 1 or made.statement_cache_size < 0 or not (0 < made.poll < inf and 0 < made.timeout < inf):
            remedy = "pool, poll and timeout are above 0 and finite, statement_cache_size is not below 0"
            raise UnsupportedUrl(f"{shown!r} has an option out of bounds", remedy=remedy, url=shown)
        if made.read_url:
            address_and_options(made.read_url)
        return made

    @property
    def place(self) -> str:
        """What errors call it."""
        return self.place_at(self.dsn)

    def place_at(self, dsn: str) -> str:
        """What errors call the same log at another address."""
        return f"{without_password(dsn)} (schema {self.schema})"

    @property
    def quoted_schema(self) -> str:
        """The schema's name as SQL has it."""
        return '"' + self.schema.replace('"', '""') + '"'

    def function(self, name: str, binds: int) -> str:
        """The statement that calls a function of this schema."""
        bound = ", ".join(f"${number}" for number in range(1, binds + 1))
        return f"SELECT * FROM {self.quoted_schema}.{name}({bound})"  # noqa: S608  a quoted name


_OPTIONS = {*PostgresLog.__struct_fields__} - {"dsn"}


def address_and_options(url: str, ours: Collection[str] = ()) -> tuple[str, dict[str, str]]:
    """The address as the driver takes it, its own options included, and ``ours``. Raises ``UnsupportedUrl``."""
    address, _, query = url.partition("?")
    authority, _, database = address.partition("://")[2].partition("/")
    shown = without_password(url)
    if "#" in authority or not names_servers(authority.rpartition("@")[2]):
        remedy = "a port is a number to 65535; in a name or password write @ : / ? # [ ] as %40 %3A %2F %3F %23 %5B %5D"
        raise UnsupportedUrl(f"{shown!r} names no server", remedy=remedy, url=shown)
    if not database.strip("/"):
        remedy = "write postgresql://user@host/database"
        raise UnsupportedUrl(f"{shown!r} names no database", remedy=remedy, url=shown)
    given = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(given.keys() - DRIVER_OPTIONS - {*ours}):
        known = ", ".join(sorted({*ours, *DRIVER_OPTIONS}))
        raise UnsupportedUrl(f"unknown option {unknown[0]!r} in {shown!r}", remedy=f"known are: {known}", url=shown)
    theirs = {name: value for name, value in given.items() if name in DRIVER_OPTIONS}
    mine = {name: value for name, value in given.items() if name not in DRIVER_OPTIONS}
    return f"{address}?{urlencode(theirs)}" if theirs else address, mine


def check_schema_name(name: str, shown: str) -> None:
    """Refuse what cannot be the name of a schema. Raises ``UnsupportedUrl``."""
    if not 0 < len(name.encode()) <= _LONGEST_NAME or not name.isprintable() or name.startswith("pg_"):
        remedy = f"a schema has 1 to {_LONGEST_NAME} bytes, no control characters, and does not begin with pg_"
        raise UnsupportedUrl(f"{shown!r} names no schema that can be: {name!r}", remedy=remedy, url=shown)


def without_password(url: str) -> str:
    """The URL as it may stand in errors and logs: without password and options."""
    return url_to_show(url).partition("?")[0]


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
        raise store_error(error, log.place_at(dsn or log.dsn)) from error


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
        self._dsn = dsn or log.dsn
        self._place = log.place_at(self._dsn)
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
                raise store_error(error, self._place, committing=committing) from error
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
