"""From the class of a report's rows to a store's figures, and back to rows. Reads: figures.py. Read next: reader.py.

report = report_of(Volume, table)
summed = await store.summarise(report.summary(conditions))
rows = report.rows(summed, "-incidents", 10)
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from headwater.annotations import name_of
from headwater.errors import ContractError, InvalidFilter, UnknownField
from headwater.figure_marks import Avg, Count, Group, Max, Min, Sum
from headwater.read_store.buckets import bucket_loader, offsets_of
from headwater.read_store.columns import Column
from headwater.read_store.figures import Figure, GroupBy, Summary, Summed
from headwater.read_store.filters import Requirement
from headwater.read_store.tables import Table
from headwater.reports import ReportField, ReportRow, ReportShape, report_shape

MOST_ROWS = 10_000
_MICROSECOND = timedelta(microseconds=1)
_SUMMED = (int, bool, float, Decimal, timedelta)

Load = Callable[[Any], Any]


class Part(msgspec.Struct, frozen=True):
    """A field of a report's row: what the store is asked for, and the way from its answers to the field's value."""

    name: str
    asked: tuple[GroupBy | Figure, ...]
    load: Load


class Report:
    """The class of a report's rows, on a table."""

    def __init__(self, row: type[ReportRow[Any]], table: Table, parts: tuple[Part, ...]) -> None:
        self._row = row
        self._table = table
        self._parts = parts
        asked = dict.fromkeys(each for part in parts for each in part.asked)
        self._groups = tuple(each for each in asked if isinstance(each, GroupBy))
        self._figures = tuple(each for each in asked if isinstance(each, Figure))
        places = {each: at for at, each in enumerate((*self._groups, *self._figures))}
        self._takers = [(part, operator.itemgetter(*map(places.__getitem__, part.asked))) for part in parts]
        self._names = [part.name for part in parts]
        self._group_names = [part.name for part in parts if isinstance(part.asked[0], GroupBy)]

    def summary(self, conditions: tuple[Requirement, ...]) -> Summary:
        """What to ask the store for."""
        return Summary(table=self._table, conditions=conditions, groups=self._groups, figures=self._figures)

    def rows(self, summed: Summed, sort: str, limit: int) -> list[Any]:
        """The rows, in order, at most ``limit``. Groups go up after the named fields. Raises ``UnknownField``."""
        terms = self._order(sort)
        if not 0 <= limit <= MOST_ROWS:
            raise InvalidFilter(f"a report gives 0 to {MOST_ROWS:,} rows, not {limit}", field="limit")
        made = [self._row(**{part.name: part.load(take(each)) for part, take in self._takers}) for each in summed]
        for name, descending in reversed(terms):
            made.sort(key=_rank(name), reverse=descending)
        return made[:limit]

    def _order(self, sort: str) -> list[tuple[str, bool]]:
        terms: dict[str, bool] = {}
        for word in sort.split(",") if sort.strip() else ():
            name = word.strip().lstrip("+-")
            if name not in self._names:
                raise UnknownField(
                    f"{self._row.__name__} has no field {name!r} to sort by",
                    remedy=f"there are: {', '.join(self._names)}",
                    field=name,
                    allowed=tuple(self._names),
                )
            terms.setdefault(name, word.strip().startswith("-"))
        for name in self._group_names:
            terms.setdefault(name, False)
        return list(terms.items())


def _rank(name: str) -> Callable[[Any], Any]:
    """``None`` is the lowest value, and an enum's member is as its value."""

    def ranked(row: Any) -> Any:
        value = getattr(row, name)
        return (value is not None, 0 if value is None else getattr(value, "value", value))

    return ranked


@lru_cache(maxsize=256)
def report_of(row: type[ReportRow[Any]], table: Table, zone: str | None = None) -> Report:
    """The report that the class of its rows declares, on the table of its read model.

    ``zone`` is for times whose mark names none. Raises ``ContractError`` with every fault, ``InvalidFilter``.
    """
    shape = report_shape(row)
    if faults := tuple(report_faults(shape, table)):
        raise ContractError("; ".join(faults))
    if zone is not None:
        offsets_of(zone)  # refused also where no group needs it
    return Report(row, table, tuple(_part(field, table, zone) for field in shape.fields))


def report_faults(shape: ReportShape, table: Table) -> Iterator[str]:
    """What is wrong with a report's rows on that table: fields it does not have, types that do not fit."""
    yield from shape.faults
    if shape.model is not None and not issubclass(table.model, shape.model):
        yield f"it sums up {shape.model.__name__}, not {table.model.__name__}"
        return
    grouped = any(isinstance(field.mark, Group) for field in shape.fields)
    for field in shape.fields:
        fault = _fault(field, table, grouped=grouped)
        if fault is not None:
            yield f"{field.name}: {fault}"


