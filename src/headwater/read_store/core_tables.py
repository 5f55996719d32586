"""Read models as tables of SQLAlchemy Core, and its statements run on a read store. Needs the extra ``[sqlalchemy]``.

Reads: columns.py, tables.py, source.py. Read next: reader.py.

A column takes and gives the model's own values, whatever they are stored as. Decimals are compared and sorted by the
hidden column beside theirs, ``t.c.price < 5`` and ``t.c.price.desc()`` see to that; ``func.decimal_sum`` adds them up.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from headwater.errors import InvalidFilter, QueryError, ReadOnlyViolation
from headwater.read_store.columns import Column
from headwater.read_store.source import RowSource, SqlFace
from headwater.read_store.tables import Table

R = TypeVar("R")

_PLAIN: dict[Any, sa.types.TypeEngine[Any]] = {
    str: sa.Text(),
    int: sa.BigInteger(),
    float: sa.Double(),
    bytes: sa.LargeBinary(),
}
_BARE: dict[str, type[sa.types.TypeEngine[Any]]] = {
    "text": sa.Text,
    "integer": sa.BigInteger,
    "real": sa.Double,
    "blob": sa.LargeBinary,
}
_ON_TEXT = frozenset({operators.like_op, operators.not_like_op, operators.ilike_op, operators.not_ilike_op})
_COMPARING = frozenset(
    {operators.eq, operators.ne, operators.lt, operators.le, operators.gt, operators.ge}
    | {operators.in_op, operators.not_in_op, operators.between_op, operators.not_between_op}
    | {operators.asc_op, operators.desc_op}
)
_MISLEADING = frozenset({"sum", "min", "max", "avg", "total"})


class _Comparator(sa.types.TypeDecorator.Comparator[Any]):
    """Compares Decimals by what they are sorted by, and booleans as the numbers they are stored as."""

    __slots__ = ()

    def operate(self, op: Any, *other: Any, **kwargs: Any) -> Any:
        """Apply an operator of SQL."""
        stored: Any = self.type
        expression: Any = self.expr
        if stored.column.order is not None and op in _COMPARING:
            table: Any = getattr(expression, "table", None)
            beside = None if table is None else table.c.get(stored.column.order_name)
            if beside is None:
                raise InvalidFilter(f"compare {stored.column.name} in its own table, by {stored.column.order_name}")
            return op(beside, *other, **kwargs)
        given = [sa.bindparam(None, each, type_=stored) if isinstance(each, bool) else each for each in other]
        return super().operate(op, *given, **kwargs)


class Stored(sa.types.TypeDecorator[Any]):
    """A field's type: the model's value outside, what the store keeps of it inside."""

    impl = sa.Text
    cache_ok = False
    comparator_factory: Any = _Comparator

    def __init__(self, column: Column, *, is_order: bool = False) -> None:
        super().__init__()
        self.column = column
        self.is_order = is_order

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        """The database's type."""
        return dialect.type_descriptor(_BARE["text" if self.is_order else self.column.kind]())

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:  # noqa: ARG002  the name is given
        """A value as it is stored, or compared. Raises ``InvalidFilter`` if it does not fit the field."""
        if value is None:
            return None
        bound = self.column.bind(value)
        return bound if self.is_order or self.column.order is None else str(value)

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:  # noqa: ARG002  the name is given
        """The model's value."""
        if value is None or self.is_order or self.column.load is None:
            return value
        return self.column.load(value)

    def coerce_compared_value(self, op: Any, value: Any) -> Any:
        """What a value beside the column is: of the same type, but for a pattern, which is text."""
        return sa.Text() if op in _ON_TEXT and isinstance(value, str) else self


class _OrderType(Stored):
    """What a Decimal is compared by."""

    cache_ok = False
    comparator_factory: Any = sa.types.TypeDecorator.Comparator

    def __init__(self, column: Column) -> None:
        super().__init__(column, is_order=True)


class _SumType(sa.types.TypeDecorator[Decimal]):
    """An exact sum, which travels as text."""

    impl = sa.Text
    cache_ok = True

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Any:  # noqa: ARG002  the name is given
        """The sum."""
        return None if value is None else Decimal(value)


class decimal_sum(GenericFunction[Decimal]):  # noqa: N801  the name in SQL
    """``func.decimal_sum(t.c.price)``: an exact sum of a Decimal column, ``None`` for no value."""

    type = _SumType()
    inherit_cache = True


@compiles(decimal_sum, "postgresql")
def _decimal_sum(element: Any, compiler: SQLCompiler, **kwargs: Any) -> str:
    return f"CAST(sum(CAST({compiler.process(element.clauses, **kwargs)} AS NUMERIC)) AS TEXT)"


@lru_cache(maxsize=256)
def core_table(table: Table, face: SqlFace) -> sa.Table:
    """The table of a read model, its columns by the names of the fields."""
    columns = [
        sa.Column(
            face.name_of(each.name), _type_of(each), key=each.name, primary_key=each.is_key, nullable=each.nullable
        )
        for each in table.columns
    ]
    columns += [
        sa.Column(face.name_of(each.order_name), _OrderType(each), key=each.order_name, nullable=each.nullable)
        for each in table.columns
        if each.order is not None
    ]
    return sa.Table(face.name_of(table.stored_name), sa.MetaData(schema=face.schema), *columns)


