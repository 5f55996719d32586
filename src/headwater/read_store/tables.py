"""A read model as a table: names, columns, ways between rows and values. Reads: columns.py. Read next: filters.py.

Rows are made and taken apart by functions generated for each model, as dataclasses do it: a page of rows costs little
more than fetching it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import Any, TypeAlias

import msgspec

from headwater.errors import InvalidFilter, ProjectionError
from headwater.read_models import ProjectionPlan, ReadModel, language_of
from headwater.read_store.columns import Column, Stored, columns_of

Values: TypeAlias = tuple[Stored, ...]
RowKey: TypeAlias = Any
"""A row's key as it is stored: one value, or a tuple of values for a key of several fields."""

_LONGEST_NAME = 48
_WORDS_ONLY = ("title", "description")
_WORDS_REVISION = 1
"""Raise it when texts give other words than before: what is stored is then built anew."""
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOT_PLAIN = re.compile(r"[^a-z0-9_]+")


class Table:
    """Where the rows of a read model stand, for one version of the projection that fills them.

    ``names`` are all stored columns: those of the fields, then the hidden ones that Decimals are sorted by, then those
    with the words of ``searched`` texts, in the ``language`` that they are searched in. The table is named after the
    projection, and after the model too where that is not its ``sole`` one. There may be two tables, so that one can be
    filled while the other is read: ``side`` 0 and 1. ``identity`` names both; ``stored_name`` names the one that is
    read now, be it the other side's or that of another version with rows of the same shape. In a table that ``is_open``
    a row may hold a list or the like: whoever puts something into that has changed the row, be it the same object.
    """

    def __init__(
        self, projection: str, version: int, model: type[ReadModel], side: int = 0, *, sole: bool = True
    ) -> None:
        self.projection = projection
        self.version = version
        self.model = model
        self.side = side
        self._sole = sole
        self._other: Table | None = None
        self.name = self.stored_name = self.name_in(version, side)
        self.identity = self.name_in(version, 0)
        self.columns = columns_of(model)
        self.column = {column.name: column for column in self.columns}
        self.keys = tuple(column for column in self.columns if column.is_key)
        self.is_open = any(column.is_json for column in self.columns)
        self.searched = tuple(column for column in self.columns if column.search is not None)
        self.weights = tuple(sorted({column.weight for column in self.searched}, reverse=True))
        self.language = language_of(model)
        self.names = (
            *(c.name for c in self.columns),
            *(c.order_name for c in self.columns if c.order is not None),
            *(c.search_name for c in self.searched),
        )
        self.values_of: Callable[[Any], Values] = _taker(self.columns)
        self.row_of: Callable[[Any], Any] = row_maker(model, self.columns)
        self.settled: Callable[[Any, Any], Any] = _settler(self.columns)
        self.copied: Callable[[Any], Any] = _copier(self.columns)
        self.row_key: Callable[[Any], RowKey] = _keyer(self.keys)
        self.key_of: Callable[[Values], RowKey] = operator.itemgetter(
            *map(self.names.index, (k.name for k in self.keys))
        )
        self.fingerprint = self._fingerprint()

    @property
    def plain_key(self) -> type[Any] | None:
        """The type of a key that consists of one field and is stored as it is; ``None`` for any other key."""
        (key, *others) = self.keys
        return None if others or key.store is not None else key.type

    def on(self, side: int) -> Table:
        """The table on that side."""
        if side == self.side:
            return self
        if self._other is None:
            self._other = Table(self.projection, self.version, self.model, side, sole=self._sole)
        return self._other

    def name_in(self, version: int, side: int) -> str:
        """What the table is called for that version, on that side."""
        return _table_name(_stem(self.projection, self.model, sole=self._sole), version, side)

    def stored_key(self, key: Any) -> RowKey:
        """A key as handlers give it (one value, or a tuple of values), as it is stored.

        Raises ``ProjectionError`` if it is not one.
        """
        if len(self.keys) == 1:
            if key is None or key.__class__ is tuple:
                raise self._no_key(key)
            way = self.keys[0].store
            return way(key) if way else key
        parts = self._parts(key)
        if parts is None:
            raise self._no_key(key)
        return tuple(column.comparable(part) for column, part in zip(self.keys, parts, strict=True))

    def bound_key(self, key: Any) -> RowKey:
        """A key as a query gives it: checked, as it is stored. Raises ``InvalidFilter``."""
        if len(self.keys) == 1:
            return self.keys[0].bind(key)
        parts = self._parts(key)
        if parts is None:
            raise InvalidFilter(f"{key!r} is no key of {self.model.__name__}, which is a tuple ({self._key_names()})")
        return tuple(column.bind(part) for column, part in zip(self.keys, parts, strict=True))

    def _fingerprint(self) -> str:
        """Changes exactly when stored rows can no longer be read, or searched, as rows of the model."""
        facts: list[Any] = [[c.name, c.kind, c.nullable, c.is_key, _type_fact(c)] for c in self.columns]
        if self.searched:
            facts.append([_WORDS_REVISION, self.language])
            facts += [[column.name, self.weights.index(column.weight)] for column in self.searched]
        return blake2b(msgspec.json.encode(facts), digest_size=12).hexdigest()

    def _parts(self, key: Any) -> tuple[Any, ...] | None:
        return key if key.__class__ is tuple and len(key) == len(self.keys) else None

    def _key_names(self) -> str:
        return ", ".join(column.name for column in self.keys)

    def _no_key(self, key: Any) -> ProjectionError:
        return ProjectionError(f"{key!r} is no key of {self.model.__name__}, which is ({self._key_names()})")


