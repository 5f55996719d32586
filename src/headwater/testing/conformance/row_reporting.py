"""Figures over groups of rows are the same in every store. Reads: row_finding.py. Read next: row_paging.py."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import new_class
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import pytest

from headwater.errors import ContractError, InvalidFilter, QueryError, UnknownField
from headwater.figure_marks import Avg, Count, Group, Max, Min, Sum
from headwater.read_store import ReadStore
from headwater.reports import ReportRow
from headwater.testing.conformance.read_backend import ReadBackend
from headwater.testing.conformance.read_samples import ARTICLES, NOON, SEATS, Article, Level, Seat, put

_HUGE = 1 << 62
_ROWS = (
    Article(code="a", stock=_HUGE, price=Decimal("1.50"), weight=0.5, took=timedelta(hours=1), level=Level.HIGH),
    Article(code="b", stock=_HUGE, price=Decimal("1.5"), weight=-0.0, is_open=True, took=timedelta(hours=2)),
    Article(code="c", stock=_HUGE, price=Decimal("-0.10"), state="old", made_at=NOON + timedelta(days=1)),
    Article(code="d", stock=None, price=None, state="old", title="x", day=date(2020, 1, 1)),
    Article(code="e", stock=-3, price=Decimal("1E+40"), state="new", local_at=datetime(2026, 3, 1, 23, 30)),  # noqa: DTZ001  a local time
)
_ROME = ZoneInfo("Europe/Rome")
_SPRING = datetime(2026, 3, 29, 1, tzinfo=UTC)  # the clocks of Rome go from two to three


class ByState(ReportRow[Article]):
    """A figure of every kind."""

    state: Annotated[Literal["new", "old"], Group()]
    rows: Annotated[int, Count()]
    priced: Annotated[int, Count("price")]
    prices: Annotated[int, Count("price", distinct=True)]
    stock: Annotated[int, Sum()]
    price: Annotated[Decimal, Sum()]
    lowest: Annotated[Decimal | None, Min("price")]
    highest: Annotated[Decimal | None, Max("price")]
    weight: Annotated[float, Sum()]
    took: Annotated[timedelta, Sum()]
    opened: Annotated[int, Sum("is_open")]
    mean_took: Annotated[timedelta | None, Avg("took")]
    mean_stock: Annotated[float | None, Avg("stock")]
    mean_price: Annotated[Decimal | None, Avg("price")]
    latest: Annotated[datetime, Max("made_at")]
    level: Annotated[Level, Min()]


class Totals(ReportRow[Article]):
    """All rows are one group."""

    rows: Annotated[int, Count()]
    price: Annotated[Decimal, Sum()]
    first: Annotated[datetime | None, Min("made_at")]


class ByPrice(ReportRow[Article]):
    """Groups of what is not compared as it is stored, and of what may be missing."""

    price: Annotated[Decimal | None, Group()]
    weight: Annotated[float, Group()]
    rows: Annotated[int, Count()]


def _by(unit: Any, form: Any, field: str = "made_at", zone: str | None = None) -> type[Any]:
    """The class of a report by one unit of time."""
    hints = {"time": Annotated[form, Group(field, unit, zone)], "rows": Annotated[int, Count()]}
    return new_class("By", (ReportRow[Article],), exec_body=lambda body: body.update(__annotations__=hints))


_INSTANTS = (
    datetime(2015, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2016, 1, 3, 23, 30, tzinfo=UTC),
    datetime(2016, 2, 29, 22, 59, 59, 999_999, tzinfo=UTC),
    datetime(2016, 2, 29, 23, 0, tzinfo=UTC),
    _SPRING - timedelta(microseconds=1),
    _SPRING,
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
    datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    datetime(1901, 7, 1, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC),
)


def _expected(unit: str, at: datetime) -> str:
    year, week, _ = at.isocalendar()
    return {
        "year": f"{at.year:04d}",
        "quarter": f"{at.year:04d}-Q{(at.month + 2) // 3}",
        "month": f"{at.year:04d}-{at.month:02d}",
        "week": f"{year:04d}-W{week:02d}",
        "day": at.date().isoformat(),
        "hour": f"{at.date().isoformat()}T{at.hour:02d}",
    }[unit]


class RowReporting(ReadBackend):
    """Groups, figures and times."""

    async def test_figures_are_exact(self, store: ReadStore) -> None:
        """Beyond 64 bits, over Decimals of every size, and with what is missing left out."""
        await put(store, ARTICLES, *_ROWS)
        new, old = await store.reader(Article).report(ByState)
        (last,) = await store.reader(Article).where(code="e").report(Totals)
        assert str(last.price) == "1" + 40 * "0"  # as the sum with 0 is written
        assert (new.state, new.rows, new.priced, new.prices) == ("new", 3, 3, 2)
        assert new.stock == 2 * _HUGE - 3
        assert new.price == Decimal(10**40 + 3)
        assert (new.lowest, new.highest) == (Decimal("1.5"), Decimal("1E+40"))
        assert str(new.lowest) == "1.5"
        assert (new.weight, new.opened, new.level) == (0.5, 1, Level.HIGH)
        assert (new.took, new.mean_took) == (timedelta(hours=3), timedelta(hours=1, minutes=30))
        assert new.mean_stock == (2 * _HUGE - 3) / 3
        assert (old.rows, old.priced, old.stock, old.took, old.mean_took) == (2, 1, _HUGE, timedelta(), None)
        assert str(old.price) == str(old.mean_price) == str(old.highest) == "-0.10"
        assert old.latest == NOON + timedelta(days=1)

    async def test_without_groups_there_is_one_row(self, store: ReadStore) -> None:
        """Also over nothing, where a sum is 0 and the lowest is nothing."""
        assert await store.reader(Article).report(Totals) == [Totals(rows=0, price=Decimal(0), first=None)]
        assert await store.reader(Article).report(ByState) == []
        await put(store, ARTICLES, *_ROWS)
        found = await store.reader(Article).where(stock=_HUGE, state="new").report(Totals)
        assert found == [Totals(rows=2, price=Decimal(3), first=NOON)]
        assert str(found[0].price) == "3.00"

    async def test_equal_values_are_one_group(self, store: ReadStore) -> None:
        """Decimals that differ in zeros, and the two zeros of floats; missing values are a group, the lowest."""
        await put(store, ARTICLES, *_ROWS, Article(code="f", price=Decimal(7)), Article(code="g", price=Decimal("7.0")))
        found = await store.reader(Article).report(ByPrice, sort="-rows")
        shown = [(str(row.price), str(row.weight), row.rows) for row in found]
        assert shown[0] == ("7", "0.0", 2)
        assert shown[1:] == [
            ("None", "0.0", 1), ("-0.10", "0.0", 1), ("1.5", "0.0", 1), ("1.50", "0.5", 1), ("1E+40", "0.0", 1)
        ]  # fmt: skip

    @pytest.mark.parametrize("unit", ["year", "quarter", "month", "week", "day", "hour"])
    @pytest.mark.parametrize("zone", [None, "UTC", "Europe/Rome", "Asia/Kathmandu", "America/St_Johns"])
    async def test_times_fall_into_the_calendar(self, store: ReadStore, unit: str, zone: str | None) -> None:
        """Of UTC or of a zone with all its changes; at the edges of what a date can be the zone no longer counts."""
        rows = [Article(code=str(number), made_at=at) for number, at in enumerate(_INSTANTS)]
        await put(store, ARTICLES, *rows)
        info = ZoneInfo(zone or "UTC")
        inner = [at.astimezone(info) if 1 < at.year < 9999 else at for at in _INSTANTS]
        expected: dict[str, int] = {}
        for at in inner:
            expected[_expected(unit, at)] = expected.get(_expected(unit, at), 0) + 1
        found = await store.reader(Article).report(_by(unit, str, zone=zone))
        assert {row.time: row.rows for row in found} == expected
        asked = await store.reader(Article).report(_by(unit, str), zone=zone)
        assert [(row.time, row.rows) for row in asked] == [(row.time, row.rows) for row in found]

    async def test_a_time_has_the_form_that_is_declared(self, store: ReadStore) -> None:
        """Text, the first day, the beginning in its zone, the number of a year."""
        await put(store, ARTICLES, Article(code="a", made_at=datetime(2016, 5, 31, 22, 30, tzinfo=UTC)))
        reader = store.reader(Article)
        shapes = (
            _by("quarter", date, zone="Europe/Rome"),
            _by("month", datetime, zone="Europe/Rome"),
            _by("hour", datetime),
            _by("year", int),
            _by("week", date),
        )
        found = [(await reader.report(shape))[0].time for shape in shapes]
        assert found == [
            date(2016, 4, 1),
            datetime(2016, 6, 1, tzinfo=_ROME),
            datetime(2016, 5, 31, 22, tzinfo=UTC),
            2016,
            date(2016, 5, 30),
        ]

    async def test_local_times_and_days_are_not_shifted(self, store: ReadStore) -> None:
        """They have no zone to be shifted from."""
        await put(store, ARTICLES, *_ROWS)
        local = await store.reader(Article).report(_by("day", str | None, "local_at", "Asia/Tokyo"))
        assert [(row.time, row.rows) for row in local] == [(None, 4), ("2026-03-01", 1)]
        days = await store.reader(Article).report(_by("month", date, "day", "Asia/Tokyo"))
        assert [(row.time, row.rows) for row in days] == [(date(2020, 1, 1), 1), (date(2026, 3, 1), 4)]

    async def test_figures_come_in_the_order_asked_for(self, store: ReadStore) -> None:
        """By groups or figures, equal ones by group, and no more than the limit."""
        day = NOON.date()
        seats = [Seat(day=day, number=n, guest=g) for n, g in enumerate(["ann", "bob", "ann", None, "cy"])]
        await put(store, SEATS, *seats)

        class ByGuest(ReportRow[Seat]):
            guest: Annotated[str | None, Group()]
            seats: Annotated[int, Count()]

        reader = store.reader(Seat)
        assert [row.guest for row in await reader.report(ByGuest)] == [None, "ann", "bob", "cy"]
        assert [row.guest for row in await reader.report(ByGuest, sort="-seats,-guest")] == ["ann", "cy", "bob", None]
        assert [row.guest for row in await reader.report(ByGuest, sort="-seats", limit=2)] == ["ann", None]
        with pytest.raises(UnknownField) as unknown:
            await reader.report(ByGuest, sort="gest")
        assert unknown.value.fields["allowed"] == ("guest", "seats")
        with pytest.raises(InvalidFilter, match="0 to"):
            await reader.report(ByGuest, limit=-1)
        with pytest.raises(InvalidFilter, match="no time zone"):
            await reader.report(ByGuest, zone="../../etc/passwd")

    async def test_a_sum_without_end_is_refused(self, store: ReadStore) -> None:
        """Rather than rounded."""
        rows = (Article(code="a", price=Decimal("1E+400000")), Article(code="b", price=Decimal("1E-400000")))
        await put(store, ARTICLES, *rows)
        with pytest.raises(QueryError, match="too many digits"):
            await store.reader(Article).report(Totals)

    async def test_a_row_that_does_not_fit_the_model_is_refused(self, store: ReadStore) -> None:
        """With everything that is wrong with it."""

        class Wrong(ReportRow[Article]):
            stock: Annotated[str, Sum()]
            nothing: Annotated[int, Sum()]
            parts: Annotated[int, Count(distinct=True)]
            notes: Annotated[str, Group()]
            hour: Annotated[str, Group("day", "hour")]
            title: Annotated[str, Group()]

        with pytest.raises(ContractError) as refused:
            await store.reader(Article).report(Wrong)
        told = str(refused.value)
        for word in ("stock: is str", "no field 'nothing'", "different values", "nested", "no hour", "str | None"):
            assert word in told
