"""From tables and selections to SQL. Reads: read_store/selection.py. Read next: row_reading.py, row_writing.py.

A text depends on a selection's shape only (names, operators, how many values, which of them are NULL), so it is made
once a shape and stays prepared. Names come from declared read models alone, and values are always bound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TypeAlias

from headwater.backends.sqlite.driver import Value
from headwater.read_store.columns import Column
from headwater.read_store.filters import Condition
from headwater.read_store.selection import Selection
from headwater.read_store.tables import RowKey, Table

_TYPES = {"integer": "INTEGER", "real": "REAL", "text": "TEXT", "blob": "BLOB"}
_COMPARISONS = {"eq": "=", "ge": ">=", "gt": ">", "le": "<=", "lt": "<"}

TermShape: TypeAlias = tuple[str, bool, bool, bool]
"""Of a term of the order: column, descending, may be NULL, and whether the value to go on from is NULL."""
ConditionShape: TypeAlias = tuple[str, str, int]
"""Of a condition: column, operator, number of values."""


class TableSql:
    """The statements of one table."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.name = _quoted(table.name)
        self.columns = ", ".join(_quoted(column.name) for column in table.columns)
        self.key = [_quoted(key.order_name) for key in table.keys]
        given = " AND ".join(f"{name} = ?" for name in self.key)
        self.get = f"SELECT {self.columns} FROM {self.name} WHERE {given}"  # noqa: S608
        self.create = self._create()
        self.indexes = dict(self._indexes())

    def _create(self) -> str:
        columns = [_definition(column.name, column) for column in self.table.columns]
        columns += [_definition(column.order_name, column) for column in self.table.columns if column.order is not None]
        # Short rows stand in the key's own tree: one look-up less. Long ones (JSON, bytes) would make it deep.
        is_long = any(column.is_json or column.kind == "blob" for column in self.table.columns)
        options = "STRICT" if is_long else "STRICT, WITHOUT ROWID"
        return f"CREATE TABLE {self.name} ({', '.join(columns)}, PRIMARY KEY ({', '.join(self.key)})) {options}"

    def _indexes(self) -> Iterator[tuple[str, str]]:
        """Of each indexed field, followed by what it names and by the key, as every order is."""
        for column in self.table.columns:
            for then in column.indexes:
                name = "_".join(("ix", self.table.name, column.name, *then))
                fields = (column, *(self.table.column[field] for field in then))
                listed = tuple(dict.fromkeys((*(_quoted(field.order_name) for field in fields), *self.key)))
                if listed != tuple(self.key):
                    yield name, f"CREATE INDEX {_quoted(name)} ON {self.name} ({', '.join(listed)})"

    @lru_cache(maxsize=16)  # noqa: B019  lives as long as the store
    def put(self, rows: int) -> str:
        """Store so many rows under their keys."""
        one = f"({', '.join('?' * len(self.table.names))})"
        return f"INSERT OR REPLACE INTO {self.name} VALUES {', '.join([one] * rows)}"  # noqa: S608

    @lru_cache(maxsize=16)  # noqa: B019  lives as long as the store
    def delete(self, keys: int) -> str:
        """Delete the rows of so many keys."""
        return f"DELETE FROM {self.name} WHERE {self._is_one_of(keys)}"  # noqa: S608

    @lru_cache(maxsize=16)  # noqa: B019  lives as long as the store
    def load(self, keys: int) -> str:
        """The rows of so many keys, each after its key's own columns."""
        return f"SELECT {', '.join(self.key)}, {self.columns} FROM {self.name} WHERE {self._is_one_of(keys)}"  # noqa: S608

    def _is_one_of(self, keys: int) -> str:
        if len(self.key) == 1:
            return f"{self.key[0]} IN ({', '.join('?' * keys)})"
        one = f"({', '.join('?' * len(self.key))})"
        return f"({', '.join(self.key)}) IN (VALUES {', '.join([one] * keys)})"

    def bindings(self, keys: Sequence[RowKey]) -> list[Value]:
        """Keys as the values to bind."""
        return list(keys) if len(self.key) == 1 else [part for key in keys for part in key]


def selecting(sql: TableSql, selection: Selection) -> tuple[str, list[Value]]:
    """The statement that selects rows, and its bindings."""
    values: list[Value] = []
    shape = _bind_conditions(selection.conditions, values)
    after = selection.after
    terms = tuple(
        (term.column.order_name, term.descending, term.column.nullable, after is not None and after[number] is None)
        for number, term in enumerate(selection.order)
    )
    if after is not None:
        values += _bind_place(terms, after)
    values.append(-1 if selection.limit is None else selection.limit)
    return _select(sql.name, sql.columns, shape, terms, after is not None), values


