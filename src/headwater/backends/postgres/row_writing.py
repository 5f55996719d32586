"""Writes rows and checkpoints. Reads: row_plans.py, row_pool.py, schema.py. Read next: read_store.py.

A commit is some statements, however many events it comes from: checkpoints move first, which locks them, so that of two
processes with the same batch one stores it and the other nothing. Then each table gets its rows in one statement. Who
changes what tables there are holds a lock of the store, for the transaction.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from headwater.backends.postgres.driver import Connection
from headwater.backends.postgres.row_leasing import RowLeasing
from headwater.backends.postgres.row_parking import RowParking
from headwater.backends.postgres.row_plans import TableSql
from headwater.backends.postgres.row_pool import RowPool
from headwater.backends.postgres.row_statements import RowStatements
from headwater.backends.postgres.schema import Schema
from headwater.errors import ContractChanged, StoreReadOnly
from headwater.read_store.checkpoints import (
    Checkpoint,
    Fleet,
    RangesRead,
    Regrant,
    Share,
    Worker,
    beside,
    fleet_of,
    is_overtaken,
    ranges_of,
    served,
    shares_of,
    standing,
)
from headwater.read_store.parking import Discarded, Parked, Pause
from headwater.read_store.protocol import Changes, TableChanges
from headwater.read_store.tables import RowKey, Table

READ_STORE_SCHEMA = Schema("read_store", 3)
_LOG = logging.getLogger("headwater.postgres")
_CURSOR_KEY, _FED_BY = "cursor_key", "log"
_CURSOR_KEY_BYTES = 32
# What is done to whole tables, and waiting for somebody else who does it.
_AS_LONG_AS_IT_TAKES = 86_400.0


class RowWriter:
    """Fills the tables of one schema. Any number of writers, in this process or others, may work on the same."""

    def __init__(self, pool: RowPool, statements: RowStatements) -> None:
        self._pool = pool
        self._statements = statements
        self._leasing = RowLeasing(statements)
        self._parking = RowParking(statements)
        self._versions: dict[str, int] = {}
        self.served = RangesRead()
        self._told: set[str] = set()
        self._sql: dict[str, TableSql] = {}
        self._introduced: dict[int, set[str]] = {}

    async def cursor_key(self) -> bytes:
        """The store's key for page cursors, made by who comes first."""
        found = await self._fact(_CURSOR_KEY)
        if found is None:
            async with self._locked() as connection:
                key = secrets.token_bytes(_CURSOR_KEY_BYTES)
                await connection.execute(self._statements["add_fact"], _CURSOR_KEY, key)
            found = await self._fact(_CURSOR_KEY)
        return found or b""

    # -- tables

    async def prepare(self, tables: Sequence[Table]) -> None:
        """See ``ReadStore.prepare``. Changes nothing where all is there already, so that needs no rights to do so."""
        self._versions = {table.projection: table.version for table in tables}
        self.served.prepare(self._versions)
        both = (table.on(side) for table in tables for side in (0, 1))
        self._sql = {table.name: TableSql(table, self._statements.schema) for table in both}
        async with self._pool.transaction() as connection:
            is_ready = not await self._missing(connection)
        if not is_ready:
            async with self._locked() as connection:
                for statement, values in await self._missing(connection):
                    await connection.execute(statement, *values, timeout=_AS_LONG_AS_IT_TAKES)

    async def _missing(self, connection: Connection) -> list[tuple[str, tuple[Any, ...]]]:
        """The statements that are left to run until all tables are there. Raises ``ContractChanged``."""
        statements = self._statements
        ranges = shares_of(map(tuple, await connection.fetch(statements["load_checkpoints"])))
        there = {(share.projection, share.version): share.checkpoint.position > 0 for share in ranges}
        shapes = {row[0]: row[3] for row in await connection.fetch(statements["load_projected_tables"])}
        indexes = [tuple(row) for row in await connection.fetch(statements["load_row_indexes"], statements.schema)]
        left: list[tuple[str, tuple[Any, ...]]] = []
        for projection, version in self._versions.items():
            if (projection, version) not in there:
                left.append((statements["add_checkpoint"], (projection, version)))
        for sql in self._sql.values():
            table = sql.table
            if table.name not in shapes and table.side:  # made when it is needed
                continue
            if table.name not in shapes and not there.get((table.projection, table.version)):
                left += self._making(sql)
            elif shapes.get(table.name) != table.fingerprint:  # or rows of before are missing in a table that is new
                raise _changed(table)
            built = {name for owner, name in indexes if owner == sql.table.name}
            # An index changes no answer, so it needs no new version of the projection.
            left += [(sql.dropping_index(name), ()) for name in sorted(built - sql.indexes.keys())]
            left += [(sql.indexes[name], ()) for name in sorted(sql.indexes.keys() - built)]
        return left

    def _making(self, sql: TableSql) -> list[tuple[str, tuple[Any, ...]]]:
        """The statements that make a table, without its indexes."""
        table = sql.table
        facts = (table.name, table.projection, table.version, table.fingerprint)
        return [(sql.drop, ()), (sql.create, ()), (self._statements["add_projected_table"], facts)]

    async def reset(self, projection: str) -> None:
        """See ``ReadStore.reset``. Who reads meanwhile goes on with the old rows until this is committed."""
        async with self._locked() as connection:
            await self._reset(connection, projection)

    async def _reset(self, connection: Connection, projection: str) -> None:
        side = await self._leasing.restart(connection, projection, self._versions[projection])
        await self._parking.restart(connection, projection, self._versions[projection])
        for sql in self._on(projection, side):
            await connection.execute(sql.clear, timeout=_AS_LONG_AS_IT_TAKES)

    def _on(self, projection: str, side: int) -> list[TableSql]:
        return [sql for sql in self._sql.values() if (sql.table.projection, sql.table.side) == (projection, side)]

    # -- building beside

    async def build_beside(self, projection: str) -> int:
        """See ``ReadStore.build_beside``."""
        version = self._versions[projection]
        async with self._locked() as connection:
            stored = await self._leasing.locked(connection, projection, version)
            begun = beside(stored)
            if begun is None:
                return stored[-1].epoch
            await self._make(connection, projection, begun.side)
            await self._leasing.add(connection, Share(projection, version, begun))
            return begun.epoch

    async def switch(self, projection: str) -> bool:
        """See ``ReadStore.switch``."""
        version = self._versions[projection]
        async with self._locked() as connection:
            stored = await self._leasing.locked(connection, projection, version)
            is_due = is_overtaken(stored)
            if is_due:
                await self._leasing.remove(connection, projection, version, served(stored))
                await self._parking.restart(connection, projection, version)
            return is_due

    async def abandon(self, projection: str) -> None:
        """See ``ReadStore.abandon``."""
        version = self._versions[projection]
        async with self._locked() as connection:
            stored = await self._leasing.locked(connection, projection, version)
            kept = served(stored)
            await self._leasing.remove(connection, projection, version, [each for each in stored if each not in kept])

    async def tidy(self, projection: str) -> None:
        """See ``ReadStore.tidy``. Where this role may not drop tables, it is left to one that may."""
        try:
            async with self._locked() as connection:
                stored = await self._leasing.locked(connection, projection, self._versions[projection])
                for side in {0, 1} - {each.side for each in stored}:
                    await self._make(connection, projection, side)
        except StoreReadOnly as error:
            _LOG.warning("the rows of %s from before it was built anew stay: %s", projection, error)

    async def _make(self, connection: Connection, projection: str, side: int) -> None:
        """Begin with empty tables on that side. A stream that is left open on one ends in ``StoreBusy``, soon."""
        await connection.execute(self._statements["limit_lock_wait"])
        for sql in self._on(projection, side):
            for statement, values in self._making(sql):
                await connection.execute(statement, *values)
            for index in sql.indexes.values():
                await connection.execute(index)

    async def can_serve(self, projection: str, version: int) -> bool:
        """See ``ReadStore.can_serve``."""
        async with self._pool.lent() as connection:
            rows = await connection.fetch(self._statements["load_projected_tables"])
        shapes = {row[0]: row[3] for row in rows}
        wanted = [sql.table for sql in self._on(projection, 0)]
        return all(shapes.get(table.name_in(version, 0)) == table.fingerprint for table in wanted)

    async def retire(self, projection: str) -> None:
        """See ``ReadStore.retire``. Where this role may not drop tables, they are left to one that may."""
        version = self._versions[projection]
        try:
            async with self._pool.transaction() as connection:
                if not await self._others(connection, projection, version):
                    return
            async with self._locked() as connection:
                if await self._leasing.is_known_elsewhere(connection, projection, version):
                    return
                await connection.execute(self._statements["remove_other_checkpoints"], projection, version)
                await self._parking.retire(connection, projection, version)
                await connection.execute(self._statements["limit_lock_wait"])
                for name in await self._others(connection, projection, version):
                    await connection.execute(self._statements.dropping_table(name))
                    await connection.execute(self._statements["remove_projected_table"], name)
        except StoreReadOnly as error:
            if projection not in self._told:
                self._told.add(projection)
                _LOG.warning("the tables of older versions of %s stay: %s", projection, error)

    async def _others(self, connection: Connection, projection: str, version: int) -> list[str]:
        """The tables of other versions of a projection."""
        rows = await connection.fetch(self._statements["load_projected_tables"])
        return [row[0] for row in rows if row[1] == projection and row[2] != version]

    async def identify(self, log: bytes) -> bool:
        """See ``ReadStore.identify``."""
        if await self._fact(_FED_BY) == log:
            return False
        async with self._locked() as connection:
            known = await connection.fetchval(self._statements["load_fact"], _FED_BY)
            if known == log:
                return False
            await connection.execute(self._statements["save_fact"], _FED_BY, log)
            if not known:
                return False
            for projection in sorted(self._versions):
                await self._reset(connection, projection)
            return True

    # -- rows

    async def ranges(self) -> Mapping[str, tuple[Checkpoint, ...]]:
        """See ``ReadStore.ranges``."""
        async with self._pool.lent() as connection:
            rows = await connection.fetch(self._statements["load_checkpoints"])
        return self.served.of([tuple(row) for row in rows])

    async def checkpoints(self) -> dict[str, Checkpoint]:
        """See ``ReadStore.checkpoints``."""
        async with self._pool.lent() as connection:
            rows = await connection.fetch(self._statements["load_checkpoints"])
        return standing(ranges_of(shares_of(map(tuple, rows)), self._versions))

    async def load(self, table: Table, keys: Sequence[RowKey]) -> dict[RowKey, Any]:
        """See ``ReadStore.load``."""
        sql, width = self._sql[table.name], len(table.keys)
        async with self._pool.lent() as connection:
            rows = await connection.fetch(sql.load, *sql.keys(keys))
        if width == 1:
            return {row[0]: table.row_of(row[1:]) for row in rows}
        return {row[:width]: table.row_of(row[width:]) for row in rows}

    async def commit(self, changes: Sequence[Changes]) -> frozenset[str]:
        """See ``ReadStore.commit``. Raises ``ProjectionError`` for rows that do not fit their table."""
        if not changes:
            return frozenset()
        try:
            async with self._pool.transaction() as connection:
                await self._introduce(connection, changes)
                moved = await self._move(connection, changes)
                if moved:
                    raise _Moved(moved)
                for each in changes:
                    for part in each.tables:
                        await self._store(connection, part)
                    await self._parking.settle(connection, each, self._versions[each.projection])
        except _Moved as error:
            return error.projections
        return frozenset()

    async def _introduce(self, connection: Connection, changes: Sequence[Changes]) -> None:
        """Have the server know the statements that store rows, before anything is locked.

        The driver makes a statement known when it is first used, and then makes the values ready to be sent, which may
        take a while. Meanwhile the session is in the middle of a command: if this process is stopped just then,
        no timeout of a pause breaks it off, and others would wait for what it has locked until it goes on.
        """
        known = self._introduced.setdefault(connection.get_server_pid(), set())
        for part in [part for each in changes for part in each.tables if part.table.name not in known]:
            sql = self._sql[part.table.name]
            await connection.execute(sql.put, *sql.rows([]))
            await connection.execute(sql.delete, *sql.keys([]))
            known.add(part.table.name)

    async def _move(self, connection: Connection, changes: Sequence[Changes]) -> frozenset[str]:
        """Move the checkpoints; names those that somebody else has moved."""
        columns = map(list, zip(*map(self._movement, changes), strict=True))
        moved = {tuple(row) for row in await connection.fetch(self._statements["move_checkpoints"], *columns)}
        return frozenset(each.projection for each in changes if (each.projection, each.start.low) not in moved)

    def _movement(self, changes: Changes) -> tuple[Any, ...]:
        name, start = changes.projection, changes.start
        place = (name, self._versions[name], start.epoch, start.low, start.high)
        return (*place, start.position, start.token, changes.position, changes.changed_at)

    async def _store(self, connection: Connection, part: TableChanges) -> None:
        sql = self._sql[part.table.name]
        if part.puts:
            await connection.execute(sql.put, *sql.rows(part.puts))
        if part.deletes:
            await connection.execute(sql.delete, *sql.keys(part.deletes))

    # -- sharing the work

    async def fleet(self) -> Fleet:
        """See ``ReadStore.fleet``. Ranges first: who holds one of them has announced itself before."""
        async with self._pool.lent() as connection:
            ranges = await connection.fetch(self._statements["load_checkpoints"])
            workers = await connection.fetch(self._statements["load_workers"])
            paused = await self._parking.paused(connection)
        return fleet_of(map(tuple, workers), map(tuple, ranges), paused)

    async def announce(self, worker: Worker, lease_seconds: float) -> None:
        """See ``ReadStore.announce``."""
        async with self._pool.transaction() as connection:
            await self._leasing.announce(connection, worker, lease_seconds)

    async def leave(self, worker: str) -> None:
        """See ``ReadStore.leave``."""
        async with self._pool.transaction() as connection:
            await self._leasing.leave(connection, worker)

    async def regrant(self, regrants: Sequence[Regrant]) -> list[tuple[Checkpoint, ...] | None]:
        """See ``ReadStore.regrant``. In one order, so that two processes never wait for each other."""
        made: dict[int, tuple[Checkpoint, ...] | None] = {}
        async with self._pool.transaction() as connection:
            for number in sorted(range(len(regrants)), key=lambda number: regrants[number].key):
                made[number] = await self._leasing.regrant(connection, regrants[number])
        return [made[number] for number in range(len(regrants))]

    # -- what is set aside

    async def parked(self) -> list[Parked]:
        """See ``ReadStore.parked``."""
        async with self._pool.lent() as connection:
            return await self._parking.parked(connection)

    async def discarded(self) -> list[Discarded]:
        """See ``ReadStore.discarded``."""
        async with self._pool.lent() as connection:
            return await self._parking.discarded(connection)

    async def pause(self, pause: Pause) -> None:
        """See ``ReadStore.pause``."""
        async with self._pool.transaction() as connection:
            await self._parking.pause(connection, pause)

    async def resume(self, projection: str) -> None:
        """See ``ReadStore.resume``."""
        async with self._pool.transaction() as connection:
            await self._parking.resume(connection, projection)

    # -- the store as a whole

    async def _fact(self, name: str) -> bytes | None:
        async with self._pool.lent() as connection:
            found: bytes | None = await connection.fetchval(self._statements["load_fact"], name)
            return found

    @asynccontextmanager
    async def _locked(self) -> AsyncGenerator[Connection, None]:
        """A transaction in which nobody else changes what tables there are, or what the store knows; it is durable."""
        async with self._pool.transaction() as connection:
            await connection.execute(
                self._statements["lock_read_store"], self._statements.lock, timeout=_AS_LONG_AS_IT_TAKES
            )
            yield connection


class _Moved(Exception):
    """Somebody else moved the checkpoints of these projections: nothing is stored."""

    def __init__(self, projections: frozenset[str]) -> None:
        super().__init__(projections)
        self.projections = projections


def _changed(table: Table) -> ContractChanged:
    model = table.model.__name__
    return ContractChanged(
        f"{model} has another shape than the rows that version {table.version} of {table.projection} has stored",
        remedy=f"say `version = {table.version + 1}` in {table.projection}: its rows are then built anew from the log",
        changes=(model,),
    )
