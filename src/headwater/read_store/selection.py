"""What a reader asks for: conditions, an order, a place to go on from. Reads: filters.py. Read next: cursor.py.

``None`` is the lowest value: first when ascending, last when descending. The key ends every order, so that no two rows
are equal in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from headwater.errors import InvalidFilter, UnknownField
from headwater.read_store.columns import Column, Stored
from headwater.read_store.filters import Condition, conditions_of
from headwater.read_store.tables import Table, Values

_MOST_TERMS = 8


class Term(msgspec.Struct, frozen=True):
    """One column to sort by."""

    column: Column
    descending: bool

    def reversed(self) -> Term:
        """The other way round."""
        return Term(self.column, not self.descending)


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a table that meet all conditions, in order, strictly after the values ``after`` of the order's terms."""

    table: Table
    conditions: tuple[Condition, ...] = ()
    order: tuple[Term, ...] = ()
    after: Values | None = None
    limit: int | None = None

    def meets(self, values: Mapping[str, Stored]) -> bool:
        """Whether a row, given by its stored columns, is selected. The reference for what a backend's SQL does."""
        if not all(condition.holds(values[condition.column.order_name]) for condition in self.conditions):
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
def order_of(table: Table, sort: str) -> tuple[Term, ...]:
    """The order that ``"-opened_at,priority"`` means, ended by the key. Raises ``UnknownField``, ``InvalidFilter``.

    The key goes the way of the last named field, so that one index serves both.
    """
    terms: dict[str, Term] = {}
    for word in sort.split(",") if sort.strip() else ():
        name = word.strip()
        descending = name.startswith("-")
        column = column_of(table, name.removeprefix("-").removeprefix("+"), "sort by")
        if column.is_json:
            raise InvalidFilter(f"{column.name} holds nested data, which has no order", field=column.name)
        terms.setdefault(column.name, Term(column, descending))
    if len(terms) > _MOST_TERMS:
        raise InvalidFilter(f"at most {_MOST_TERMS} fields to sort by")
    last = next(reversed(terms.values())).descending if terms else False
    for key in table.keys:
        terms.setdefault(key.name, Term(key, last))
    return tuple(terms.values())


def conditions_for(table: Table, filters: Mapping[str, Any]) -> tuple[Condition, ...]:
    """The conditions of ``where(**filters)``. Raises ``UnknownField``, ``InvalidFilter``."""
    return tuple(
        condition
        for name, wanted in filters.items()
        for condition in conditions_of(column_of(table, name, "filter by"), wanted)
    )


def column_of(table: Table, name: str, purpose: str) -> Column:
    """The column of that name. Raises ``UnknownField`` with the right names."""
    column = table.column.get(name)
    if column is None:
        allowed = tuple(column.name for column in table.columns if not column.is_json)
        raise UnknownField(
            f"{table.model.__name__} has no field {name!r} to {purpose}",
            remedy=f"there are: {', '.join(allowed)}",
            field=name,
            allowed=allowed,
        )
    return column
