"""Writes rows and checkpoints, on one thread with a connection of its own. Reads: row_plans.py, row_leasing.py.

A commit is not synced to disk (``synchronous=NORMAL``): a power cut may take back the last commits, rows and
checkpoints together, and they are projected again. The write-ahead log is synced when it is folded into the file, on
this thread. Many rows go into one statement, because each statement lets other threads of the interpreter in between.
Read next: read_store.py.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import apsw

from headwater.backends.sqlite import row_leasing, row_parking
from headwater.backends.sqlite.connection import READ_STORE, SqliteFile, connect, is_on_fixed_medium
from headwater.backends.sqlite.driver import Connection, Value
from headwater.backends.sqlite.errors import store_error
from headwater.backends.sqlite.row_plans import TableSql, dropping, in_sizes
from headwater.backends.sqlite.schema import Schema, prepare
from headwater.backends.sqlite.statements import statement
from headwater.errors import ContractChanged, HeadwaterError, ProjectionError
from headwater.read_store.checkpoints import Checkpoint, Regrant, Share, Worker, beside, is_overtaken, served
from headwater.read_store.parking import Pause
from headwater.read_store.protocol import Changes, TableChanges
from headwater.read_store.tables import Table

READ_STORE_SCHEMA = Schema("read_store", READ_STORE, 3)
_CURSOR_KEY, _LOG = "cursor_key", "log"
_CURSOR_KEY_BYTES = 32
_SIZES = (64, 8, 1)
_SURVEY_ROWS = 400
_FIRST_SURVEY = 1_000
_SURVEY_GROWTH = 4
_MOST_VALUES = 32_766
_UNFIT = (apsw.ConstraintError, apsw.MismatchError, apsw.TooBigError, TypeError, ValueError, OverflowError)


class RowWriter:
    """Owns the writing connection of one read store. Its methods are called on one thread only."""

    def __init__(self, file: SqliteFile, *, migrate: bool) -> None:
        """Open the file, which raises what is wrong with it. On a read-only medium rows are read as they are there."""
        self._file = file
        self._connection: Connection | None = None
        self._versions: dict[str, int] = {}
        self._sql: dict[str, TableSql] = {}
        self._tables: tuple[Table, ...] = ()
        self._rows_put, self._next_survey = 0, _FIRST_SURVEY
        self.surveys = 0
        self._only_reads = is_on_fixed_medium(file.path)
        connection = connect(file, read_only=self._only_reads)
        try:
            prepare(connection, READ_STORE_SCHEMA, file, migrate=migrate and not self._only_reads)
        except BaseException:
            connection.close(force=True)
            raise
        self._connection = connection
        self.cursor_key = self._fact(_CURSOR_KEY, secrets.token_bytes(_CURSOR_KEY_BYTES))

    # -- tables

    def prepare(self, tables: Sequence[Table]) -> None:
        """See ``ReadStore.prepare``."""
        self._versions = {table.projection: table.version for table in tables}
        self._tables = tuple(tables)
        self._sql = {}
        with self._transaction() as connection:
            for table in tables:
                if not self._only_reads:
                    connection.execute(statement("add_checkpoint"), (table.projection, table.version))
                for side in (0, 1):
                    self._prepare(connection, table.on(side))

    def _prepare(self, connection: Connection, table: Table) -> None:
        """Make the table, if it is missing, on the side on which there always is one; check its shape and indexes."""
        found = connection.execute(statement("load_projected_table"), (table.name,)).get
        if found is None and table.side:
            return
        place = (table.projection, table.version)
        if found is None and not connection.execute(statement("has_begun"), place).get:
            self._make(connection, table)
        elif found != table.fingerprint:  # or rows of before are missing in a table that is new
            raise _changed(table)
        self._index(connection, table)

    def reset(self, projection: str) -> None:
        """See ``ReadStore.reset``."""
        with self._transaction() as connection:
            self._reset(connection, projection)

    def retire(self, projection: str) -> None:
        """See ``ReadStore.retire``."""
        key = (projection, self._versions[projection])
        with self._transaction() as connection:
            if row_leasing.has_other_worker(connection, *key):
                return
            for (name,) in connection.execute(statement("load_other_tables"), key).fetchall():
                connection.execute(dropping(name))
            connection.execute(statement("remove_other_tables"), key)
            connection.execute(statement("remove_other_checkpoints"), key)
            row_parking.retire(connection, *key)

    def identify(self, log: bytes) -> bool:
        """See ``ReadStore.identify``."""
        with self._transaction() as connection:
            known = connection.execute(statement("load_fact"), (_LOG,)).get
            if known == log:
                return False
            connection.execute(statement("save_fact"), (_LOG, log))
            if not known:
                return False
            for projection in self._versions:
                self._reset(connection, projection)
            return True

    def _make(self, connection: Connection, table: Table) -> None:
        connection.execute(dropping(table.name))
        connection.execute(self._sql_of(table).create)
        facts = (table.name, table.projection, table.version, table.fingerprint)
        connection.execute(statement("add_projected_table"), facts)
        self._index(connection, table)

    def _sql_of(self, table: Table) -> TableSql:
        found = self._sql.get(table.name)
        if found is None:
            found = self._sql[table.name] = TableSql(table)
        return found

    def _index(self, connection: Connection, table: Table) -> None:
        """Make the wanted indexes and drop the others: an index changes no answer, so it needs no new version."""
        wanted = self._sql_of(table).indexes
        there = {name for (name,) in connection.execute(statement("load_indexes"), (table.name,)).fetchall()}
        for name in sorted(there - wanted.keys()):
            connection.execute(f'DROP INDEX "{name}"')
        for name in sorted(wanted.keys() - there):
            connection.execute(wanted[name])

    def _reset(self, connection: Connection, projection: str) -> None:
        self._make_all(connection, projection, row_leasing.restart(connection, projection, self._versions[projection]))
        row_parking.restart(connection, projection, self._versions[projection])

    def _make_all(self, connection: Connection, projection: str, side: int) -> None:
        """Begin with empty tables on that side."""
        for table in self._tables:
            if table.projection == projection:
                self._make(connection, table.on(side))

    # -- building beside

    def build_beside(self, projection: str) -> int:
        """See ``ReadStore.build_beside``."""
        version = self._versions[projection]
        with self._transaction() as connection:
            stored = row_leasing.stored_ranges(connection, projection, version)
            begun = beside(stored)
            if begun is None:
                return stored[-1].epoch
            self._make_all(connection, projection, begun.side)
            row_leasing.add(connection, Share(projection, version, begun))
            return begun.epoch

    def switch(self, projection: str) -> bool:
        """See ``ReadStore.switch``."""
        version = self._versions[projection]
        with self._transaction() as connection:
            stored = row_leasing.stored_ranges(connection, projection, version)
            is_due = is_overtaken(stored)
            if is_due:
                row_leasing.remove(connection, projection, version, served(stored))
                row_parking.restart(connection, projection, version)
            return is_due

    def abandon(self, projection: str) -> None:
        """See ``ReadStore.abandon``."""
        version = self._versions[projection]
        with self._transaction() as connection:
            stored = row_leasing.stored_ranges(connection, projection, version)
            kept = served(stored)
            row_leasing.remove(connection, projection, version, (each for each in stored if each not in kept))

    def tidy(self, projection: str) -> None:
        """See ``ReadStore.tidy``."""
        with self._transaction() as connection:
            stored = row_leasing.stored_ranges(connection, projection, self._versions[projection])
            for side in {0, 1} - {each.side for each in stored}:
                self._make_all(connection, projection, side)

    # -- rows

    def commit(self, changes: Sequence[Changes]) -> frozenset[str]:
        """See ``ReadStore.commit``. Raises ``ProjectionError`` for rows that do not fit their table."""
        try:
            with self._transaction() as connection:
                moved = frozenset(each.projection for each in changes if not self._move(connection, each))
                if moved:
                    raise _Moved(moved)
                for each in changes:
                    for part in each.tables:
                        self._store(connection, part)
                    row_parking.settle(connection, each, self._versions[each.projection])
        except _Moved as error:
            return error.projections
        except _UNFIT as error:
            if isinstance(error, HeadwaterError):
                raise
            raise ProjectionError(f"a row does not fit its table: {error}") from error
        self._survey(sum(len(part.puts) for each in changes for part in each.tables))
        return frozenset()

    def _survey(self, rows: int) -> None:
        """Look at a sample of the rows when there may be four times as many: SQLite chooses indexes by what it finds.

        Without it, an index on a field of few values is taken for a good one, and a page costs a hundred times more.
        """
        self._rows_put += rows
        if self._rows_put < self._next_survey or self._connection is None:
            return
        self._next_survey = self._rows_put * _SURVEY_GROWTH
        with suppress(apsw.Error):  # it only makes reading faster; what is wrong shows at the next commit
            self._connection.execute(f"PRAGMA analysis_limit={_SURVEY_ROWS}")
            self._connection.execute("ANALYZE")
            self.surveys += 1

    def _move(self, connection: Connection, changes: Changes) -> bool:
        start, name = changes.start, changes.projection
        place = (name, self._versions[name], start.epoch, start.low, start.high)
        values = (changes.position, changes.changed_at, *place, start.position, start.token)
        connection.execute(statement("move_checkpoint"), values)
        return connection.changes() == 1

    def _store(self, connection: Connection, part: TableChanges) -> None:
        sql = self._sql_of(part.table)
        puts, deletes = part.puts, part.deletes
        width = len(part.table.names)
        sizes = tuple(size for size in _SIZES if size * width <= _MOST_VALUES)
        for start, size in in_sizes(len(puts), sizes):
            values: list[Value] = []
            for row in puts[start : start + size]:
                values += row
            connection.execute(sql.put(size), values)
        for start, size in in_sizes(len(deletes), _SIZES):
            connection.execute(sql.delete(size), sql.bindings(deletes[start : start + size]))

    # -- sharing the work

    def announce(self, worker: Worker, lease_seconds: float) -> None:
        """See ``ReadStore.announce``."""
        with self._transaction() as connection:
            row_leasing.announce(connection, worker, lease_seconds)

    def leave(self, worker: str) -> None:
        """See ``ReadStore.leave``."""
        with self._transaction() as connection:
            row_leasing.leave(connection, worker)

    def regrant(self, regrants: Sequence[Regrant]) -> list[tuple[Checkpoint, ...] | None]:
        """See ``ReadStore.regrant``."""
        with self._transaction() as connection:
            return [row_leasing.regrant(connection, each) for each in regrants]

    # -- standing still

    def pause(self, pause: Pause) -> None:
        """See ``ReadStore.pause``."""
        with self._transaction() as connection:
            row_parking.pause(connection, pause)

    def resume(self, projection: str) -> None:
        """See ``ReadStore.resume``."""
        with self._transaction() as connection:
            row_parking.resume(connection, projection)

    # -- the connection

    def close(self) -> None:
        """Fold the write-ahead log into the file and close it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(force=True)

    def _fact(self, name: str, otherwise: bytes) -> bytes:
        """What the store knows under that name; ``otherwise`` is kept if it is nothing yet."""
        with self._transaction() as connection:
            found: Any = connection.execute(statement("load_fact"), (name,)).get
            if isinstance(found, bytes):
                return found
            connection.execute(statement("save_fact"), (name, otherwise))
            return otherwise

    @contextmanager
    def _transaction(self) -> Generator[Connection, None, None]:
        """All or nothing. Driver errors leave as domain errors; the next transaction opens the file anew after one."""
        connection = self._connection
        if connection is None:
            connection = self._connection = connect(self._file, read_only=self._only_reads)
        committing = False
        try:
            connection.execute("BEGIN" if self._only_reads else "BEGIN IMMEDIATE")
            yield connection
            committing = True
            connection.execute("COMMIT")
        except (_Moved, *_UNFIT):
            connection.execute("ROLLBACK")
            raise
        except HeadwaterError:
            connection.execute("ROLLBACK")
            raise
        except (apsw.Error, OSError) as error:
            self.close()
            raise store_error(error, self._file.path, committing=committing) from error
        except BaseException:
            self.close()
            raise


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
