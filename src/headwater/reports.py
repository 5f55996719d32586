"""What users declare for reports: rows of figures, each over a group of a read model's rows.

Reads: read_models.py. Read next: read_store/figures.py (how they are computed), queries/reports.py (as a query).

    class Volume(ReportRow[IncidentRow]):
        month: Annotated[str, Group("opened_at", "month")]
        priority: Annotated[int, Group()]
        incidents: Annotated[int, Count()]
        cost: Annotated[Decimal, Sum("amount")]

A mark without a field means the read model's field of the same name.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Generic, TypeVar, dataclass_transform, get_args, get_origin

import msgspec

from headwater.annotations import is_below, is_optional, options, peel, unresolved
from headwater.figure_marks import MARKS, UNITS, Count, Group, Mark
from headwater.keyword_only import KeywordOnly
from headwater.read_models import ReadModel
from headwater.signatures import is_kind

M = TypeVar("M", bound=ReadModel)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class ReportRow(msgspec.Struct, Generic[M], metaclass=KeywordOnly, frozen=True):
    """One row of a report over a read model. Every field is marked: ``Group Count Sum Min Max Avg``."""


class ReportField(msgspec.Struct, frozen=True):
    """A field of a report row: its mark, the field of the read model it is about, its type without ``None``."""

    name: str
    mark: Mark
    source: str
    type: Any
    nullable: bool


class ReportShape(msgspec.Struct, frozen=True):
    """All that is known about a report row's class, before it meets a table."""

    model: type[ReadModel] | None
    fields: tuple[ReportField, ...]
    faults: tuple[str, ...]


@lru_cache(maxsize=256)
def report_shape(row: type[ReportRow[Any]]) -> ReportShape:
    """Read the class of a report's rows once. Faults are collected."""
    model = _model_of(row)
    faults: list[str] = []
    if model is None:
        faults.append(f"{row.__name__}: say what it sums up: class {row.__name__}(ReportRow[SomeReadModel])")
    fields: list[ReportField] = []
    try:
        for field in msgspec.structs.fields(row):
            found = marked(field.name, field.type)
            if isinstance(found, str):
                faults.append(f"{row.__name__}.{field.name}: {found}")
            else:
                fields.append(found)
    except (NameError, TypeError) as error:
        faults.append(f"{row.__name__}: {unresolved(error)}")
    if not fields and not faults:
        faults.append(f"{row.__name__} has no field; mark one: Annotated[int, Count()]")
    return ReportShape(model, tuple(fields), tuple(faults))


def marked(name: str, hint: Any) -> ReportField | str:
    """A field with its one mark, or what is wrong with it."""
    marks = [mark for mark in peel(hint)[0] if isinstance(mark, MARKS)]
    if len(marks) != 1:
        return "needs one mark of Group, Count, Sum, Min, Max, Avg"
    (mark,) = marks
    if fault := next(_mark_faults(mark), None):
        return fault
    alternatives = options(hint)
    if len(alternatives) != 1:
        return "has several types, where a report needs one"
    return ReportField(name, mark, mark.field or name, peel(alternatives[0])[1], is_optional(hint))


def _mark_faults(mark: Mark) -> Iterator[str]:
    if isinstance(mark, Group):
        if mark.unit is not None and mark.unit not in UNITS:
            yield f"{mark.unit!r} is no unit of time; there are {', '.join(UNITS)}"
        if mark.zone is not None and mark.unit is None:
            yield "a zone is for a unit of time"
    elif isinstance(mark, Count) and mark.distinct and mark.field is None:
        yield "say of what the different values are counted: Count('field', distinct=True)"


def _model_of(row: type[ReportRow[Any]]) -> type[ReadModel] | None:
    for base in row.__mro__:
        for generic in getattr(base, "__orig_bases__", ()):
            arguments = get_args(generic)
            if arguments and is_below(get_origin(generic), ReportRow) and is_kind(arguments[0], ReadModel):
                model: type[ReadModel] = arguments[0]
                return model
    return None