def tables_of(plan: ProjectionPlan, side: int = 0) -> tuple[Table, ...]:
    """The tables that a projection fills, on one side."""
    sole = len(plan.models) == 1
    return tuple(Table(plan.name, plan.version, model, side, sole=sole) for model in plan.models)


def table_names(plan: ProjectionPlan) -> tuple[str, ...]:
    """What the tables of a projection are called at its first version. No other projection may have one of them."""
    sole = len(plan.models) == 1
    return tuple(_table_name(_stem(plan.name, model, sole=sole), 1, 0) for model in plan.models)


def _stem(projection: str, model: type[ReadModel], *, sole: bool) -> str:
    return projection if sole else f"{projection}_{model.__name__}"


def _table_name(projection: str, version: int, side: int) -> str:
    """``group_loads_v1``, ``group_loads_v1_b``; what would be too long or not plain is told apart by a digest."""
    full = f"{projection}_v{version}" + ("_b" if side else "")
    plain = _NOT_PLAIN.sub("_", _WORDS.sub("_", full).lower())
    if len(plain) <= _LONGEST_NAME and full.isascii() and full.replace("_", "").isalnum():
        return plain
    return f"{plain[:_LONGEST_NAME]}_{blake2b(full.encode(), digest_size=4).hexdigest()}"


def _taker(columns: Sequence[Column]) -> Callable[[Any], Values]:
    """Compile ``row -> values``, hidden columns at the end."""
    known: dict[str, Any] = {}
    ways = [(c, f"store_{c.name}", c.store) for c in columns]
    ways += [(c, f"order_{c.name}", c.order) for c in columns if c.order is not None]
    ways += [(c, f"search_{c.name}", c.search) for c in columns if c.search is not None]
    parts = [_part(known, f"row.{c.name}", name, way, nullable=c.nullable) for c, name, way in ways]
    made: Callable[[Any], Values] = _compiled(f"def made(row):\n    return ({', '.join(parts)},)\n", known)
    return made


def _keyer(keys: Sequence[Column]) -> Callable[[Any], RowKey]:
    """``row -> key``, compiled where something is not stored as it is."""
    if all(key.store is None for key in keys):
        return operator.attrgetter(*(key.name for key in keys))
    known: dict[str, Any] = {}
    parts = [_part(known, f"row.{key.name}", f"store_{key.name}", key.store, nullable=False) for key in keys]
    made: Callable[[Any], RowKey] = _compiled(f"def made(row):\n    return {', '.join(parts)}\n", known)
    return made


