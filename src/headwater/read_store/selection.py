"""What a reader asks for: conditions, an order, a place to go on from.

Reads: filters.py, searching.py, views.py. Read next: cursor.py.

``None`` is the lowest value: first when ascending, last when descending. The key ends every order, so that no two rows
are equal in it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from headwater.errors import InvalidFilter, UnknownField
from headwater.read_models import RELEVANCE
from headwater.read_store.columns import Column, Stored
from headwater.read_store.filters import Requirement, conditions_of, either
from headwater.read_store.searching import RELEVANCE_COLUMN, Search
from headwater.read_store.tables import Table, Values
from headwater.read_store.views import Joined, Reading, View

_MOST_TERMS = 8
_LONGEST_NAME = 60
_OF_ITS_OWN = "keep what is compared in a field of its own, which the projection fills"


class Term(msgspec.Struct, frozen=True):
    """One column to sort by."""

    column: Column
    descending: bool

    def reversed(self) -> Term:
        """The other way round."""
        return Term(self.column, not self.descending)


class Selection(msgspec.Struct, frozen=True):
    """Rows of a table that meet all conditions, in order, strictly after the values ``after`` of the order's terms.

    A ``search`` leaves rows with its words only. The rows of ``joins`` stand beside them, and ``reading`` says what is
    read of all that and made of it; without it, the table's rows.
    """

    table: Table
    conditions: tuple[Requirement, ...] = ()
    order: tuple[Term, ...] = ()
    after: Values | None = None
    limit: int | None = None
    search: Search | None = None
    joins: tuple[Joined, ...] = ()
    reading: Reading | None = None

    @property
    def made(self) -> Callable[[Any], Any]:
        """What makes an answer's item of the values read."""
        return self.table.row_of if self.reading is None else self.reading.made

    @property
    def is_ranked(self) -> bool:
        """Whether the order asks how well rows fit the search."""
        return self.search is not None and any(term.column is RELEVANCE_COLUMN for term in self.order)

    def meets(self, values: Mapping[str, Stored]) -> bool:
        """Whether a row, given by its stored columns, is selected. The reference for what a backend's SQL does."""
        if not all(condition.holds(values) for condition in self.conditions):
            return False
        return self.after is None or self._comes_after(values, self.after)

    def _comes_after(self, values: Mapping[str, Stored], after: Values) -> bool:
        for term, bound in zip(self.order, after, strict=True):
            here, there = rank(values[term.column.order_name]), rank(bound)
            if here != there:
                return bool(here < there) if term.descending else bool(here > there)
        return False


def rank(value: Stored) -> Any:
    """What stored values are sorted by: ``None`` is the lowest."""
    return (value is not None, 0 if value is None else value)


@lru_cache(maxsize=512)
def order_of(table: Table | View, sort: str, searched: bool = False) -> tuple[Term, ...]:  # noqa: FBT001, FBT002  a cache key
    """The order that ``"-opened_at,priority"`` means, ended by the key. Raises ``UnknownField``, ``InvalidFilter``.

    The key goes the way of the last named field, so that one index serves both. ``relevance`` comes best first, and
    counts only where rows are ``searched``.
    """
    terms: dict[str, Term] = {}
    for word in sort.split(",") if sort.strip() else ():
        name = word.strip()
        descending = name.startswith("-")
        name = name.removeprefix("-").removeprefix("+")
        if name == RELEVANCE and name not in table.column:
            if searched:
                terms.setdefault(name, Term(RELEVANCE_COLUMN, not descending))
            continue
        column = column_of(table, name, "sort by")
        if column.is_json:
            raise InvalidFilter(
                f"{column.name} holds nested data, which has no order", remedy=_OF_ITS_OWN, field=column.name
            )
        terms.setdefault(column.name, Term(column, descending))
    if len(terms) > _MOST_TERMS:
        raise InvalidFilter(f"at most {_MOST_TERMS} fields to sort by")
    ends = [term.descending for term in terms.values() if term.column is not RELEVANCE_COLUMN]
    last = ends[-1] if ends else False
    for key in table.keys:
        terms.setdefault(key.name, Term(key, last))
    return tuple(terms.values())


def conditions_for(table: Table | View, filters: Mapping[str, Any]) -> tuple[Requirement, ...]:
    """The conditions of ``where(**filters)``. Raises ``UnknownField``, ``InvalidFilter``."""
    return tuple(
        condition
        for name, wanted in filters.items()
        for condition in conditions_of(column_of(table, name, "filter by"), wanted)
    )


def alternatives_for(table: Table | View, filters: Mapping[str, Any]) -> tuple[Requirement, ...]:
    """The condition of ``where_any(**filters)``: what is ``None`` is no alternative."""
    given = {name: wanted for name, wanted in filters.items() if wanted is not None}
    if not given:
        return ()
    return tuple(either(conditions_of(column_of(table, name, "filter by"), wanted) for name, wanted in given.items()))


def column_of(table: Table | View, name: str, purpose: str) -> Column:
    """The column of that name. Raises ``UnknownField`` with the right names."""
    column = table.column.get(name)
    if column is None:
        raise unknown_field(table.model.__name__, name, purpose, *(c.name for c in table.columns if not c.is_json))
    return column


def unknown_field(owner: str, name: str, purpose: str, *allowed: str) -> UnknownField:
    """The error for a name that is none of the right ones, with the one that is meant, as far as spelling tells."""
    nearest = next(iter(difflib.get_close_matches(name[:_LONGEST_NAME], allowed, 1)), None)
    shown = name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
    listed = f"there are: {', '.join(allowed)}"
    return UnknownField(
        f"{owner} has no field {shown!r} to {purpose}",
        remedy=f"did you mean {nearest}? {listed}" if nearest else listed,
        field=shown,
        allowed=allowed,
        nearest=nearest,
    )
