"""From tables and selections to SQL, in any database's words. Reads: selection.py. Read next: a backend's row_plans.py.

A text depends on a selection's shape only (names, operators, how many values, which of them are NULL), so it is made
once a shape and stays prepared. Names come from declared read models alone, and values are always bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TypeAlias

import msgspec

from headwater.read_store.columns import Column, Stored
from headwater.read_store.filters import Alternatives, Requirement
from headwater.read_store.searching import Search
from headwater.read_store.selection import Selection
from headwater.read_store.tables import Table

_OWN = "own row"
"""What the table itself is called where others are joined to it: no name of a field."""
_COMPARISONS = {"eq": "=", "ne": "<>", "ge": ">=", "gt": ">", "le": "<=", "lt": "<"}

TermShape: TypeAlias = tuple[str, bool, bool, bool]
"""Of a term of the order: column, descending, may be NULL, and whether the value to go on from is NULL."""
ConditionShape: TypeAlias = "tuple[str, str, int | tuple[tuple[ConditionShape, ...], ...]]"
"""Of a condition: column, operator, number of values; of alternatives: their shapes."""


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever it is."""
    return '"' + name.replace('"', '""') + '"'


def as_written(sql: str) -> str:
    """For a database that takes ``?`` for a value to bind."""
    return sql


