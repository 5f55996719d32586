"""Rows that are added up: what handlers return is added to what stands there. Reads: figure_marks.py, read_models.py.

Read next: folding.py, which adds up a batch; projector.py, which adds that to the stored rows.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from headwater.figure_marks import Count, Max, Min, Sum
from headwater.read_models import marked_fields
from headwater.read_store.figures import exactly_added
from headwater.read_store.tables import RowKey, Table


class Adding:
    """How two rows of a table with the same key are added."""

    def __init__(self, table: Table) -> None:
        self._model = table.model
        self._keys = [key.name for key in table.keys]
        self._ways: dict[str, Callable[[Any, Any], Any]] = {}
        self._counts: list[str] = []
        for name, marks, _ in marked_fields(table.model):
            for mark in marks:
                if isinstance(mark, Count):
                    self._counts.append(name)
                if isinstance(mark, Count | Sum | Min | Max):
                    self._ways[name] = _way(mark, table.column[name].type)

    def add(self, one: Any, other: Any) -> Any:
        """The sum of two rows, exact for whole numbers and Decimals."""
        figures = {name: way(getattr(one, name), getattr(other, name)) for name, way in self._ways.items()}
        return self._model(**{name: getattr(one, name) for name in self._keys}, **figures)

    def totals(self, rows: Mapping[RowKey, Any], added: Mapping[RowKey, Any]) -> dict[RowKey, Any]:
        """What is added, on top of the rows that are there; ``None`` for a group that counts nothing any more."""
        made: dict[RowKey, Any] = {}
        for key, row in added.items():
            there = rows.get(key)
            total = row if there is None else self.add(there, row)
            made[key] = None if self.is_nothing(total) else total
        return made

    def is_nothing(self, row: Any) -> bool:
        """Whether a row counts nothing any more, and can go."""
        return bool(self._counts) and not any(getattr(row, name) for name in self._counts)


def _way(mark: Count | Sum | Min | Max, kind: Any) -> Callable[[Any, Any], Any]:
    if isinstance(mark, Min):
        return _known(min)
    if isinstance(mark, Max):
        return _known(max)
    return exactly_added if kind is Decimal else operator.add


def _known(pick: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """``None`` is not lower or higher than anything: it is unknown."""
    return lambda one, other: other if one is None else one if other is None else pick(one, other)
