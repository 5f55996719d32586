"""Read models in one SQLite file: the port's face over reader and writer. Reads: row_reading.py, row_writing.py.

Reads run on the caller's thread, writes on one thread of their own; the write-ahead log lets both go on at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import apsw
import msgspec

from headwater.backends.sqlite.commit_stamps import CommitStamps
from headwater.backends.sqlite.connection import READ_STORE, SqliteFile
from headwater.backends.sqlite.driver import Row, Value
from headwater.backends.sqlite.errors import MISSHAPEN, damaged
from headwater.backends.sqlite.row_figures import FIGURES
from headwater.backends.sqlite.row_news import FileNews
from headwater.backends.sqlite.row_plans import TableSql, in_sizes
from headwater.backends.sqlite.row_reading import RowReader
from headwater.backends.sqlite.row_writing import READ_STORE_SCHEMA, RowWriter
from headwater.backends.sqlite.statements import statement
from headwater.errors import QueryError, StoreClosed, StoreIOError
from headwater.read_models import ReadModel
from headwater.read_store.checkpoints import (
    Checkpoint,
    Fleet,
    RangesRead,
    Regrant,
    Worker,
    fleet_of,
    ranges_of,
    shares_of,
    standing,
)
from headwater.read_store.figures import Summary, Summed
from headwater.read_store.parking import Discarded, Parked, Pause, discarded_of, parked_of
from headwater.read_store.protocol import Changes
from headwater.read_store.reader import Reader
from headwater.read_store.report_statements import finished, summarising
from headwater.read_store.selection import Selection
from headwater.read_store.shelf import Shelf
from headwater.read_store.source import SqlFace
from headwater.read_store.statements import counting, selecting
from headwater.read_store.tables import RowKey, Table

__all__ = ["READ_STORE_SCHEMA", "SqliteReadStore", "open_sqlite"]

R = TypeVar("R", bound=ReadModel)
T = TypeVar("T")
_SIZES = (64, 8, 1)
_CHECKPOINTS = statement("load_checkpoints")


async def open_sqlite(url: str, *, migrate: bool) -> SqliteReadStore:
    """The read store of ``sqlite:///path.db``, made if it is missing. Option: ``busy_timeout=5``.

    Raises ``UnsupportedUrl``, ``StoreCorrupt``, ``StoreReadOnly``, ``StoreIOError``, ``SchemaTooNew``,
    ``SchemaOutdated`` (without ``migrate``).
    """
    # Whatever the URL says of durability: what a power cut takes back is projected again.
    file = msgspec.structs.replace(SqliteFile.of_url(url), kind=READ_STORE, durability="relaxed")
    thread = ThreadPoolExecutor(1, thread_name_prefix="headwater-rows")
    try:
        writer = await asyncio.get_running_loop().run_in_executor(thread, lambda: RowWriter(file, migrate=migrate))
    except BaseException:
        thread.shutdown(wait=False)
        raise
    return SqliteReadStore(file, writer, thread)


class SqliteReadStore:
    """Read models in one file. Any number of stores, in this process or others, may be open on the same file."""

    def __init__(self, file: SqliteFile, writer: RowWriter, thread: ThreadPoolExecutor) -> None:
        self.file = file
        self._stamps = CommitStamps(file)
        self.news = FileNews(self._stamps)
        self.cursor_key = writer.cursor_key
        self._writer = writer
        self._thread = thread
        self._reader = RowReader(file)
        self._shelf = Shelf()
        self._sql: dict[Table, TableSql] = {}
        self._versions: dict[str, int] = {}
        self._ranges = RangesRead()
        self._loading: dict[str, TableSql] = {}
        self._closed = False

    # -- filling

    sql_face = SqlFace("sqlite", None, str)

    async def prepare(self, tables: Sequence[Table]) -> None:
        """See ``ReadStore.prepare``."""
        for table in tables:
            table.stored_name = table.name
        await self._write(self._writer.prepare, tables)
        self._shelf.fill(tables)
        self._versions = {table.projection: table.version for table in tables}
        self._ranges.prepare(self._versions)
        self._loading = {each.name: TableSql(each) for table in tables for each in (table.on(0), table.on(1))}
        self._sql = {table: TableSql(table) for table in tables}

    async def identify(self, log: bytes) -> bool:
        """See ``ReadStore.identify``."""
        return await self._write(self._writer.identify, log)

    async def checkpoints(self) -> Mapping[str, Checkpoint]:
        """See ``ReadStore.checkpoints``."""
        self._refuse_if_closed()
        return standing(ranges_of(shares_of(await self._reader.rows(_CHECKPOINTS, ())), self._versions))

    async def ranges(self) -> Mapping[str, tuple[Checkpoint, ...]]:
        """See ``ReadStore.ranges``."""
        self._refuse_if_closed()
        stamp = self._stamps.now()  # before the look, so that a commit between is seen by the next one
        found = self._ranges.of(await self._reader.rows(_CHECKPOINTS, ()), stamp)
        for turned in self._ranges.turned(found):
            self.serve(*turned)
        return found

    def ranges_at_hand(self) -> Mapping[str, tuple[Checkpoint, ...]] | None:
        """See ``ReadStore.ranges_at_hand``."""
        return self._ranges.at(self._stamps.now())

    async def load(self, table: Table, keys: Iterable[RowKey]) -> dict[RowKey, Any]:
        """See ``ReadStore.load``."""
        self._refuse_if_closed()
        sql, wanted = self._loading[table.name], list(keys)
        width = len(table.keys)
        found: dict[RowKey, Any] = {}
        for start, size in in_sizes(len(wanted), _SIZES):
            rows = await self._reader.rows(sql.load(size), sql.bindings(wanted[start : start + size]))
            try:
                if width == 1:
                    found.update((row[0], table.row_of(row[1:])) for row in rows)
                else:
                    found.update((row[:width], table.row_of(row[width:])) for row in rows)
            except MISSHAPEN as error:
                raise damaged(self.file.path) from error
        return found

    async def commit(self, changes: Sequence[Changes]) -> frozenset[str]:
        """See ``ReadStore.commit``."""
        surveys = self._writer.surveys
        moved = await self._write(self._writer.commit, changes)
        if self._writer.surveys > surveys:
            self._reader.refresh()
        return moved

    async def reset(self, projection: str) -> None:
        """See ``ReadStore.reset``."""
        await self._write(self._writer.reset, projection)

    async def retire(self, projection: str) -> None:
        """See ``ReadStore.retire``."""
        await self._write(self._writer.retire, projection)

    # -- what is set aside

    async def parked(self) -> Sequence[Parked]:
        """See ``ReadStore.parked``."""
        self._refuse_if_closed()
        return list(map(parked_of, await self._reader.rows(statement("load_parked"), ())))

    async def discarded(self) -> Sequence[Discarded]:
        """See ``ReadStore.discarded``."""
        self._refuse_if_closed()
        return list(map(discarded_of, await self._reader.rows(statement("load_discarded"), ())))

    async def pause(self, pause: Pause) -> None:
        """See ``ReadStore.pause``."""
        await self._write(self._writer.pause, pause)

    async def resume(self, projection: str) -> None:
        """See ``ReadStore.resume``."""
        await self._write(self._writer.resume, projection)

    # -- building beside

    async def build_beside(self, projection: str) -> int:
        """See ``ReadStore.build_beside``."""
        return await self._write(self._writer.build_beside, projection)

    async def switch(self, projection: str) -> bool:
        """See ``ReadStore.switch``."""
        return await self._write(self._writer.switch, projection)

    async def abandon(self, projection: str) -> None:
        """See ``ReadStore.abandon``."""
        await self._write(self._writer.abandon, projection)

    async def tidy(self, projection: str) -> None:
        """See ``ReadStore.tidy``."""
        await self._write(self._writer.tidy, projection)

    async def can_serve(self, projection: str, version: int) -> bool:
        """See ``ReadStore.can_serve``."""
        self._refuse_if_closed()
        for table in self._shelf.of(projection):
            name = table.name_in(version, 0)
            if await self._reader.rows(statement("load_projected_table"), (name,)) != [(table.fingerprint,)]:
                return False
        return True

    def serve(self, projection: str, version: int, side: int) -> None:
        """See ``ReadStore.serve``."""
        for table in self._shelf.of(projection):
            table.stored_name = table.name_in(version, side)
            self._sql[table] = TableSql(table)
        self._ranges.serve(projection, version, side)

    # -- sharing the work

    async def fleet(self) -> Fleet:
        """See ``ReadStore.fleet``. Ranges first: who holds one of them has announced itself before."""
        self._refuse_if_closed()
        ranges = await self._reader.rows(statement("load_checkpoints"), ())
        paused = [name for (name,) in await self._reader.rows(statement("load_paused"), ())]
        return fleet_of(await self._reader.rows(statement("load_workers"), ()), ranges, paused)

    async def announce(self, worker: Worker, lease_seconds: float) -> None:
        """See ``ReadStore.announce``."""
        await self._write(self._writer.announce, worker, lease_seconds)

    async def leave(self, worker: str) -> None:
        """See ``ReadStore.leave``."""
        await self._write(self._writer.leave, worker)

    async def regrant(self, regrants: Sequence[Regrant]) -> Sequence[tuple[Checkpoint, ...] | None]:
        """See ``ReadStore.regrant``."""
        return await self._write(self._writer.regrant, regrants)

    # -- reading

    def table_of(self, model: type[ReadModel]) -> Table:
        """See ``ReadStore.table_of``."""
        return self._shelf.table_of(model)

    def reader(self, model: type[R]) -> Reader[R]:
        """See ``ReadStore.reader``."""
        return Reader(self, self._shelf.view_of(model))

    async def get(self, table: Table, key: RowKey) -> Any | None:
        """See ``RowSource.get``."""
        self._refuse_if_closed()
        rows = await self._reader.rows(self._sql[table].get, key if key.__class__ is tuple else (key,))
        try:
            return table.row_of(rows[0]) if rows else None
        except MISSHAPEN as error:
            raise damaged(self.file.path) from error

    async def select(self, selection: Selection) -> list[Any]:
        """See ``RowSource.select``."""
        self._refuse_if_closed()
        sql, values = selecting(self._sql[selection.table], selection)
        rows = await self._reader.rows(sql, values)
        try:
            return list(map(selection.made, rows))
        except MISSHAPEN as error:
            raise damaged(self.file.path) from error

    async def count(self, selection: Selection) -> int:
        """See ``RowSource.count``."""
        self._refuse_if_closed()
        sql, values = counting(self._sql[selection.table], selection)
        ((found,),) = await self._reader.rows(sql, values)
        return int(found)

    async def summarise(self, summary: Summary) -> Summed:
        """See ``RowSource.summarise``."""
        self._refuse_if_closed()
        sql, values = summarising(self._sql[summary.table], FIGURES, summary)
        return finished(FIGURES, summary, await self._reader.rows(sql, values))

    async def stream(self, selection: Selection) -> AsyncGenerator[Any, None]:
        """See ``RowSource.stream``."""
        self._refuse_if_closed()
        sql, values = selecting(self._sql[selection.table], selection)
        rows = self._reader.stream(sql, values, selection.made)
        try:
            async for row in rows:
                yield row
        finally:
            await rows.aclose()

    async def query(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        """The rows of any SELECT of your own, values bound for each ``?``, on a read-only connection.

        Raises ``ReadOnlyViolation`` for a statement that writes, ``QueryError`` for one that SQLite refuses.
        """
        self._refuse_if_closed()
        try:
            return await self._reader.rows(sql, values)
        except StoreIOError as error:
            if isinstance(error.__cause__, apsw.SQLError | apsw.BindingsError | apsw.MismatchError):
                raise QueryError(f"the database refused the query: {error.__cause__}") from error.__cause__
            raise

    async def close(self) -> None:
        """See ``ReadStore.close``."""
        if self._closed:
            return
        self._closed = True
        self._stamps.close()
        self._reader.close()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._writer.close)
        self._thread.shutdown(wait=False)

    async def _write(self, work: Callable[..., T], *arguments: Any) -> T:
        self._refuse_if_closed()
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StoreClosed("the read store is closed", remedy="open it again")
