"""Tables of rows in SQLite's words. Reads: read_store/statements.py. Read next: row_reading.py, row_writing.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from headwater.backends.sqlite.driver import Value
from headwater.read_store.columns import Column
from headwater.read_store.statements import Dialect, TableNames, indexes_of, quoted
from headwater.read_store.tables import RowKey, Table

SQLITE = Dialect(contains="instr(lower({}), ?) > 0", never="0", no_limit=-1)
_TYPES = {"integer": "INTEGER", "real": "REAL", "text": "TEXT", "blob": "BLOB"}


class TableSql(TableNames):
    """The statements of one table."""

    def __init__(self, table: Table) -> None:
        super().__init__(table, SQLITE, quoted(table.name))
        self.create = self._create()
        self.indexes = dict(self._indexes())

    def _create(self) -> str:
        columns = [_definition(column.name, column) for column in self.table.columns]
        columns += [_definition(column.order_name, column) for column in self.table.columns if column.order is not None]
        # Short rows stand in the key's own tree: one look-up less. Long ones (JSON, bytes) would make it deep.
        is_long = any(column.is_json or column.kind == "blob" for column in self.table.columns)
        options = "STRICT" if is_long else "STRICT, WITHOUT ROWID"
        return f"CREATE TABLE {self.name} ({', '.join(columns)}, PRIMARY KEY ({', '.join(self.key)})) {options}"

    def _indexes(self) -> Iterator[tuple[str, str]]:
        for name, columns in indexes_of(self.table):
            listed = ", ".join(quoted(column.order_name) for column in columns)
            yield name, f"CREATE INDEX {quoted(name)} ON {self.name} ({listed})"

    @lru_cache(maxsize=16)  # noqa: B019  lives as long as the store
    def put(self, rows: int) -> str:
        """Store so many rows under their keys."""
        one = f"({', '.join('?' * len(self.table.names))})"
        return f"INSERT OR REPLACE INTO {self.name} VALUES {', '.join([one] * rows)}"  # noqa: S608

    @lru_cache(maxsize=16)  # noqa: B019  lives as long as the store
    def delete(self, keys: int) -> str:
        """Delete the rows of so many keys."""
        return f"DELETE FROM {self.name} WHERE {self._is_one_of(keys)}"  # noqa: S608

    @lru_cache(maxsize=16)  # noqa: B019  lives as long as the store
    def load(self, keys: int) -> str:
        """The rows of so many keys, each after its key's own columns."""
        return f"SELECT {', '.join(self.key)}, {self.columns} FROM {self.name} WHERE {self._is_one_of(keys)}"  # noqa: S608

    def _is_one_of(self, keys: int) -> str:
        if len(self.key) == 1:
            return f"{self.key[0]} IN ({', '.join('?' * keys)})"
        one = f"({', '.join('?' * len(self.key))})"
        return f"({', '.join(self.key)}) IN (VALUES {', '.join([one] * keys)})"

    def bindings(self, keys: Sequence[RowKey]) -> list[Value]:
        """Keys as the values to bind."""
        return list(keys) if len(self.key) == 1 else [part for key in keys for part in key]


def in_sizes(count: int, sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Cut ``count`` items into few sizes, the largest first: where each part begins and how long it is.

    So a handful of prepared statements serves every number of rows.
    """
    start = 0
    for size in sizes:
        while count - start >= size:
            yield start, size
            start += size


def _definition(name: str, column: Column) -> str:
    return f"{quoted(name)} {_TYPES[column.kind]}{'' if column.nullable else ' NOT NULL'}"
