"""SQL of your own, through SQLAlchemy, on the reader's connection. Reads: row_reporting.py. Read next: row_paging.py.

A store without SQL refuses all of it, clearly.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any, TypeAlias
from uuid import UUID

import pytest

from headwater.errors import InvalidFilter, QueryError, ReadOnlyViolation
from headwater.read_store import ReadStore
from headwater.read_store.reader import Reader
from headwater.testing.conformance.read_backend import ReadBackend
from headwater.testing.conformance.read_samples import ARTICLES, NOON, SEATS, Article, Level, Part, Seat, put

try:
    sa: Any = import_module("sqlalchemy")
except ImportError:  # then these tests are skipped, and the others of the suite run
    sa = None

_Make: TypeAlias = Callable[[Any], Any]

_FULL = Article(
    code="a",
    state="old",
    title="50% off",
    level=Level.HIGH,
    stock=3,
    weight=-1.5,
    price=Decimal("1.50"),
    local_at=datetime(2026, 3, 1, 23, 30),  # noqa: DTZ001  a local time
    hour=NOON.time(),
    took=timedelta(hours=1),
    is_open=True,
    owner=UUID(int=1),
    picture=b"\x01",
    parts=(Part("wheel", Decimal("2.5")),),
    notes={"a": None},
)
_ROWS = (
    _FULL,
    Article(code="b", price=Decimal(10), made_at=NOON + timedelta(days=1)),
    Article(code="c", price=Decimal("1.5"), stock=4),
    Article(code="d", price=Decimal(-3), stock=5, day=date(2020, 1, 1)),
)
_CASES: tuple[tuple[str, _Make, str], ...] = (
    ("equal Decimals", lambda t: t.c.price == Decimal("1.500"), "ac"),
    ("Decimals in order", lambda t: t.c.price > 1, "abc"),
    ("Decimals between", lambda t: t.c.price.between(-3, Decimal("1.5")), "acd"),
    ("Decimals in a list", lambda t: t.c.price.in_([Decimal("-3.0"), Decimal("10.00")]), "bd"),
    ("an enum", lambda t: t.c.level == Level.HIGH, "a"),
    ("a literal", lambda t: t.c.state != "old", "bcd"),
    ("true", lambda t: t.c.is_open == True, "a"),  # noqa: E712  how SQLAlchemy says it
    ("false", lambda t: t.c.is_open.in_([False]), "bcd"),
    ("an instant", lambda t: t.c.made_at >= datetime(2026, 3, 2, tzinfo=UTC), "b"),
    ("a day", lambda t: t.c.day < date(2021, 1, 1), "d"),
    ("a pattern on a day", lambda t: t.c.day.like("2020-%"), "d"),
    ("a duration", lambda t: t.c.took > timedelta(minutes=59), "a"),
    ("a UUID", lambda t: t.c.owner == UUID(int=1), "a"),
    ("bytes", lambda t: t.c.picture == b"\x01", "a"),
    ("nothing", lambda t: t.c.stock.is_(None), "b"),
    ("numbers", lambda t: (t.c.stock % 2 == 1) & (t.c.weight <= 0), "ad"),
    ("text", lambda t: t.c.title.contains("0%", autoescape=True), "a"),
)
_WRITES: tuple[_Make, ...] = (
    lambda t: sa.insert(t).values(code="x"),
    lambda t: sa.update(t).values(title="x"),
    lambda t: sa.delete(t).where(t.c.code == "a"),
    lambda t: sa.text(f"DELETE FROM {t.fullname}"),  # noqa: S608  a declared name
    lambda t: sa.select(sa.insert(t).values(code="x").returning(t.c.code).cte("made")),
    lambda _: sa.text("CREATE TABLE more (x int)"),
)
_BROKEN: tuple[tuple[_Make, type[Exception]], ...] = (
    (lambda t: sa.select(t.c.code).order_by(t.c.price), InvalidFilter),
    (lambda t: sa.select(sa.func.max(t.c.price)), InvalidFilter),
    (lambda t: sa.select(t.c.code).where(t.c.made_at > "yesterday"), InvalidFilter),
    (lambda t: sa.select(t.c.code).where(t.c.stock == sa.bindparam("nobody")), QueryError),
    (lambda _: sa.text("SELECT nothing FROM nowhere"), QueryError),
    (lambda _: sa.text("no SQL"), QueryError),
    (lambda _: "SELECT 1", QueryError),
)


class RowSelecting(ReadBackend):
    """Tables and statements of SQLAlchemy Core."""

    def reader(self, store: ReadStore) -> Reader[Article]:
        """A reader of articles, if the store has SQL at all."""
        if store.sql_face is None or sa is None:
            pytest.skip(f"{self.capabilities.name} has no SQL" if sa else "SQLAlchemy is not installed")
        return store.reader(Article)

    async def test_a_store_without_sql_says_so(self, store: ReadStore) -> None:
        """Before anything is compiled."""
        if store.sql_face is not None or sa is None:
            pytest.skip(f"{self.capabilities.name} has SQL")
        reader = store.reader(Article)
        with pytest.raises(QueryError, match="no SQL"):
            _ = reader.table
        with pytest.raises(QueryError, match="no SQL"):
            await reader.select(sa.text("SELECT 1"))
        with pytest.raises(QueryError, match="no SQL"):
            await store.query("SELECT 1")

    async def test_values_come_back_as_the_model_has_them(self, store: ReadStore) -> None:
        """Of every kind, as rows of the model and as named tuples."""
        reader = self.reader(store)
        await put(store, ARTICLES, *_ROWS)
        table = reader.table
        assert await reader.select_rows(sa.select(table).order_by(table.c.code)) == list(_ROWS)
        columns = [table.c[name] for name in Article.__struct_fields__]
        (row,) = await reader.select(sa.select(*columns).where(table.c.code == "a"))
        assert Article(**row._asdict()) == _FULL

    @pytest.mark.parametrize(("condition", "found"), [case[1:] for case in _CASES], ids=[case[0] for case in _CASES])
    async def test_values_are_bound_as_they_are_stored(self, store: ReadStore, condition: Any, found: str) -> None:
        """So that comparisons mean what they mean in Python."""
        reader = self.reader(store)
        await put(store, ARTICLES, *_ROWS)
        table = reader.table
        rows = await reader.select(sa.select(table.c.code).where(condition(table)).order_by(table.c.code))
        assert "".join(row.code for row in rows) == found

    async def test_decimals_are_sorted_and_summed_as_numbers(self, store: ReadStore) -> None:
        """Exactly."""
        reader = self.reader(store)
        await put(store, ARTICLES, *_ROWS)
        table = reader.table
        rows = await reader.select(sa.select(table.c.code, table.c.price).order_by(table.c.price.desc(), table.c.code))
        assert [(row.code, row.price) for row in rows] == [(_ROWS[at].code, _ROWS[at].price) for at in (1, 0, 2, 3)]
        summed = sa.select(table.c.state, sa.func.decimal_sum(table.c.price).label("total"), sa.func.count())
        rows = await reader.select(summed.group_by(table.c.state).order_by(table.c.state))
        assert [tuple(row) for row in rows] == [("new", Decimal("8.5"), 3), ("old", Decimal("1.50"), 1)]
        assert rows[0]._fields == ("state", "total", "count")

    async def test_tables_can_be_joined(self, store: ReadStore) -> None:
        """Those of two models, and one with itself; also inside a common table expression."""
        reader = self.reader(store)
        await put(store, ARTICLES, *_ROWS)
        await put(store, SEATS, Seat(day=NOON.date(), number=1, guest="a"), Seat(day=NOON.date(), number=2, guest="b"))
        table, seats = reader.table, store.reader(Seat).table
        joined = sa.select(table.c.code, seats.c.number, seats.c.day).join(seats, seats.c.guest == table.c.code)
        rows = await reader.select(joined.order_by(seats.c.number))
        assert [tuple(row) for row in rows] == [("a", 1, NOON.date()), ("b", 2, NOON.date())]
        cheap = sa.select(table.c.code, table.c.made_at).where(table.c.price < 2).cte("cheap")
        rows = await reader.select(sa.select(cheap.c.code, cheap.c.made_at).order_by(cheap.c.code).limit(2).offset(1))
        assert [tuple(row) for row in rows] == [("c", NOON), ("d", NOON)]

    async def test_text_is_run_as_it_is(self, store: ReadStore) -> None:
        """With its values bound, and columns named by number where it does not say."""
        reader = self.reader(store)
        rows = await reader.select(sa.text("SELECT 1, 2 WHERE CAST(:a AS integer) = 3").bindparams(a=3))
        assert [tuple(row) for row in rows] == [(1, 2)]
        with pytest.raises(QueryError, match="does not select every field"):
            await reader.select_rows(sa.select(reader.table.c.code))

    @pytest.mark.parametrize("write", _WRITES)
    async def test_what_writes_is_refused(self, store: ReadStore, write: Any) -> None:
        """By the statement's kind, or by the database; nothing is changed."""
        reader = self.reader(store)
        await put(store, ARTICLES, *_ROWS)
        with pytest.raises(ReadOnlyViolation):
            await reader.select(write(reader.table))
        assert await reader.count() == len(_ROWS)

    @pytest.mark.parametrize(("make", "error"), _BROKEN)
    async def test_what_cannot_be_right_is_refused(self, store: ReadStore, make: Any, error: type[Exception]) -> None:
        """With an error of the query; the next one works."""
        reader = self.reader(store)
        with pytest.raises(error):
            await reader.select(make(reader.table))
        assert await reader.select(sa.select(sa.func.count()).select_from(reader.table)) == [(0,)]
