"""Connections with the same settings, lent and brought back. Reads: row_connections.py, row_errors.py.

The settings come with the connection. A pooler such as PgBouncer, which gives each transaction to another session of
the server, takes none: behind one, whatever is done is done in a transaction that begins with the settings.

The driver's pool opens, counts and closes connections. To lend one and take it back costs it as much as a row by key
costs altogether, so a connection that nobody waits for stays at hand for the next who asks.
Read next: row_reading.py, row_writing.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

from headwater.backends.postgres.driver import Connection, Pool, make_pool
from headwater.backends.postgres.row_connections import RowServer
from headwater.backends.postgres.row_errors import Blame, row_error
from headwater.backends.postgres.statements import statement
from headwater.errors import StoreBusy, StoreError

_KEPT_STATEMENTS = 400
_MANY = 1 << 40
_FAREWELL_SECONDS = 2.0
_AT_HAND_SECONDS = 60.0
_NOT_TAKEN = "08P01"
_CROWDED: dict[Blame, str] = {
    "rows": "check the server and the network, or give a larger write_pool_size",
    "store": "close streams that are left half way, or give a larger pool_size",
}
_HEEDED = ("headwater.settings", "heeded")


class RowPool:
    """Opens connections as they are needed. Driver errors leave as domain errors."""

    def __init__(self, pool: Pool, server: RowServer, blame: Blame, local: str = "") -> None:
        self._pool = pool
        self._place = server.place
        self._timeout = server.pool_timeout
        self._blame: Blame = blame
        self._local = local
        self._home = asyncio.get_running_loop()
        self._at_hand: list[Connection] = []
        self._waiting = 0
        self._closed = False
        self._tidying: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls, server: RowServer, settings: Mapping[str, str], size: int, blame: Blame, seconds: float | None
    ) -> RowPool:
        """A pool of at most so many connections. Raises ``StoreError`` if there is not even one.

        A server that does not answer a statement for so many ``seconds`` is not waited for any longer.
        """
        given = {**settings, _HEEDED[0]: _HEEDED[1]}
        options: dict[str, Any] = {"size": size, "max_queries": _MANY, "command_timeout": seconds}
        pool = await make_pool(server.address, given, statement_cache_size=_KEPT_STATEMENTS, **options)
        made = cls(pool, server, blame)
        try:
            if await made._is_heeded():
                return made
        except BaseException:
            await made.close()
            raise
        await made.close()
        shared = await make_pool(server.address, {}, statement_cache_size=0, **options)
        return cls(shared, server, blame, _local(settings))

    async def _is_heeded(self) -> bool:
        """Whether the settings have reached the server, or a pooler in between refused or dropped them."""
        try:
            async with self.lent() as connection:
                return bool(await connection.fetchval(statement("load_setting"), _HEEDED[0]) == _HEEDED[1])
        except Exception as error:
            if getattr(error, "sqlstate", None) == _NOT_TAKEN:
                return False
            raise

    def lent(self, blame: Blame | None = None) -> AbstractAsyncContextManager[Connection]:
        """A connection nobody else uses, for single statements that only read. Raises ``StoreBusy`` if none is free."""
        return self.snapshot(blame) if self._local else self._borrowed(blame)

    @asynccontextmanager
    async def snapshot(self, blame: Blame | None = None) -> AsyncGenerator[Connection, None]:
        """A transaction that only reads, for the block; what it does to the connection is taken back."""
        async with self._borrowed(blame) as connection, self._undone(connection):
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection, None]:
        """A transaction for the block: committed at its end, or nothing is stored."""
        async with self._borrowed() as connection:
            is_ending = False
            try:
                async with connection.transaction(isolation="read_committed"):
                    if self._local:
                        await connection.execute(self._local)
                    yield connection
                    is_ending = True
            except Exception as error:
                if is_ending:
                    raise row_error(error, self._place, self._blame, committing=True) from error
                raise

    async def close(self) -> None:
        """Close the connections: what is under way gets a moment, then it is broken off."""
        self._closed = True
        if self._tidying is not None:
            self._tidying.cancel()
        try:
            async with asyncio.timeout(_FAREWELL_SECONDS):
                await self._put_away()
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def _borrowed(self, blame: Blame | None = None) -> AsyncGenerator[Connection, None]:
        connection = await self._take()
        is_well = False
        try:
            yield connection
            is_well = True
        except Exception as error:
            raise row_error(error, self._place, blame or self._blame) from error
        finally:
            if is_well and not (self._waiting or self._closed):
                self._keep_at_hand(connection)
            else:
                await self._give(connection)

    async def _take(self) -> Connection:
        if asyncio.get_running_loop() is not self._home:
            remedy = "open the application on each event loop, or use App.open_blocking, which threads may share"
            raise StoreError(f"{self._place} was opened on another event loop", remedy=remedy)
        while self._at_hand:
            connection = self._at_hand.pop()
            if not _is_gone(connection):
                return connection
            await self._give(connection)
        self._waiting += 1
        try:
            return await self._pool.acquire(timeout=self._timeout)
        except TimeoutError as error:
            what = f"no connection to {self._place} became free in {self._timeout} s"
            raise StoreBusy(what, remedy=_CROWDED[self._blame]) from error
        except Exception as error:
            raise row_error(error, self._place, "store") from error
        finally:
            self._waiting -= 1

    def _keep_at_hand(self, connection: Connection) -> None:
        self._at_hand.append(connection)
        if self._tidying is None or self._tidying.done():
            self._tidying = asyncio.get_running_loop().create_task(self._tidy())

    async def _tidy(self) -> None:
        """Now and then give what lies at hand to the pool, which closes what is not asked for any more."""
        await asyncio.sleep(_AT_HAND_SECONDS)
        await self._put_away()

    async def _put_away(self) -> None:
        while self._at_hand:
            await self._give(self._at_hand.pop())

    async def _give(self, connection: Connection) -> None:
        with suppress(Exception):  # it was cut, or does not answer: the pool makes another one
            await self._pool.release(connection, timeout=_FAREWELL_SECONDS)

    @asynccontextmanager
    async def _undone(self, connection: Connection) -> AsyncGenerator[None, None]:
        with suppress(_TakenBack):
            async with connection.transaction(isolation="read_committed", readonly=True):
                if self._local:
                    await connection.execute(self._local)
                yield
                raise _TakenBack


def _is_gone(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except Exception:  # noqa: BLE001  when it was cut, the driver's pool took it back itself
        return True


class _TakenBack(Exception):
    """The block is done, and what it did is undone."""


def _local(settings: Mapping[str, str]) -> str:
    """The statement that makes these settings for one transaction; what it is itself, it says when it begins."""
    listed = ((name, value.replace("'", "''")) for name, value in settings.items() if not name.startswith("default_"))
    calls = (f"pg_catalog.set_config('{name}', '{value}', TRUE)" for name, value in listed)
    return f"SELECT {', '.join(calls)}"