def _settler(columns: Sequence[Column]) -> Callable[[Any, Any], Any]:
    """Compile ``row, the row before it or None -> row``, with all values as they will be when they are read.

    So a row in hand is the same as the row when it was stored and looked up again: a moment is in UTC, and a list is
    the row's own. What is the very value of the row before is settled already.
    """
    known: dict[str, Any] = {"replace": msgspec.structs.replace}
    lines: list[str] = []
    for column in columns:
        if column.settle is not None:
            name = column.name
            known[f"settle_{name}"] = column.settle
            lines += [
                f"    value = row.{name}",
                f"    if value is not None and (before is None or value is not before.{name}):",
                f"        settled = settle_{name}(value)",
                "        if settled is not value:",
                f"            row = replace(row, {name}=settled)",
            ]
    made: Callable[[Any, Any], Any] = _compiled(
        "\n".join(["def made(row, before):", *lines, "    return row", ""]), known
    )
    return made


def _copier(columns: Sequence[Column]) -> Callable[[Any], Any]:
    """Compile ``row -> row`` with lists and the like of its own: what is put into the one is not in the other."""
    known: dict[str, Any] = {"replace": msgspec.structs.replace}
    parts = [
        f"{c.name}={_part(known, f'row.{c.name}', f'copy_{c.name}', c.copy, nullable=True)}"
        for c in columns
        if c.copy is not None
    ]
    made: Callable[[Any], Any] = _compiled(f"def made(row):\n    return replace(row, {', '.join(parts)})\n", known)
    return made


def row_maker(
    model: type[ReadModel], columns: Sequence[Column], joins: Sequence[tuple[str, Table]] = ()
) -> Callable[[Any], Any]:
    """Compile ``values -> row``: those of the columns, then for each join those of the other table's row.

    No row stands beside where the first part of its key is NULL.
    """
    known: dict[str, Any] = {"model": model}
    value = "v[{}]" if joins else "v{}"  # taken apart at once where all are single values
    parts = [
        f"{c.name}={_part(known, value.format(number), f'load_{c.name}', c.load, nullable=c.nullable)}"
        for number, c in enumerate(columns)
    ]
    at = len(columns)
    for name, table in joins:
        known[f"row_{name}"] = table.row_of
        key, end = at + table.columns.index(table.keys[0]), at + len(table.columns)
        parts.append(f"{name}=None if v[{key}] is None else row_{name}(v[{at}:{end}])")
        at = end
    taken = "v" if joins else "".join(f"v{number}, " for number in range(len(columns)))
    source = f"def made(values):\n    {taken} = values\n    return model({', '.join(parts)})\n"
    made: Callable[[Any], Any] = _compiled(source, known)
    return made


def _part(known: dict[str, Any], value: str, name: str, way: Callable[[Any], Any] | None, *, nullable: bool) -> str:
    if way is None:
        return value
    known[name] = way
    return f"(None if {value} is None else {name}({value}))" if nullable else f"{name}({value})"


def _compiled(source: str, known: dict[str, Any]) -> Any:
    """The function ``made`` of the source, which consists of field names (identifiers, by Python's own rules)."""
    exec(source, known)  # noqa: S102  no value of a user is in it
    return known["made"]


def _type_fact(column: Column) -> Any:
    if not column.is_json:
        return "" if column.store is None else getattr(column.type, "__name__", "literal")
    try:
        return _without_words(msgspec.json.schema(column.type))
    except TypeError:  # a model of another library; its name must do
        return str(column.type)


def _without_words(schema: Any) -> Any:
    """A JSON Schema without titles and descriptions, which say nothing about the shape."""
    if schema.__class__ is dict:
        members = [
            (name, part) for name, part in schema.items() if part.__class__ is not str or name not in _WORDS_ONLY
        ]
        return {name: _without_words(part) for name, part in members}
    if schema.__class__ is list:
        return [_without_words(part) for part in schema]
    return schema
