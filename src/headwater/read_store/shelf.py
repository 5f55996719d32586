"""Which table holds which read model, as every read store keeps it. Reads: tables.py. Read next: memory.py."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from headwater.errors import UnknownMessage
from headwater.read_models import ReadModel
from headwater.read_store.tables import Table
from headwater.read_store.views import View, view_of


class Shelf:
    """The prepared tables."""

    def __init__(self) -> None:
        self.tables: tuple[Table, ...] = ()
        self._by_model: dict[type[ReadModel], Table] = {}
        self._views: dict[type[ReadModel], Table | View] = {}

    def fill(self, tables: Iterable[Table]) -> None:
        """These tables, and no others."""
        self.tables = tuple(tables)
        self._by_model = {table.model: table for table in self.tables}
        self._views = {}

    def of(self, projection: str) -> list[Table]:
        """The tables of a projection."""
        return [table for table in self.tables if table.projection == projection]

    def table_of(self, model: type[ReadModel]) -> Table:
        """The table of a read model. Raises ``UnknownMessage`` if no prepared projection fills it."""
        table = self._by_model.get(model)
        if table is None:
            known = [known.__name__ for known in self._by_model]
            nearest = difflib.get_close_matches(model.__name__, known, 1)
            raise UnknownMessage("projected read model", model.__name__, *nearest, known=known)
        return table

    def view_of(self, model: type[ReadModel]) -> Table | View:
        """What shows the rows of a read model: its table, or a view of it if it has others beside it."""
        found = self._views.get(model)
        if found is None:
            found = self._views[model] = view_of(model, self.table_of)
        return found
