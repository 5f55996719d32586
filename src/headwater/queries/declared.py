"""From a declared query to what answers it: its fields are read once, checked against the row, and become steps.

Reads: listing.py, read_store/reader.py. Read next: asking.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, TypeAlias, get_args

import msgspec

from headwater.annotations import (
    UNRESOLVED,
    class_of,
    elements,
    has_members,
    is_below,
    is_collection,
    name_of,
    options,
    peel,
    unresolved,
)
from headwater.errors import HeadwaterError, InvalidFilter, RowNotFound
from headwater.messages import Query
from headwater.queries.listing import DetailQuery, Filter, ListQuery, Search, Sortable
from headwater.read_models import RELEVANCE, Page, ReadModel, key_fields
from headwater.read_store.columns import Column
from headwater.read_store.filters import Contains, In, IsNull, Ne, Prefix, Range
from headwater.read_store.reader import Reader
from headwater.read_store.selection import order_of, unknown_field
from headwater.read_store.tables import Table
from headwater.read_store.views import View, base_of, view_faults, view_of

Make: TypeAlias = Callable[[Any], Any]
Operation: TypeAlias = Literal["eq", "in", "range", "ne", "prefix", "contains", "null", "ge", "gt", "le", "lt"]

_OWN = ("sort", "page", "fields")
_NUMBERS = (int, float, Decimal)
_BOUNDS: tuple[Operation, ...] = ("ge", "gt", "le", "lt")
_OPERATIONS: dict[Any, Operation] = {
    Contains: "contains",
    In: "in",
    IsNull: "null",
    Ne: "ne",
    Prefix: "prefix",
    Range: "range",
}


class FilterPlan(msgspec.Struct, frozen=True, kw_only=True):
    """How one field of a list query filters: which ``columns`` of the row, and by which operation."""

    field: str
    columns: tuple[str, ...]
    operation: Operation
    make: Make | None


class ListPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known about a list query: its row, filters, search, and what it may be sorted by and read of."""

    query: type[ListQuery[Any]]
    model: type[ReadModel]
    filters: tuple[FilterPlan, ...]
    search: str | None
    highlight: bool
    sortable: tuple[str, ...]
    fields: tuple[str, ...]
    faults: tuple[str, ...]

    async def answer(self, query: ListQuery[Any], rows: Reader[Any]) -> Page[Any]:
        """The page that the query asks for."""
        reader = filtered(rows, query, self.filters)
        if self.search is not None:
            reader = reader.search(getattr(query, self.search), highlight=self.highlight)
        if query.sort:
            self._refuse_unsortable(query.sort)
            reader = reader.sort(query.sort)
        if query.fields:
            reader = reader.only(*split_fields(query.fields))
        return await reader.page(query.page)

    def _refuse_unsortable(self, sort: str) -> None:
        for word in sort.split(","):
            name = word.strip().removeprefix("-").removeprefix("+")
            if name not in self.sortable:
                raise unknown_field(self.query.__name__, name, "sort by", *self.sortable)


def filtered(rows: Reader[Any], query: Query[Any], filters: Iterable[FilterPlan]) -> Reader[Any]:
    """The rows that meet what a query's fields say."""
    together: dict[str, Any] = {}
    for each in filters:
        value = getattr(query, each.field)
        if value is None or value is msgspec.UNSET:
            continue
        wanted = value if each.make is None else each.make(value)
        if len(each.columns) == 1 and each.columns[0] not in together:
            together[each.columns[0]] = wanted
        else:
            rows = rows.where_any(**dict.fromkeys(each.columns, wanted))
    return rows.where(**together) if together else rows


class DetailPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known about a detail query: its row, and the key."""

    query: type[DetailQuery[Any]]
    model: type[ReadModel]
    keys: tuple[str, ...]
    faults: tuple[str, ...]

    async def answer(self, query: DetailQuery[Any], rows: Reader[Any]) -> Any:
        """The row that the query asks for. Raises ``RowNotFound``."""
        parts = [getattr(query, key) for key in self.keys]
        reader = rows.only(*split_fields(query.fields)) if query.fields else rows
        row = await reader.get(tuple(parts) if len(parts) > 1 else parts[0])
        if row is None:
            key = dict(zip(self.keys, parts, strict=True))
            shown = ", ".join(f"{name} {value!r}" for name, value in key.items())
            name = self.model.__name__
            raise RowNotFound(f"there is no {name} of {shown}", model=name, key=key)
        return row


def declared_plan(cls: type[Query[Any]]) -> ListPlan | DetailPlan | str:
    """Read a declared query once; a string is the fault that leaves no plan at all."""
    base: Any = ListQuery if is_below(cls, ListQuery) else DetailQuery
    model = _model_of(cls, base)
    if model is None:
        return f"{cls.__name__}: say which rows it asks for: class {cls.__name__}({base.__name__}[SomeReadModel])"
    try:
        hints = {field.name: field.type for field in msgspec.structs.fields(cls)}
        faults = list(view_faults(model))
        if faults or not key_fields(base_of(model)):
            return faults[0] if faults else f"{cls.__name__}: {model.__name__} has no key"
        view = view_of(model, lambda each: Table(each.__name__, 1, each))
    except UNRESOLVED as error:
        return f"{cls.__name__}: {unresolved(error)}"
    if base is DetailQuery:
        return _detail_plan(cls, model, hints, view)
    return _list_plan(cls, model, hints, view)


def split_fields(fields: tuple[str, ...]) -> list[str]:
    """Names given one by one, or several in one text with commas between them."""
    return [name.strip() for each in fields for name in each.split(",") if name.strip()]


def _model_of(cls: type[Query[Any]], base: type[Any]) -> type[ReadModel] | None:
    for each in cls.__mro__:
        for generic in getattr(each, "__orig_bases__", ()):
            for argument in get_args(generic):
                if is_below(class_of(generic), base) and is_below(argument, ReadModel):
                    model: type[ReadModel] = argument
                    return model
    return None


def _detail_plan(cls: type[Any], model: type[ReadModel], hints: Mapping[str, Any], view: Table | View) -> DetailPlan:
    keys = key_fields(base_of(model))
    asked = tuple(name for name in hints if name != "fields")
    faults: list[str] = []
    if set(asked) != set(keys):
        faults.append(
            f"{cls.__name__}: the fields of a detail query are the key of {model.__name__}, which is {', '.join(keys)}"
        )
    for name in set(asked).intersection(keys):
        plan = filter_plan(cls, name, hints[name], view)
        if not isinstance(plan, FilterPlan):
            faults.extend(plan)
        elif plan.operation != "eq":
            faults.append(f"{cls.__name__}.{name}: a key is one value, of type {name_of(view.column[name].type)}")
    return DetailPlan(query=cls, model=model, keys=keys, faults=tuple(faults))


def _list_plan(cls: type[Any], model: type[ReadModel], hints: Mapping[str, Any], view: Table | View) -> ListPlan:
    faults: list[str] = []
    filters: list[FilterPlan] = []
    search, highlight = None, False
    for name, hint in hints.items():
        marks = _marks(hint)
        found = next((mark for mark in marks if isinstance(mark, Search)), None)
        if name in _OWN:
            continue
        if found is not None:
            search, highlight = name, found.highlight
            faults.extend(_search_faults(f"{cls.__name__}.{name}", hint, view))
            continue
        plan = filter_plan(cls, name, hint, view)
        if isinstance(plan, FilterPlan):
            filters.append(plan)
        else:
            faults.extend(plan)
    allowed = [column.name for column in view.columns if not column.is_json]
    mark = next((mark for mark in _marks(hints["sort"]) if isinstance(mark, Sortable)), None)
    sortable = tuple(allowed) if mark is None else mark.fields
    faults.extend(_order_faults(cls, view, sortable))
    if search is not None:
        sortable = (RELEVANCE, *(name for name in sortable if name != RELEVANCE))
    return ListPlan(
        query=cls,
        model=model,
        filters=tuple(filters),
        search=search,
        highlight=highlight,
        sortable=sortable,
        fields=model.__struct_fields__,
        faults=tuple(faults),
    )


def filter_plan(cls: type[Any], name: str, hint: Any, view: Table | View) -> FilterPlan | list[str]:
    """How a field filters, or what is wrong with it."""
    where = f"{cls.__name__}.{name}"
    mark = next((mark for mark in _marks(hint) if isinstance(mark, Filter)), Filter())
    bare = peel(options(hint)[0])[1] if len(options(hint)) == 1 else None
    columns = mark.fields or (name,)
    if mark.by is not None and mark.by not in (*_OPERATIONS, *_BOUNDS):
        ways = ", ".join([*(way.__name__ for way in _OPERATIONS), *map(repr, _BOUNDS)])
        return [f"{where}: {mark.by!r} is no way to compare; there are {ways}"]
    faults: list[str] = []
    for column in columns:
        if column not in view.column:
            fault = unknown_field(view.model.__name__, column, "filter by", *view.column)
            faults.append(f"{where}: {fault.message}; {fault.remedy}")
    operation = _operation(mark, bare)
    if bare is None or operation is None:
        return [f"{where}: {name_of(hint)} is nothing to compare a field with"]
    if faults:
        return faults
    value = _value_of(operation, bare)
    for each in columns:
        fault_text = _misfit(operation, value, view.column[each])
        if fault_text:
            faults.append(f"{where}: {fault_text}")
    if faults:
        return faults
    return FilterPlan(field=name, columns=columns, operation=operation, make=_maker(operation, bare))


def _operation(mark: Filter, bare: Any) -> Operation | None:
    if mark.by is not None:
        return mark.by if isinstance(mark.by, str) else _OPERATIONS[mark.by]
    if is_collection(bare):
        return "in"
    own = class_of(bare)
    if own in _OPERATIONS:
        return _OPERATIONS[own]
    return None if has_members(bare) else "eq"


def _value_of(operation: Operation, bare: Any) -> Any:
    """The type of what is compared with the row's field."""
    inner = elements(bare)
    if operation == "null":
        return bare
    if is_collection(bare) or class_of(bare) is Range:
        return peel(options(inner[0])[0])[1] if inner else Any
    return Any if class_of(bare) in _OPERATIONS else bare