class Dialect(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Where databases differ. One stands for each database, and texts are kept by it.

    ``identifier`` makes a name of SQL, and ``parameters`` turns each ``?`` of a finished text into what stands for a
    value there. ``first`` and ``last`` put NULL lowest in an ascending and a descending order, where it may occur.
    """

    contains: str
    never: str
    no_limit: int | None
    first: str = ""
    last: str = ""
    identifier: Callable[[str], str] = quoted
    parameters: Callable[[str], str] = as_written

    def named(self, name: str) -> str:
        """A column; a dot stands between it and its table."""
        return ".".join(map(self.identifier, name.split(".")))

    def ordered(self, name: str, *, descending: bool, nullable: bool) -> str:
        """A column in an order or an index."""
        way = "DESC" if descending else "ASC"
        nulls = (self.last if descending else self.first) if nullable else ""
        return f"{self.named(name)} {way}{nulls}"


class TableNames:
    """A table as statements name it: itself, its columns, its key. ``get`` is the statement for the row of a key."""

    def __init__(self, table: Table, dialect: Dialect, place: str = "") -> None:
        self.table = table
        self.dialect = dialect
        self.place = place
        self.name = self.beside(table)
        self.columns = ", ".join(dialect.identifier(column.name) for column in table.columns)
        self.key = [dialect.identifier(key.order_name) for key in table.keys]
        given = " AND ".join(f"{name} = ?" for name in self.key)
        self.get = dialect.parameters(f"SELECT {self.columns} FROM {self.name} WHERE {given}")  # noqa: S608

    def beside(self, table: Table) -> str:
        """The name of another table of the same store."""
        return self.place + self.dialect.identifier(table.stored_name)

    def searched(self, search: Search, *, is_ranked: bool) -> tuple[str, list[Stored]]:
        """What selects the rows that a search finds, with their ``relevance`` if they are ranked, and its bindings."""
        raise NotImplementedError


def indexes_of(table: Table) -> Iterator[tuple[str, tuple[Column, ...]]]:
    """Names and columns of the indexes: each ``Indexed()`` field, what it names, and the key, as every order is."""
    for column in table.columns:
        for then in column.indexes:
            listed = {each.name: each for each in (column, *(table.column[name] for name in then), *table.keys)}
            if tuple(listed.values()) != tuple(table.keys):
                yield "_".join(("ix", table.name, column.name, *then)), tuple(listed.values())


def selecting(names: TableNames, selection: Selection) -> tuple[str, list[Stored]]:
    """The statement that selects rows, and its bindings."""
    is_plain = selection.search is None and not selection.joins
    source, values = (names.name, list[Stored]()) if is_plain else _source(names, selection)
    joined = bool(selection.joins)
    shape = _bind_conditions(selection.conditions, values, joined=joined) if selection.conditions else ()
    after = selection.after
    terms = tuple(
        [
            (
                _address(term.column.order_name) if joined else term.column.order_name,
                term.descending,
                term.column.nullable,
                after is not None and after[number] is None,
            )
            for number, term in enumerate(selection.order)
        ]
    )
    if after is not None:
        values += _bind_place(terms, after)
    values.append(names.dialect.no_limit if selection.limit is None else selection.limit)
    reading = selection.reading
    columns = names.columns if reading is None else _listed(names.dialect, reading.names, joined)
    return _select(names.dialect, source, columns, shape, terms, after is not None), values


def counting(names: TableNames, selection: Selection) -> tuple[str, list[Stored]]:
    """The statement that counts the rows that meet the conditions, and its bindings."""
    source, values = _source(names, selection, is_counted=True)
    shape = _bind_conditions(selection.conditions, values, joined=bool(selection.joins))
    return _count(names.dialect, source, shape), values


def filtering(dialect: Dialect, conditions: Sequence[Requirement]) -> tuple[str, list[Stored]]:
    """The WHERE of these conditions (empty for none), and its bindings: what other statements over rows begin with."""
    values: list[Stored] = []
    shape = _bind_conditions(conditions, values, joined=False)
    return _where([_condition(dialect, each) for each in shape]), values


def _source(names: TableNames, selection: Selection, *, is_counted: bool = False) -> tuple[str, list[Stored]]:
    """Where the rows come from: the table, what a search finds in it, the tables joined to it; and bindings."""
    search, joins = selection.search, selection.joins
    if search is None and not joins:
        return names.name, []
    source, values = names.name, list[Stored]()
    if search is not None:
        source, values = names.searched(search, is_ranked=selection.is_ranked and not is_counted)
    own = names.dialect.identifier(_OWN)
    source = f"{source} AS {own}"
    for join in joins:
        other = names.dialect.identifier(join.name)
        same = " AND ".join(
            f"{other}.{names.dialect.identifier(key.order_name)} = {own}.{names.dialect.identifier(field.order_name)}"
            for key, field in zip(join.table.keys, join.fields, strict=True)
        )
        source += f" LEFT JOIN {names.beside(join.table)} AS {other} ON {same}"
    return source, values


def _address(name: str) -> str:
    """A column's name with its table, where there are several."""
    return name if "." in name else f"{_OWN}.{name}"


@lru_cache(maxsize=256)
def _listed(dialect: Dialect, names: tuple[str, ...], joined: bool) -> str:  # noqa: FBT001  a cache key
    return ", ".join(dialect.named(_address(name) if joined else name) for name in names)


def _bind_conditions(
    conditions: Sequence[Requirement], values: list[Stored], *, joined: bool
) -> tuple[ConditionShape, ...]:
    shape: list[ConditionShape] = []
    for condition in conditions:
        if isinstance(condition, Alternatives):
            inner = tuple(_bind_conditions(option, values, joined=joined) for option in condition.options)
            shape.append(("", "any", inner))
            continue
        bound = condition.values
        if condition.operator == "in" and bound:  # few lengths, so that few statements are prepared
            bound = (*bound, *[bound[-1]] * ((1 << (len(bound) - 1).bit_length()) - len(bound)))
        values += bound
        column, operator = condition.column, condition.operator
        name = _address(column.order_name) if joined else column.order_name
        shape.append((name, "ne or null" if operator == "ne" and column.nullable else operator, len(bound)))
    return tuple(shape)


@lru_cache(maxsize=512)
def _select(
    dialect: Dialect,
    table: str,
    columns: str,
    conditions: tuple[ConditionShape, ...],
    terms: tuple[TermShape, ...],
    is_placed: bool,  # noqa: FBT001  a cache key
) -> str:
    where = [_condition(dialect, shape) for shape in conditions]
    if is_placed:
        where.append(_beyond(dialect, terms))
    order = ", ".join(
        dialect.ordered(name, descending=descending, nullable=nullable) for name, descending, nullable, _ in terms
    )
    return dialect.parameters(f"SELECT {columns} FROM {table}{_where(where)} ORDER BY {order} LIMIT ?")  # noqa: S608


@lru_cache(maxsize=256)
def _count(dialect: Dialect, table: str, conditions: tuple[ConditionShape, ...]) -> str:
    where = _where([_condition(dialect, shape) for shape in conditions])
    return dialect.parameters(f"SELECT count(*) FROM {table}{where}")  # noqa: S608


def _where(parts: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(parts)}" if parts else ""


def _condition(dialect: Dialect, shape: ConditionShape) -> str:
    name, operator, values = shape
    if not isinstance(values, int):
        together = (" AND ".join(_condition(dialect, each) for each in option) for option in values)
        return f"({' OR '.join(f'({option})' for option in together)})"
    column = dialect.named(name)
    if operator == "ne or null":
        return f"({column} <> ? OR {column} IS NULL)"
    if operator in _COMPARISONS:
        return f"{column} {_COMPARISONS[operator]} ?"
    if operator == "in":
        return f"{column} IN ({', '.join('?' * values)})" if values else dialect.never
    if operator == "contains":
        return dialect.contains.format(column)
    return f"{column} IS {'NULL' if operator == 'null' else 'NOT NULL'}"


def _beyond(dialect: Dialect, terms: Sequence[TermShape]) -> str:
    """Strictly after a place in the order. ``_bind_place`` binds in the same sequence."""
    if _is_uniform(terms):
        names = ", ".join(dialect.named(name) for name, _, _, _ in terms)
        return f"({names}) {'<' if terms[0][1] else '>'} ({', '.join('?' * len(terms))})"
    first = dialect.named(terms[0][0])
    alternatives: list[str] = []
    for number, term in enumerate(terms):
        level = [f"{dialect.named(name)} {'IS NULL' if null else '= ?'}" for name, _, _, null in terms[:number]]
        alternatives.append(f"({' AND '.join([*level, _after(dialect, term)])})")
    beyond = f"({' OR '.join(alternatives)})"
    if _is_bounded(terms[0]):  # says the same once more, in a form that an index can start from
        return f"{first} {'<=' if terms[0][1] else '>='} ? AND {beyond}"
    return beyond


def _bind_place(terms: Sequence[TermShape], after: Sequence[Stored]) -> Iterator[Stored]:
    if _is_uniform(terms):
        yield from after
        return
    if _is_bounded(terms[0]):
        yield after[0]
    for number in range(len(terms)):
        yield from (value for value in after[: number + 1] if value is not None)


def _is_uniform(terms: Sequence[TermShape]) -> bool:
    """All one way and never NULL: then a comparison of rows says it, which databases answer from an index."""
    return all(descending == terms[0][1] and not nullable for _, descending, nullable, _ in terms)


def _is_bounded(term: TermShape) -> bool:
    """Whether a bound on the first term leaves nothing out: NULL comes first ascending, last descending."""
    _, descending, nullable, is_null = term
    return not is_null and not (descending and nullable)


def _after(dialect: Dialect, term: TermShape) -> str:
    name, descending, nullable, is_null = term
    column = dialect.named(name)
    if is_null:
        return dialect.never if descending else f"{column} IS NOT NULL"
    if descending:
        return f"({column} < ? OR {column} IS NULL)" if nullable else f"{column} < ?"
    return f"{column} > ?"