def _fault(field: ReportField, table: Table, *, grouped: bool) -> str | None:
    if isinstance(field.mark, Count) and field.mark.field is None:
        return None if field.type is int else "a count is an int"
    column = table.column.get(field.source)
    if column is None:
        return f"{table.model.__name__} has no field {field.source!r}; there are {', '.join(table.column)}"
    if column.is_json:
        return f"{column.name} holds nested data, which cannot be compared"
    if isinstance(field.mark, Group):
        return _group_fault(field, field.mark, column)
    return _figure_fault(field, column, grouped=grouped)


def _group_fault(field: ReportField, mark: Group, column: Column) -> str | None:
    if mark.zone is not None:
        try:
            offsets_of(mark.zone)
        except InvalidFilter as error:
            return error.message
    if mark.unit is None:
        wanted: tuple[Any, ...] = (column.type,)
    elif column.type not in (date, datetime):
        return f"{column.name} is a {name_of(column.type)}, which has no {mark.unit}"
    elif column.type is date and mark.unit == "hour":
        return f"{column.name} is a day, which has no hour"
    else:
        forms = (str, date, datetime, int)
        wanted = tuple(form for form in forms if bucket_loader(mark.unit, form, None) is not None)
    if field.type not in wanted:
        return f"is {name_of(field.type)}, but a {' or '.join(map(name_of, wanted))} comes of {column.name}"
    if column.nullable and not field.nullable:
        return f"{column.name} may be None, and so may its group: annotate {name_of(field.type)} | None"
    return None


def _figure_fault(field: ReportField, column: Column, *, grouped: bool) -> str | None:
    word = type(field.mark).__name__
    if isinstance(field.mark, Count):
        return None if field.type is int else "a count is an int"
    if isinstance(field.mark, Sum | Avg) and column.type not in _SUMMED:
        return f"{column.name} is a {name_of(column.type)}, of which there is no {word}"
    if isinstance(field.mark, Min | Max) and column.type is bytes:
        return f"{column.name} holds bytes, of which there is no {word}"
    wanted = _figure_types(field, column)
    if field.type not in wanted:
        return f"is {name_of(field.type)}, but {word} of {column.name} is {' or '.join(map(name_of, wanted))}"
    if not isinstance(field.mark, Sum) and not field.nullable and (column.nullable or not grouped):
        return f"there may be no value: annotate {name_of(field.type)} | None"
    return None


def _figure_types(field: ReportField, column: Column) -> tuple[Any, ...]:
    if isinstance(field.mark, Min | Max):
        return (column.type,)
    plain = int if column.type is bool else column.type
    if isinstance(field.mark, Avg) and plain is int:
        return (float, Decimal)
    return (Decimal, float) if isinstance(field.mark, Avg) and plain is Decimal else (plain,)


def _part(field: ReportField, table: Table, zone: str | None) -> Part:
    mark = field.mark
    if isinstance(mark, Count):
        column = None if mark.field is None else table.column[mark.field]
        return Part(field.name, (Figure("distinct" if mark.distinct else "count", column),), _same)
    column = table.column[field.source]
    if isinstance(mark, Group):
        return Part(field.name, (_group_by(mark, column, zone),), _group_load(field, mark, column, zone))
    if isinstance(mark, Min | Max):
        asked = Figure("min" if isinstance(mark, Min) else "max", column)
        return Part(field.name, (asked,), _or_none(column.load or _same))
    asked = Figure("sum", column)
    if isinstance(mark, Sum):
        return Part(field.name, (asked,), _sum_load(column))
    return Part(field.name, (asked, Figure("count", column)), _mean_load(field.type, column))


def _group_by(mark: Group, column: Column, zone: str | None) -> GroupBy:
    zone = mark.zone or zone
    return GroupBy(column, mark.unit, offsets_of(zone) if zone and mark.unit and column.type is datetime else None)


def _group_load(field: ReportField, mark: Group, column: Column, zone: str | None) -> Load:
    if mark.unit is None:
        return _or_none(_positive if column.type is float else column.load or _same)
    return _or_none(bucket_loader(mark.unit, field.type, mark.zone or zone) or _same)


def _same(value: Any) -> Any:
    return value


def _positive(value: float) -> float:
    """``-0.0`` and ``0.0`` are one group, under one name."""
    return value + 0.0


def _or_none(load: Load) -> Load:
    return lambda value: None if value is None else load(value)


def _sum_load(column: Column) -> Load:
    nothing: Any = {Decimal: Decimal(0), float: 0.0, timedelta: timedelta()}.get(column.type, 0)
    load = _duration if column.type is timedelta else _same
    return lambda value: nothing if value is None else load(value)


def _mean_load(wanted: Any, column: Column) -> Load:
    def mean(summed: tuple[Any, int]) -> Any:
        total, count = summed
        if total is None or not count:
            return None
        if column.type is timedelta:
            return _duration(total // count)
        if wanted is Decimal:
            return Decimal(total) / count
        return float(Decimal(total) / count) if column.type is Decimal else total / count

    return mean


def _duration(microseconds: int) -> timedelta:
    try:
        return _MICROSECOND * microseconds
    except OverflowError as error:
        raise InvalidFilter("a sum of durations is longer than a duration can be") from error
