"""Which rows an answer was made from. Reads: read_store/reader.py. Read next: freshness.py.

A handler reads through a tracer, which notes the key of each row that is read by key, and otherwise the whole table.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar, cast

from headwater.followers.journal import Looked
from headwater.read_models import ReadModel
from headwater.read_store.protocol import ReadStore
from headwater.read_store.reader import Reader
from headwater.read_store.source import RowSource
from headwater.read_store.tables import RowKey, Table

R = TypeVar("R", bound=ReadModel)
_MOST_KEYS = 1_000
_NO_ROWS = frozenset(("cursor_key", "sql_face"))


class Tracer:
    """A read store in the eyes of one handler, for one answer."""

    def __init__(self, rows: ReadStore) -> None:
        self._rows = rows
        self._keys: dict[Table, set[RowKey] | None] = {}
        self.saw_everything = False

    def looked(self, projection: str) -> Looked | None:
        """Which tables and rows of that projection were read; ``None`` if that could be anything."""
        if self.saw_everything:
            return None
        return {
            table.name: None if keys is None else frozenset(keys)
            for table, keys in self._keys.items()
            if table.projection == projection
        }

    # -- what a handler needs of a read store

    def table_of(self, model: type[ReadModel]) -> Table:
        """See ``ReadStore.table_of``."""
        return self._rows.table_of(model)

    def reader(self, model: type[R]) -> Reader[R]:
        """See ``ReadStore.reader``. It reads through here."""
        return self._rows.reader(model).over(cast("RowSource", self))

    async def get(self, table: Table, key: RowKey) -> Any | None:
        """See ``RowSource.get``. Also a row that is not there is one that was looked at."""
        keys = self._keys.setdefault(table, set())
        if keys is not None:
            keys.add(key)
            if len(keys) > _MOST_KEYS:
                self._keys[table] = None
        return await self._rows.get(table, key)

    def __getattr__(self, name: str) -> Any:
        """Every other way to read: of the tables it names, everything counts; if it names none, all there are."""
        found = getattr(self._rows, name)
        if name in _NO_ROWS or not callable(found):
            return found

        def read(*arguments: Any, **named: Any) -> Any:
            tables = list(_tables_in((*arguments, *named.values())))
            self._keys.update(dict.fromkeys(tables))
            self.saw_everything = self.saw_everything or not tables
            return found(*arguments, **named)

        return read


def _tables_in(arguments: Iterable[Any]) -> Iterable[Table]:
    """The tables that arguments are, or are about: a selection's own, and those of the rows beside it."""
    for argument in arguments:
        if isinstance(argument, Table):
            yield argument
        elif isinstance(getattr(argument, "table", None), Table):
            yield argument.table
            yield from _tables_in(getattr(argument, "joins", ()))