def _misfit(operation: Operation, value: Any, column: Column) -> str | None:
    """Why values of that type cannot be compared with a column in that way, if they cannot."""
    if operation == "null":
        if value is not bool and class_of(value) is not IsNull:
            return "whether there is a value is a bool"
        return None if column.nullable else f"{column.name} has a value in every row; leave this out"
    if column.is_json:
        return f"{column.name} holds nested data, which cannot be compared; keep a field of its own for it"
    if operation in ("prefix", "contains") and not column.is_text:
        return f"{column.name} is no text, so no part of it can be looked for"
    if value is Any or value == column.type or _is_number(value, column.type) or _are_values(value, column):
        return None
    return f"{column.name} is {name_of(column.type)} in the row, but {name_of(value)} here"


def _is_number(value: Any, wanted: Any) -> bool:
    return value in _NUMBERS and wanted in _NUMBERS and not (wanted is int and value is not int)


def _are_values(value: Any, column: Column) -> bool:
    """Whether all values of a Literal or Enum are such as the column has; or it has such, and any text may be asked."""
    if class_of(value) is Literal:
        given: list[Any] = list(get_args(value))
    elif is_below(value, Enum):
        given = [member.value for member in value]
    else:
        return value is str and column.kind == "text" and (class_of(column.type) is Literal)
    try:
        return bool([column.bind(each) for each in given])
    except InvalidFilter:
        return False


def _maker(operation: Operation, bare: Any) -> Make | None:
    """What makes the filter of a field's value; ``None`` if it is one already."""
    if class_of(bare) in _OPERATIONS or operation == "eq":
        return None
    return _MAKERS[operation]


def _bound(name: str) -> Make:
    return lambda value: Range(**{name: value})


_MAKERS: dict[str, Make] = {
    "in": In,
    "ne": Ne,
    "prefix": Prefix,
    "contains": Contains,
    "null": IsNull,
    **{name: _bound(name) for name in _BOUNDS},
}


def _search_faults(where: str, hint: Any, view: Table | View) -> Iterator[str]:
    if [peel(option)[1] for option in options(hint)] != [str]:
        yield f"{where}: what to search for is a text: Annotated[str | None, Search()]"
    if not view.searched:
        yield f"{where}: {view.model.__name__} has no field to search; mark one: Annotated[str, Searchable()]"


def _order_faults(cls: type[Any], view: Table | View, sortable: tuple[str, ...]) -> Iterator[str]:
    default = next(field.default for field in msgspec.structs.fields(cls) if field.name == "sort")
    for sort in (*sortable, default if isinstance(default, str) else ""):
        try:
            order_of(view, sort)
        except HeadwaterError as error:
            yield f"{cls.__name__}.sort: {error}"
    for word in default.split(",") if isinstance(default, str) else ():
        name = word.strip().removeprefix("-").removeprefix("+")
        if name in view.column and name not in sortable:
            yield f"{cls.__name__}.sort: it is sorted by {name} by default, which is not among {', '.join(sortable)}"


def _marks(hint: Any) -> tuple[Any, ...]:
    return peel(hint)[0] + tuple(mark for option in options(hint) for mark in peel(option)[0])
