"""Reports that are declared as queries and need no handler. Reads: reports.py, declared.py. Read next: asking.py.

class VolumeByMonth(ReportQuery[Volume]):
    priority: int | None = None              # a filter, as in a ListQuery
    sort: Sort = "-incidents"
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Generic, TypeVar, get_args

import msgspec
from msgspec import Meta

from headwater.annotations import UNRESOLVED, class_of, is_below, unresolved
from headwater.messages import Query
from headwater.queries.declared import FilterPlan, filter_plan, filtered
from headwater.read_models import ReadModel, Sort
from headwater.read_store.reader import Reader
from headwater.read_store.reporting import MOST_ROWS, report_faults
from headwater.read_store.selection import unknown_field
from headwater.read_store.tables import Table
from headwater.reports import ReportRow, report_shape

V = TypeVar("V", bound=ReportRow[Any])

_OWN = ("sort", "limit", "zone")


class ReportQuery(Query[list[V]], Generic[V], frozen=True, forbid_unknown_fields=True):
    """Figures over the rows of a read model that meet all filters, one row for each group.

    Its fields filter as those of a ``ListQuery``. ``sort`` names fields of the report's own rows (default: by group);
    ``zone`` is the time zone of groups that name none.
    """

    sort: Sort = ""
    limit: Annotated[int, Meta(ge=1, le=MOST_ROWS)] = 1_000
    zone: str | None = None


class ReportPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known about a report query: its rows, the read model that they sum up, its filters."""

    query: type[ReportQuery[Any]]
    row: type[ReportRow[Any]]
    model: type[ReadModel]
    filters: tuple[FilterPlan, ...]
    sortable: tuple[str, ...]
    faults: tuple[str, ...]

    async def answer(self, query: ReportQuery[Any], rows: Reader[Any]) -> list[Any]:
        """The report that the query asks for."""
        reader = filtered(rows, query, self.filters)
        return await reader.report(self.row, sort=query.sort, limit=query.limit, zone=query.zone)


def report_plan(cls: type[ReportQuery[Any]]) -> ReportPlan | str:
    """Read a report query once; a string is the fault that leaves no plan at all."""
    row = _row_of(cls)
    if row is None:
        return f"{cls.__name__}: say which rows it gives: class {cls.__name__}(ReportQuery[SomeReportRow])"
    shape = report_shape(row)
    if shape.model is None:
        return f"{cls.__name__}: {shape.faults[0]}"
    try:
        table = Table(shape.model.__name__, 1, shape.model)
        found = list(_filters(cls, table))
    except UNRESOLVED as error:
        return f"{cls.__name__}: {unresolved(error)}"
    faults = [f"{row.__name__}: {fault}" for fault in report_faults(shape, table)]
    return ReportPlan(
        query=cls,
        row=row,
        model=shape.model,
        filters=tuple(each for each in found if isinstance(each, FilterPlan)),
        sortable=row.__struct_fields__,
        faults=(*faults, *_order_faults(cls, row), *(each for each in found if isinstance(each, str))),
    )


def _order_faults(cls: type[ReportQuery[Any]], row: type[ReportRow[Any]]) -> Iterator[str]:
    default = next(field.default for field in msgspec.structs.fields(cls) if field.name == "sort")
    for word in default.split(",") if isinstance(default, str) and default.strip() else ():
        name = word.strip().lstrip("+-")
        if name not in row.__struct_fields__:
            fault = unknown_field(row.__name__, name, "sort by", *row.__struct_fields__)
            yield f"{cls.__name__}.sort: {fault.message}; {fault.remedy}"


def _filters(cls: type[ReportQuery[Any]], table: Table) -> Iterator[FilterPlan | str]:
    for field in msgspec.structs.fields(cls):
        if field.name not in _OWN:
            plan = filter_plan(cls, field.name, field.type, table)
            yield from [plan] if isinstance(plan, FilterPlan) else plan


def _row_of(cls: type[ReportQuery[Any]]) -> type[ReportRow[Any]] | None:
    for base in cls.__mro__:
        for generic in getattr(base, "__orig_bases__", ()):
            for argument in get_args(generic):
                if is_below(class_of(generic), ReportQuery) and is_below(argument, ReportRow):
                    row: type[ReportRow[Any]] = argument
                    return row
    return None
