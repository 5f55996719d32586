"""What is read besides plain rows: rows of other tables beside them, or some of their fields only.

Reads: tables.py, row_marks.py. Read next: selection.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from types import new_class
from typing import Any

import msgspec

from headwater.annotations import is_optional, options, peel
from headwater.read_models import ReadModel, key_fields, marked_fields
from headwater.read_store.columns import Column
from headwater.read_store.tables import Table, Values, row_maker
from headwater.row_marks import Join


class Joined(msgspec.Struct, frozen=True):
    """A table whose rows stand beside others: under which ``name``, and which of their ``fields`` hold its key."""

    name: str
    table: Table
    fields: tuple[Column, ...]


class Reading(msgspec.Struct, frozen=True, eq=False):
    """What is read of each row, by stored names (``caller.name`` for a joined one), and what is ``made`` of it."""

    names: tuple[str, ...]
    made: Callable[[Values], Any]

    def placed(self, order: Iterable[str]) -> Reading:
        """The same, each item in a pair with the values that its place in an order consists of."""
        names, made, width = (*self.names, *order), self.made, len(self.names)
        return Reading(names, lambda values: (made(values[:width]), tuple(values[width:])))


class View:
    """A read model with rows of others beside its own (see ``Join``), as names are looked up in it."""

    def __init__(self, model: type[ReadModel], table: Table, joins: Sequence[Joined]) -> None:
        self.model = model
        self.table = table
        self.joins = tuple(joins)
        self.keys = table.keys
        self.searched = table.searched
        self.language = table.language
        self.columns = (*table.columns, *(column for join in joins for column in _beside(join)))
        self.column = {column.name: column for column in self.columns}
        self.reading = self.read(model, [*(c.name for c in table.columns), *(join.name for join in joins)])

    def read(self, model: type[ReadModel], names: Sequence[str]) -> Reading:
        """How the named fields are read into rows of ``model``; a join is read whole."""
        joins = {join.name: join for join in self.joins}
        own = [name for name in names if name not in joins]
        wanted = [joins[name] for name in names if name in joins]
        columns = [self.table.column[name] for name in own]
        return Reading(
            (*own, *(f"{join.name}.{column.name}" for join in wanted for column in join.table.columns)),
            row_maker(model, columns, [(join.name, join.table) for join in wanted]),
        )


def view_of(model: type[ReadModel], table_of: Callable[[type[ReadModel]], Table]) -> Table | View:
    """What shows the rows of a read model: its table, or a view of it if it has others beside it."""
    if not is_view(model):
        return table_of(model)
    table = table_of(base_of(model))
    joins = [
        Joined(name, table_of(other), tuple(table.column[field] for field in join.fields))
        for name, join, other in joins_of(model)
    ]
    return View(model, table, joins)


def is_view(model: type[ReadModel]) -> bool:
    """Whether a model has rows of others beside its own, so that nothing fills it."""
    return any(isinstance(mark, Join) for _, marks, _ in marked_fields(model) for mark in marks)


def base_of(model: type[ReadModel]) -> type[ReadModel]:
    """The model whose rows it shows: itself, or for a view the nearest class above it that is none."""
    return next(cls for cls in model.__mro__ if not is_view(cls)) if is_view(model) else model


def joins_of(model: type[ReadModel]) -> Iterator[tuple[str, Join, type[ReadModel]]]:
    """The joins of a model: the field, its mark, and the other model."""
    for name, marks, hint in marked_fields(model):
        for mark in marks:
            if isinstance(mark, Join):
                yield name, mark, peel(options(hint)[0])[1]


def sources_of(model: type[ReadModel]) -> tuple[type[ReadModel], ...]:
    """The models that are filled, and whose rows are read where this one is asked for."""
    return (base_of(model), *(other for _, _, other in joins_of(model)))


def view_faults(model: type[ReadModel]) -> Iterator[str]:
    """What is wrong with the joins of a model."""
    base = base_of(model)
    if base is model:
        return
    if not key_fields(base):
        yield f"{model.__name__}: make it a class below the read model whose rows it shows"
        return
    own = {name: hint for name, _, hint in marked_fields(base)}
    joined = {name for name, _, _ in joins_of(model)}
    for name in model.__struct_fields__:
        if name not in own and name not in joined:
            yield f"{model.__name__}.{name}: nothing fills it; beside the fields of {base.__name__} stand joins only"
    for name, mark, other in joins_of(model):
        yield from _join_faults(f"{model.__name__}.{name}", mark, other, own, _hint_of(model, name))


def _join_faults(where: str, mark: Join, other: Any, own: dict[str, Any], hint: Any) -> Iterator[str]:
    if not (isinstance(other, type) and issubclass(other, ReadModel)) or is_view(other) or not is_optional(hint):
        yield f"{where}: annotate it with a read model that a projection fills: Annotated[CallerRow | None, Join(...)]"
        return
    for field in mark.fields:
        if field not in own:
            yield f"{where}: {mark!r} names {field!r}, which is no field; there are: {', '.join(own)}"
    keys = key_fields(other)
    if len(mark.fields) != len(keys):
        yield f"{where}: {mark!r} must name as many fields as the key of {other.__name__} has: {', '.join(keys)}"
        return
    for field, key in zip(mark.fields, keys, strict=True):
        if field in own and _bare(own[field]) != _bare(_hint_of(other, key)):
            yield f"{where}: {field} has another type than {other.__name__}.{key}"


@lru_cache(maxsize=512)
def reading_of(view: Table | View, fields: tuple[str, ...]) -> Reading:
    """How some fields of a table or view are read; the others are left out."""
    if isinstance(view, View):
        return view.read(some_of(view.model), fields)
    columns = [view.column[name] for name in fields]
    return Reading(fields, row_maker(some_of(view.model), columns))


@lru_cache(maxsize=256)
def some_of(model: type[ReadModel]) -> type[ReadModel]:
    """The same model with every field left out that is not filled in: what is made where some fields are asked for."""
    hints = {name: hint | msgspec.UnsetType for name, _, hint in marked_fields(model)}
    body = {
        "__annotations__": hints,
        "__doc__": f"{model.__name__}, of which some fields were asked for.",
        "__module__": model.__module__,
        **dict.fromkeys(hints, msgspec.UNSET),
    }
    made: Any = new_class(f"Some{model.__name__}", (model,), {"frozen": True}, lambda space: space.update(body))
    some: type[ReadModel] = made
    return some


def _beside(join: Joined) -> Iterator[Column]:
    """The columns of a joined table, as they are named in the whole; where there is no row, there is no value."""
    for column in join.table.columns:
        yield msgspec.structs.replace(
            column, name=f"{join.name}.{column.name}", nullable=True, is_key=False, indexes=(), search=None
        )


def _hint_of(model: type[ReadModel], field: str) -> Any:
    return next(hint for name, _, hint in marked_fields(model) if name == field)


def _bare(hint: Any) -> Any:
    return peel(options(hint)[0])[1]
