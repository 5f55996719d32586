"""Which table holds which read model, as every read store keeps it. Reads: tables.py. Read next: memory.py."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from headwater.errors import UnknownMessage
from headwater.read_models import ReadModel
from headwater.read_store.tables import Table


class Shelf:
    """The prepared tables."""

    def __init__(self) -> None:
        self.tables: tuple[Table, ...] = ()
        self._by_model: dict[type[ReadModel], Table] = {}

    def fill(self, tables: Iterable[Table]) -> None:
        """These tables, and no others."""
        self.tables = tuple(tables)
        self._by_model = {table.model: table for table in self.tables}

    def table_of(self, model: type[ReadModel]) -> Table:
        """The table of a read model. Raises ``UnknownMessage`` if no prepared projection fills it."""
        table = self._by_model.get(model)
        if table is None:
            known = [known.__name__ for known in self._by_model]
            raise UnknownMessage(
                "projected read model", model.__name__, *difflib.get_close_matches(model.__name__, known, 1)
            )
        return table
