"""Rows that are added up: what handlers return is added to what stands there. Reads: figure_marks.py, read_models.py.

Read next: folding.py, which adds up a batch; projector.py, which adds that to the stored rows.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
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
        counts: list[str] = []
        for name, marks, _ in marked_fields(table.model):
            for mark in marks:
                if isinstance(mark, Count):
                    counts.append(name)
                if isinstance(mark, Count | Sum | Min | Max):
                    self._ways[name] = _way(mark, table.column[name].type)
        self._is_nothing = _nothing(counts)

    def add(self, one: Any, other: Any) -> Any:
        """The sum of two rows, exact for whole numbers and Decimals."""
        figures = {name: way(getattr(one, name), getattr(other, name)) for name, way in self._ways.items()}
        return self._model(**{name: getattr(one, name) for name in self._keys}, **figures)

    def totals(self, rows: Mapping[RowKey, Any], added: Mapping[RowKey, Sequence[Any]]) -> dict[RowKey, Any]:
        """What each event adds, on top of the rows that are there; ``None`` for a group that counts nothing any more.

        One by one, because a group that went on the way begins anew: with no lowest value, and without what was left.
        """
        made: dict[RowKey, Any] = {}
        for key, each in added.items():
            total = rows.get(key)
            for row in each:
                total = row if total is None else self.add(total, row)
                if self._is_nothing(total):
                    total = None
            made[key] = total
        return made


def _nothing(counts: Sequence[str]) -> Callable[[Any], bool]:
    """Whether a row counts nothing any more, and can go."""
    if not counts:
        return lambda _row: False
    count = operator.attrgetter(*counts)
    return (lambda row: not count(row)) if len(counts) == 1 else (lambda row: not any(count(row)))


def _way(mark: Count | Sum | Min | Max, kind: Any) -> Callable[[Any, Any], Any]:
    if isinstance(mark, Min):
        return _known(min)
    if isinstance(mark, Max):
        return _known(max)
    return exactly_added if kind is Decimal else operator.add


def _known(pick: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """``None`` is not lower or higher than anything: it is unknown."""
    return lambda one, other: other if one is None else one if other is None else pick(one, other)
