"""Tables of rows in SQLite's words. Reads: read_store/statements.py. Read next: row_reading.py, row_writing.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from headwater.backends.sqlite.driver import Value
from headwater.read_store.columns import SEARCH_SUFFIX, Column, Stored
from headwater.read_store.searching import Phrase, Search
from headwater.read_store.statements import Dialect, TableNames, indexes_of, quoted
from headwater.read_store.tables import RowKey, Table

SQLITE = Dialect(contains="instr(lower({}), ?) > 0", never="0", no_limit=-1)
_NUMBER = "row__number"
_TYPES = {"integer": "INTEGER", "real": "REAL", "text": "TEXT", "blob": "BLOB"}


class TableSql(TableNames):
    """The statements of one table. A table with searched texts has an index of their words beside it (FTS5)."""

    def __init__(self, table: Table) -> None:
        super().__init__(table, SQLITE)
        self.words = quoted(table.stored_name + SEARCH_SUFFIX)
        self.create = self._create() + (self._create_words() if table.searched else "")
        self.indexes = dict(self._indexes())

    def _create(self) -> str:
        columns = [_definition(column.name, column) for column in self.table.columns]
        columns += [_definition(column.order_name, column) for column in self.table.columns if column.order is not None]
        key = ", ".join(self.key)
        if self.table.searched:  # the index knows rows by number, so a row keeps its number for as long as it is there
            columns = [f"{_NUMBER} INTEGER PRIMARY KEY", *columns]
            columns += [f"{quoted(column.search_name)} TEXT" for column in self.table.searched]
            return f"CREATE TABLE {self.name} ({', '.join(columns)}, UNIQUE ({key})) STRICT"
        # Short rows stand in the key's own tree: one look-up less. Long ones (JSON, bytes) would make it deep.
        is_long = any(column.is_json or column.kind == "blob" for column in self.table.columns)
        options = "STRICT" if is_long else "STRICT, WITHOUT ROWID"
        return f"CREATE TABLE {self.name} ({', '.join(columns)}, PRIMARY KEY ({key})) {options}"

    def _create_words(self) -> str:
        """The index, and triggers by which it follows its table within each transaction, whatever changes a row.

        Words come separated by spaces, so the tokenizer is the one that takes all but ASCII for letters.
        """
        names = [quoted(column.search_name) for column in self.table.searched]
        listed = ", ".join(names)
        old, new = (", ".join(f"{row}.{name}" for name in names) for row in ("old", "new"))
        changed = " OR ".join(f"old.{name} IS NOT new.{name}" for name in names)
        added = f"INSERT INTO {self.words} (rowid, {listed}) VALUES (new.{_NUMBER}, {new})"  # noqa: S608
        removed = (
            f"INSERT INTO {self.words} ({self.words}, rowid, {listed})"  # noqa: S608
            f" VALUES ('delete', old.{_NUMBER}, {old})"
        )
        content = f"content={_text(self.table.name)}, content_rowid={_text(_NUMBER)}, tokenize='ascii'"
        triggers = (
            ("added", "INSERT", "", f"{added};"),
            ("removed", "DELETE", "", f"{removed};"),
            ("changed", f"UPDATE OF {listed}", f" WHEN {changed}", f"{removed}; {added};"),
        )
        return f"; CREATE VIRTUAL TABLE {self.words} USING fts5({listed}, {content})" + "".join(
            f"; CREATE TRIGGER {quoted(f'{self.table.name}{SEARCH_SUFFIX}_{name}')}"
            f" AFTER {event} ON {self.name}{when} BEGIN {does} END"
            for name, event, when, does in triggers
        )

    def searched(self, search: Search, *, is_ranked: bool) -> tuple[str, list[Stored]]:
        """See ``TableNames.searched``."""
        none = ", 0.0 AS relevance" if is_ranked else ""
        if search.is_empty:
            return f"(SELECT *{none} FROM {self.name} WHERE 0)", []  # noqa: S608
        found = f"FROM {self.words} WHERE {self.words} MATCH ?"
        if not search.wanted:
            without = f"{_NUMBER} NOT IN (SELECT rowid {found})"
            return f"(SELECT *{none} FROM {self.name} WHERE {without})", [_any_of(search.excluded)]  # noqa: S608
        match = " AND ".join(map(_match, search.wanted))
        if search.excluded:
            match = f"({match}) NOT ({_any_of(search.excluded)})"
        if not is_ranked:
            within = f"{_NUMBER} IN (SELECT rowid {found})"
            return f"(SELECT * FROM {self.name} WHERE {within})", [match]  # noqa: S608
        weights = ", ".join(repr(float(column.weight)) for column in self.table.searched)
        # The limit keeps the search apart from the rest of the statement: it runs once, and gives each row its rank.
        ranked = f"SELECT rowid AS number, -bm25({self.words}, {weights}) AS relevance {found} LIMIT -1"
        join = f"{self.name} AS found ON found.{_NUMBER} = ranked.number"
        return f"(SELECT found.*, ranked.relevance FROM ({ranked}) AS ranked JOIN {join})", [match]  # noqa: S608

    def _indexes(self) -> Iterator[tuple[str, str]]:
        for name, columns in indexes_of(self.table):
            listed = ", ".join(quoted(column.order_name) for column in columns)
            yield name, f"CREATE INDEX {quoted(name)} ON {self.name} ({listed})"

    @lru_cache(maxsize=16)  # noqa: B019  lives as long as the store
    def put(self, rows: int) -> str:
        """Store so many rows under their keys."""
        names = self.table.names
        many = ", ".join([f"({', '.join('?' * len(names))})"] * rows)
        if not self.table.searched:
            return f"INSERT OR REPLACE INTO {self.name} VALUES {many}"  # noqa: S608
        listed = list(map(quoted, names))
        changed = ", ".join(f"{name} = excluded.{name}" for name in listed if name not in self.key)
        return (
            f"INSERT INTO {self.name} ({', '.join(listed)}) VALUES {many}"  # noqa: S608
            f" ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {changed}"
        )

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


def dropping(name: str) -> str:
    """The statements that drop a table, and the index of its words if it has one."""
    return f"DROP TABLE IF EXISTS {quoted(name + SEARCH_SUFFIX)}; DROP TABLE IF EXISTS {quoted(name)}"


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


def _match(phrase: Phrase) -> str:
    """A phrase as FTS5 takes it. Words are letters and digits only, so nothing in them means anything to it."""
    return f'"{" ".join(phrase.words)}"{" *" if phrase.is_prefix else ""}'


def _any_of(phrases: Sequence[Phrase]) -> str:
    return " OR ".join(map(_match, phrases))


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
