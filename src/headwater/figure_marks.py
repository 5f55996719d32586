"""Marks of figures: what a field counts, sums up or groups by, in reports and in projections.

Reads: nothing. Read next: read_models.py (rows that projections add to), reports.py (rows that are computed).
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

import msgspec

Unit: TypeAlias = Literal["year", "quarter", "month", "week", "day", "hour"]
UNITS: tuple[Unit, ...] = get_args(Unit)


class Group(msgspec.Struct, frozen=True):
    """Marks a field that rows are grouped by: a field of the read model, or with a ``unit`` the time it falls into.

    The time is taken in UTC, or in the ``zone`` of that name (``"Europe/Rome"``). The marked field says in which form
    it comes: ``date`` (the first day), ``datetime`` (the beginning), ``str`` (``2016``, ``2016-Q1``, ``2016-02``,
    ``2016-W09``, ``2016-02-29``, ``2016-02-29T13``), for a year also ``int``. Weeks are those of ISO 8601.
    """

    field: str | None = None
    unit: Unit | None = None
    zone: str | None = None


class Count(msgspec.Struct, frozen=True):
    """Marks a figure: how many rows, or how many with a value in ``field``; ``distinct``: how many different ones."""

    field: str | None = None
    distinct: bool = False


class Sum(msgspec.Struct, frozen=True):
    """Marks a figure: the sum of a field, exact for whole numbers and Decimals; the sum of nothing is 0."""

    field: str | None = None


class Min(msgspec.Struct, frozen=True):
    """Marks a figure: the lowest value of a field, ``None`` if there is none."""

    field: str | None = None


class Max(msgspec.Struct, frozen=True):
    """Marks a figure: the highest value of a field, ``None`` if there is none."""

    field: str | None = None


class Avg(msgspec.Struct, frozen=True):
    """Marks a figure: the mean of a field's values, ``None`` if there is none. Divided once, from the exact sum."""

    field: str | None = None


Mark: TypeAlias = Group | Count | Sum | Min | Max | Avg
MARKS = (Group, Count, Sum, Min, Max, Avg)
ADDED = (Count, Sum, Min, Max)
"""What a projection can keep up by adding to it."""