def _type_of(column: Column) -> sa.types.TypeEngine[Any]:
    plain = _PLAIN.get(column.type)
    return Stored(column) if plain is None else plain


def shown_columns(table: Table, core: sa.Table) -> list[sa.Column[Any]]:
    """The columns of the fields, without the hidden ones."""
    return [core.c[column.name] for column in table.columns]


async def select_on(store: RowSource, face: SqlFace, statement: Any) -> list[Any]:
    """The rows of a statement as named tuples, values as the models have them."""
    names, rows, loads = await _run(store, face, statement)
    named: Any = namedtuple  # noqa: PYI024  the names are known only now, which a typed one does not allow
    made = named("Row", names, rename=True)
    return [made._make(_loaded(row, loads)) for row in rows]


async def select_rows_on(store: RowSource, face: SqlFace, statement: Any, table: Table) -> list[Any]:
    """The rows of a statement that selects a model's table, as rows of the model."""
    names, rows, loads = await _run(store, face, statement)
    try:
        places = [names.index(column.name) for column in table.columns]
    except ValueError as error:
        raise QueryError(
            f"the statement does not select every field of {table.model.__name__}",
            remedy="select(reader.table), or take named tuples with select()",
        ) from error
    fields = [column.name for column in table.columns]
    whole = [_loaded(row, loads) for row in rows]
    return [table.model(**{name: row[at] for name, at in zip(fields, places, strict=True)}) for row in whole]


async def _run(store: RowSource, face: SqlFace, statement: Any) -> tuple[list[str], list[Any], list[Any]]:
    _refuse(statement)
    dialect = _dialect(face.dialect)
    try:
        compiled = statement.compile(dialect=dialect)
        state = compiled.construct_expanded_state()
        values = [
            _bound(state, compiled, name, value, dialect)
            for name, value in zip(state.positiontup or (), state.positional_parameters, strict=True)
        ]
    except SQLAlchemyError as error:
        raise QueryError(f"the statement cannot be compiled: {error}") from error
    rows = await store.query(state.statement, values)
    columns = list(getattr(statement, "exported_columns", ()))
    width = len(rows[0]) if rows else len(columns)
    names = [str(column.key or getattr(column, "name", None) or "") for column in columns]
    names += [f"column_{number}" for number in range(len(names) + 1, width + 1)]
    kinds = [column.type for column in columns] if len(columns) == width else []
    loads = [_load_of(kind, dialect) for kind in kinds] + [None] * (width - len(kinds))
    return names, rows, loads


def _bound(state: Any, compiled: Any, name: str, value: Any, dialect: sa.Dialect) -> Any:
    if value is None:
        return None
    process = state.processors.get(name)
    if process is None and name in compiled.binds:
        process = compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect)
    return process(value) if process else value


def _load_of(kind: Any, dialect: sa.Dialect) -> Callable[[Any], Any] | None:
    if not isinstance(kind, Stored | _SumType):
        return None
    return lambda value: kind.process_result_value(value, dialect)


def _loaded(row: Any, loads: list[Any]) -> list[Any]:
    return [value if load is None else load(value) for value, load in zip(row, loads, strict=True)]


def _refuse(statement: Any) -> None:
    """What would write, what is no statement, and what would compare Decimals as text without saying so."""
    if not isinstance(statement, sa.Executable):
        raise QueryError(f"{type(statement).__name__} is no statement of SQLAlchemy", remedy="select(reader.table)...")
    whole: Any = statement
    for element in cast("Iterable[Any]", visitors.iterate(whole)):
        if getattr(element, "is_dml", False) or getattr(element, "__visit_name__", "").startswith(("create", "drop")):
            raise ReadOnlyViolation("a statement of a query tried to write to the read store")
        name = str(getattr(element, "name", ""))
        if name in _MISLEADING and hasattr(element, "clauses"):
            _refuse_decimals(element.clauses, f"{name}() of")
        _refuse_decimals(getattr(element, "_order_by_clauses", ()), "an order by")


def _refuse_decimals(expressions: Any, what: str) -> None:
    for each in expressions:
        kind = getattr(each, "type", None)
        if isinstance(kind, Stored) and kind.column.order is not None and not isinstance(kind, _OrderType):
            name = kind.column.name
            raise InvalidFilter(
                f"{what} {name} would go by its text",
                remedy=f"order by t.c.{name}.asc() or .desc(), sum with func.decimal_sum(t.c.{name})",
                field=name,
            )


@lru_cache(maxsize=4)
def _dialect(name: str) -> sa.Dialect:
    if name == "sqlite":
        from sqlalchemy.dialects.sqlite import dialect as sqlite_dialect

        return sqlite_dialect()
    from sqlalchemy.dialects.postgresql.asyncpg import dialect as postgres_dialect

    made: Any = postgres_dialect
    dialect: sa.Dialect = made()
    return dialect
