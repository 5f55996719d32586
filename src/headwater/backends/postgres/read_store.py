"""Read models on PostgreSQL: the port's face over reader and writer. Reads: row_reading.py, row_writing.py.

It has connections of its own, apart from those of an event store, and may be in any database.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec.structs import replace

from headwater.backends.postgres.row_connections import RowServer, read_store_beside
from headwater.backends.postgres.row_figures import FIGURES
from headwater.backends.postgres.row_news import RowNews
from headwater.backends.postgres.row_plans import TableSql, shortened, storable
from headwater.backends.postgres.row_pool import RowPool
from headwater.backends.postgres.row_reading import RowReader
from headwater.backends.postgres.row_statements import RowStatements
from headwater.backends.postgres.row_words import CommonWords
from headwater.backends.postgres.row_writing import READ_STORE_SCHEMA, RowWriter
from headwater.backends.postgres.schema import prepare
from headwater.errors import StoreClosed
from headwater.read_models import ReadModel
from headwater.read_store.checkpoints import Checkpoint, Fleet, Regrant, Worker
from headwater.read_store.figures import Summary, Summed
from headwater.read_store.parking import Discarded, Parked, Pause
from headwater.read_store.protocol import Changes
from headwater.read_store.reader import Reader
from headwater.read_store.report_statements import finished, summarising
from headwater.read_store.selection import Selection
from headwater.read_store.shelf import Shelf
from headwater.read_store.source import SqlFace
from headwater.read_store.statements import counting, selecting
from headwater.read_store.tables import RowKey, Table

__all__ = ["READ_STORE_SCHEMA", "PostgresReadStore", "open_postgres", "read_store_beside"]

R = TypeVar("R", bound=ReadModel)


async def open_postgres(url: str, *, migrate: bool) -> PostgresReadStore:
    """The read store of ``postgresql://user@host/database``, made if it is missing.

    Options: ``schema=headwater_read``, ``role=``, ``reader_role=``, ``pool_size=8``, ``write_pool_size=4``,
    ``pool_timeout=10``, ``statement_timeout=60``, ``timeout=60``, ``poll=0.25`` (all four in seconds), ``notify=on``,
    ``durability=full``. Raises ``UnsupportedUrl``, ``MissingExtra``, ``StoreIOError``, ``StoreReadOnly``,
    ``SchemaTooNew``, ``SchemaOutdated`` (without ``migrate``).
    """
    server = RowServer.of_url(url)
    statements = RowStatements(server.schema)
    writing = await RowPool.open(server, server.writing, server.write_pool_size, "rows", server.timeout)
    try:
        async with writing.transaction() as connection:
            await prepare(connection, READ_STORE_SCHEMA, server.schema, server.place, migrate=migrate)
        writer = RowWriter(writing, statements)
        cursor_key = await writer.cursor_key()
        reading = await RowPool.open(server, server.reading, server.pool_size, "store", server.reading_seconds)
    except BaseException:
        await writing.close()
        raise
    return PostgresReadStore(server, writer, RowReader(reading), cursor_key, (writing, reading))


class PostgresReadStore:
    """Read models in one schema. Any number of stores, in this process or others, may be open on the same."""

    def __init__(
        self, server: RowServer, writer: RowWriter, reader: RowReader, cursor_key: bytes, pools: Sequence[RowPool]
    ) -> None:
        self.server = server
        self.news = RowNews(server)
        self.cursor_key = cursor_key
        self.sql_face = SqlFace("postgresql", server.schema, shortened)
        self._writer = writer
        self._reader = reader
        self._pools = pools
        self._words = CommonWords(reader, server.schema)
        self._shelf = Shelf()
        self._sql: dict[Table, TableSql] = {}
        self._closed = False

    # -- filling

    async def prepare(self, tables: Sequence[Table]) -> None:
        """See ``ReadStore.prepare``."""
        self._refuse_if_closed()
        for table in tables:
            table.stored_name = table.name
        await self._writer.prepare(tables)
        self._shelf.fill(tables)
        self._sql = {table: TableSql(table, self.server.schema) for table in tables}

    async def identify(self, log: bytes) -> bool:
        """See ``ReadStore.identify``."""
        self._refuse_if_closed()
        return await self._writer.identify(log)

    async def checkpoints(self) -> Mapping[str, Checkpoint]:
        """See ``ReadStore.checkpoints``."""
        self._refuse_if_closed()
        return await self._writer.checkpoints()

    async def ranges(self) -> Mapping[str, tuple[Checkpoint, ...]]:
        """See ``ReadStore.ranges``."""
        self._refuse_if_closed()
        found = await self._writer.ranges()
        for turned in self._writer.served.turned(found):
            self.serve(*turned)
        return found

    def ranges_at_hand(self) -> None:
        """See ``ReadStore.ranges_at_hand``. Another process may have moved them, and only the server knows."""

    async def load(self, table: Table, keys: Iterable[RowKey]) -> dict[RowKey, Any]:
        """See ``ReadStore.load``."""
        self._refuse_if_closed()
        wanted = list(keys)
        return await self._writer.load(table, wanted) if wanted else {}

    async def commit(self, changes: Sequence[Changes]) -> frozenset[str]:
        """See ``ReadStore.commit``."""
        self._refuse_if_closed()
        moved = await self._writer.commit(changes)
        self.news.tell()
        return moved

    async def reset(self, projection: str) -> None:
        """See ``ReadStore.reset``."""
        self._refuse_if_closed()
        await self._writer.reset(projection)
        self.news.tell()

    async def retire(self, projection: str) -> None:
        """See ``ReadStore.retire``."""
        self._refuse_if_closed()
        await self._writer.retire(projection)

    # -- what is set aside

    async def parked(self) -> Sequence[Parked]:
        """See ``ReadStore.parked``."""
        self._refuse_if_closed()
        return await self._writer.parked()

    async def discarded(self) -> Sequence[Discarded]:
        """See ``ReadStore.discarded``."""
        self._refuse_if_closed()
        return await self._writer.discarded()

    async def pause(self, pause: Pause) -> None:
        """See ``ReadStore.pause``."""
        self._refuse_if_closed()
        await self._writer.pause(pause)
        self.news.tell()

    async def resume(self, projection: str) -> None:
        """See ``ReadStore.resume``."""
        self._refuse_if_closed()
        await self._writer.resume(projection)
        self.news.tell()

    # -- building beside

    async def build_beside(self, projection: str) -> int:
        """See ``ReadStore.build_beside``."""
        self._refuse_if_closed()
        return await self._writer.build_beside(projection)

    async def switch(self, projection: str) -> bool:
        """See ``ReadStore.switch``."""
        self._refuse_if_closed()
        is_done = await self._writer.switch(projection)
        self.news.tell()
        return is_done

    async def abandon(self, projection: str) -> None:
        """See ``ReadStore.abandon``."""
        self._refuse_if_closed()
        await self._writer.abandon(projection)

    async def tidy(self, projection: str) -> None:
        """See ``ReadStore.tidy``."""
        self._refuse_if_closed()
        await self._writer.tidy(projection)

    async def can_serve(self, projection: str, version: int) -> bool:
        """See ``ReadStore.can_serve``."""
        self._refuse_if_closed()
        return await self._writer.can_serve(projection, version)

    def serve(self, projection: str, version: int, side: int) -> None:
        """See ``ReadStore.serve``."""
        for table in self._shelf.of(projection):
            table.stored_name = table.name_in(version, side)
            self._sql[table] = TableSql(table, self.server.schema)
        self._writer.served.serve(projection, version, side)

    # -- sharing the work

    async def fleet(self) -> Fleet:
        """See ``ReadStore.fleet``."""
        self._refuse_if_closed()
        return await self._writer.fleet()

    async def announce(self, worker: Worker, lease_seconds: float) -> None:
        """See ``ReadStore.announce``."""
        self._refuse_if_closed()
        await self._writer.announce(worker, lease_seconds)

    async def leave(self, worker: str) -> None:
        """See ``ReadStore.leave``."""
        self._refuse_if_closed()
        await self._writer.leave(worker)

    async def regrant(self, regrants: Sequence[Regrant]) -> Sequence[tuple[Checkpoint, ...] | None]:
        """See ``ReadStore.regrant``."""
        self._refuse_if_closed()
        return await self._writer.regrant(regrants) if regrants else []

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
        sql = self._sql[table]
        values = sql.key_values(key)
        row = None if values is None else await self._reader.row(sql.get, values)
        return None if row is None else table.row_of(row)

    async def select(self, selection: Selection) -> list[Any]:
        """See ``RowSource.select``."""
        self._refuse_if_closed()
        names, search = self._sql[selection.table], selection.search
        if search is not None and selection.is_ranked and await self._words.too_many_have(search, names):
            # To rank them would take long, and tell little.
            selection = replace(selection, search=replace(search, is_common=True))
        sql, values = selecting(names, storable(selection))
        return list(map(selection.made, await self._reader.rows(sql, values)))

    async def count(self, selection: Selection) -> int:
        """See ``RowSource.count``."""
        self._refuse_if_closed()
        sql, values = counting(self._sql[selection.table], storable(selection))
        ((found,),) = await self._reader.rows(sql, values)
        return int(found)

    async def summarise(self, summary: Summary) -> Summed:
        """See ``RowSource.summarise``."""
        self._refuse_if_closed()
        sql, values = summarising(self._sql[summary.table], FIGURES, storable(summary))
        return finished(FIGURES, summary, map(tuple, await self._reader.rows(sql, values)))

    async def stream(self, selection: Selection) -> AsyncGenerator[Any, None]:
        """See ``RowSource.stream``."""
        self._refuse_if_closed()
        sql, values = selecting(self._sql[selection.table], storable(selection))
        rows = self._reader.stream(sql, values, selection.made)
        try:
            async for row in rows:
                yield row
        finally:
            await rows.aclose()

    async def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """The rows of any SELECT of your own, values bound for ``$1``, ``$2`` …, in a read-only transaction.

        Raises ``ReadOnlyViolation`` for a statement that writes, ``QueryError`` for one that the server refuses.
        """
        self._refuse_if_closed()
        return await self._reader.rows_of_any(sql, values)

    async def close(self) -> None:
        """See ``ReadStore.close``."""
        if self._closed:
            return
        self._closed = True
        await self.news.close()
        for pool in self._pools:
            await pool.close()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StoreClosed("the read store is closed", remedy="open it again")