def counting(sql: TableSql, selection: Selection) -> tuple[str, list[Value]]:
    """The statement that counts the rows that meet the conditions, and its bindings."""
    values: list[Value] = []
    shape = _bind_conditions(selection.conditions, values)
    return _count(sql.name, shape), values


def in_sizes(count: int, sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Cut ``count`` items into few sizes, the largest first: where each part begins and how long it is.

    So a handful of prepared statements serves every number of rows.
    """
    start = 0
    for size in sizes:
        while count - start >= size:
            yield start, size
            start += size


def _bind_conditions(conditions: Sequence[Condition], values: list[Value]) -> tuple[ConditionShape, ...]:
    shape: list[ConditionShape] = []
    for condition in conditions:
        bound = condition.values
        if condition.operator == "in" and bound:  # few lengths, so that few statements are prepared
            bound = (*bound, *[bound[-1]] * ((1 << (len(bound) - 1).bit_length()) - len(bound)))
        values += bound
        shape.append((condition.column.order_name, condition.operator, len(bound)))
    return tuple(shape)


@lru_cache(maxsize=512)
def _select(
    table: str,
    columns: str,
    conditions: tuple[ConditionShape, ...],
    terms: tuple[TermShape, ...],
    is_placed: bool,  # noqa: FBT001  a cache key
) -> str:
    where = [_condition(shape) for shape in conditions]
    if is_placed:
        where.append(_beyond(terms))
    order = ", ".join(f"{_quoted(name)} {'DESC' if descending else 'ASC'}" for name, descending, _, _ in terms)
    return f"SELECT {columns} FROM {table}{_where(where)} ORDER BY {order} LIMIT ?"  # noqa: S608


@lru_cache(maxsize=256)
def _count(table: str, conditions: tuple[ConditionShape, ...]) -> str:
    return f"SELECT count(*) FROM {table}{_where([_condition(shape) for shape in conditions])}"  # noqa: S608


def _where(parts: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(parts)}" if parts else ""


def _condition(shape: ConditionShape) -> str:
    name, operator, values = shape
    column = _quoted(name)
    if operator in _COMPARISONS:
        return f"{column} {_COMPARISONS[operator]} ?"
    if operator == "in":
        return f"{column} IN ({', '.join('?' * values)})"
    if operator == "contains":
        return f"instr(lower({column}), ?) > 0"
    return f"{column} IS {'NULL' if operator == 'null' else 'NOT NULL'}"


def _beyond(terms: Sequence[TermShape]) -> str:
    """Strictly after a place in the order. ``_bind_place`` binds in the same sequence."""
    if _is_uniform(terms):
        names = ", ".join(_quoted(name) for name, _, _, _ in terms)
        return f"({names}) {'<' if terms[0][1] else '>'} ({', '.join('?' * len(terms))})"
    first = _quoted(terms[0][0])
    alternatives: list[str] = []
    for number, term in enumerate(terms):
        level = [f"{_quoted(name)} {'IS NULL' if is_null else '= ?'}" for name, _, _, is_null in terms[:number]]
        alternatives.append(f"({' AND '.join([*level, _after(term)])})")
    beyond = f"({' OR '.join(alternatives)})"
    if _is_bounded(terms[0]):  # says the same once more, in a form that an index can start from
        return f"{first} {'<=' if terms[0][1] else '>='} ? AND {beyond}"
    return beyond


def _bind_place(terms: Sequence[TermShape], after: Sequence[Value]) -> Iterator[Value]:
    if _is_uniform(terms):
        yield from after
        return
    if _is_bounded(terms[0]):
        yield after[0]
    for number in range(len(terms)):
        yield from (value for value in after[: number + 1] if value is not None)


def _is_uniform(terms: Sequence[TermShape]) -> bool:
    """All one way and never NULL: then a comparison of rows says it, which SQLite answers from an index."""
    return all(descending == terms[0][1] and not nullable for _, descending, nullable, _ in terms)


def _is_bounded(term: TermShape) -> bool:
    """Whether a bound on the first term leaves nothing out: NULL comes first ascending, last descending."""
    _, descending, nullable, is_null = term
    return not is_null and not (descending and nullable)


def _after(term: TermShape) -> str:
    name, descending, nullable, is_null = term
    column = _quoted(name)
    if is_null:
        return "0" if descending else f"{column} IS NOT NULL"
    if descending:
        return f"({column} < ? OR {column} IS NULL)" if nullable else f"{column} < ?"
    return f"{column} > ?"


def _definition(name: str, column: Column) -> str:
    return f"{_quoted(name)} {_TYPES[column.kind]}{'' if column.nullable else ' NOT NULL'}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
