"""Figures over groups of rows, as a store is asked for them. Reads: selection.py, buckets.py. Read next: reporting.py.

A store answers with one tuple a group: the groups' values as they are stored (a label for a time), then the figures.
``figure_of`` is the reference for what a backend's SQL does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow
from typing import Any, Literal, TypeAlias

import msgspec

from headwater.errors import QueryError
from headwater.figure_marks import Unit
from headwater.read_store.buckets import Offsets, label_of
from headwater.read_store.columns import Column, Stored
from headwater.read_store.filters import Requirement
from headwater.read_store.selection import rank
from headwater.read_store.tables import Table

Kind: TypeAlias = Literal["count", "distinct", "sum", "min", "max"]
MOST_GROUPS = 100_000
"""A report with more groups is refused, so that no query fills the memory."""

_EXACT = Context(prec=20_000, traps=[Inexact, Overflow, InvalidOperation])


class GroupBy(msgspec.Struct, frozen=True):
    """A column that rows are grouped by, or the unit of time that it falls into."""

    column: Column
    unit: Unit | None = None
    offsets: Offsets | None = None


class Figure(msgspec.Struct, frozen=True):
    """What is computed of a group: rows counted, or values of a column."""

    kind: Kind
    column: Column | None = None

    @property
    def is_decimal(self) -> bool:
        """Whether it is about Decimals, which are stored as text beside what they are sorted by."""
        return self.column is not None and self.column.type is Decimal


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Figures over the rows of a table that meet all conditions, for each group of them."""

    table: Table
    conditions: tuple[Requirement, ...] = ()
    groups: tuple[GroupBy, ...] = ()
    figures: tuple[Figure, ...] = ()


Summed: TypeAlias = list[tuple[Any, ...]]
"""For each group: the groups' values, then the figures. A sum of nothing and a lowest of nothing are ``None``."""


def summarise(summary: Summary, rows: Iterable[Mapping[str, Stored]]) -> Summed:
    """The figures of rows given by their stored columns: the reference. Raises ``QueryError`` for too many groups."""
    members: dict[tuple[Any, ...], list[Mapping[str, Stored]]] = {} if summary.groups else {(): []}
    for row in rows:
        if all(condition.holds(row) for condition in summary.conditions):
            members.setdefault(tuple(_group_key(row, each) for each in summary.groups), []).append(row)
    refuse_many(len(members))
    return [
        (
            *(_group_value(each, group, found) for each, group in zip(key, summary.groups, strict=True)),
            *(figure_of(figure, found) for figure in summary.figures),
        )
        for key, found in members.items()
    ]


def _group_key(row: Mapping[str, Stored], group: GroupBy) -> Stored:
    value = row[group.column.order_name]
    if value is None or group.unit is None:
        return value
    return label_of(str(value), group.unit, group.offsets)


def _group_value(key: Stored, group: GroupBy, rows: Sequence[Mapping[str, Stored]]) -> Stored:
    """Equal Decimals are one group, which is called as its lowest text: ``1.5`` before ``1.50``."""
    if key is None or group.column.order is None:
        return key
    return min(str(row[group.column.name]) for row in rows)


def figure_of(figure: Figure, rows: Sequence[Mapping[str, Stored]]) -> Any:
    """One figure of a group's rows."""
    column = figure.column
    if column is None:
        return len(rows)
    values = [row for row in rows if row[column.name] is not None]
    if figure.kind == "count":
        return len(values)
    if figure.kind == "distinct":
        return len({row[column.order_name] for row in values})
    if not values:
        return None
    if figure.kind == "sum":
        found: Any = [row[column.name] for row in values]
        return exact_sum(map(Decimal, found)) if figure.is_decimal else sum(found)
    pick = min if figure.kind == "min" else max
    return pick(values, key=lambda row: (rank(row[column.order_name]), row[column.name]))[column.name]


def exact_sum(values: Iterable[Decimal]) -> Decimal:
    """The sum of Decimals without rounding. Raises ``QueryError`` where it would have too many digits."""
    total = Decimal(0)
    for value in values:
        total = exactly_added(total, value)
    return total


def exactly_added(total: Decimal, value: Decimal) -> Decimal:
    """The sum of two. Raises ``QueryError`` where it would have too many digits."""
    try:
        return _EXACT.add(total, value)
    except (Inexact, Overflow, InvalidOperation) as error:
        raise QueryError("a sum of Decimals has too many digits to be exact") from error


def refuse_many(groups: int) -> None:
    """Raise ``QueryError`` if these are more groups than a report may have."""
    if groups > MOST_GROUPS:
        remedy = "filter the rows, group by fewer fields, or by a longer time"
        raise QueryError(f"the report has more than {MOST_GROUPS:,} groups", remedy=remedy, most=MOST_GROUPS)
