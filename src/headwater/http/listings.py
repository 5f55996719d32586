"""What a declared query says of itself in the contract: what its fields filter by, and the names it knows.

Reads: queries/declared.py, queries/reports.py. Read next: openapi.py.
"""

from __future__ import annotations

from typing import Any

from headwater.annotations import is_below
from headwater.messages import Query
from headwater.queries.declared import DetailPlan, FilterPlan, ListPlan, declared_plan
from headwater.queries.reports import ReportPlan, ReportQuery, report_plan
from headwater.read_models import Page
from headwater.read_store.views import some_of

Json = dict[str, Any]

_WORDS = {
    "eq": "{} is this value.",
    "ne": "{} is not this value.",
    "in": "{} is one of these values.",
    "range": "{} lies between these bounds.",
    "prefix": "{} begins so.",
    "contains": "{} has this text in it.",
    "null": "{} has no value (or has one, for false).",
    "ge": "{} is at least this value.",
    "gt": "{} is greater than this value.",
    "le": "{} is at most this value.",
    "lt": "{} is less than this value.",
}
_SEARCH = (
    'Words to search for, all of which must be there: `pri*` is a beginning, `"paper jam"` are words in a row, '
    "`-toner` must not be there."
)
_RANGE = " Its bounds are `ge`, `gt`, `le` and `lt`."


def answers_of(cls: type[Query[Any]]) -> tuple[Any, ...]:
    """What else a query may be answered than its type says: a page of rows of which some fields were asked for."""
    plan = declared_plan(cls)
    if isinstance(plan, str):
        return ()
    some: Any = some_of(plan.model)
    page: Any = Page
    return (page[some] if isinstance(plan, ListPlan) else some,)


def describe(cls: type[Query[Any]], schema: Json) -> None:
    """Write into the schema of a declared query, or of a report, what it says of its fields."""
    asked: Any = cls
    plan = report_plan(asked) if is_below(asked, ReportQuery) else declared_plan(asked)
    if isinstance(plan, str):
        return
    told: dict[str, Json] = schema["properties"]
    if not isinstance(plan, ReportPlan):
        told["fields"]["items"] = {"type": "string", "enum": list(plan.model.__struct_fields__)}
    if isinstance(plan, DetailPlan):
        return
    names = "|".join(name.replace(".", "\\.") for name in plan.sortable)
    told["sort"]["pattern"] = f"^([-+]?({names})(,[-+]?({names}))*)?$"
    told["sort"]["x-headwater-sortable"] = list(plan.sortable)
    for each in plan.filters:
        _describe(each, told[_encoded(cls, each.field)])
    if isinstance(plan, ListPlan) and plan.search is not None:
        told[_encoded(cls, plan.search)].setdefault("description", _SEARCH)


def _describe(plan: FilterPlan, told: Json) -> None:
    words = _WORDS[plan.operation].format(" or ".join(plan.columns)) + (_RANGE if plan.operation == "range" else "")
    told.setdefault("description", words)
    told["x-headwater-filter"] = {"fields": list(plan.columns), "operator": plan.operation}


def _encoded(cls: type[Query[Any]], field: str) -> str:
    return cls.__struct_encode_fields__[cls.__struct_fields__.index(field)]
