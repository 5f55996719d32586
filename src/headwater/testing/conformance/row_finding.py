"""Readers find what their filters say, in the order asked for. Reads: row_keeping.py. Read next: row_paging.py."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from headwater.errors import InvalidFilter, UnknownField
from headwater.read_store import Contains, In, IsNull, Prefix, Range, ReadStore
from headwater.testing.conformance.read_backend import ReadBackend
from headwater.testing.conformance.read_samples import ARTICLES, NOON, SEATS, Article, Level, Seat, put

_ROWS = (
    Article(
        code="a",
        title="50% off",
        stock=1,
        price=Decimal("1.50"),
        weight=-1.5,
        owner=UUID(int=1),
        took=timedelta(hours=1),
    ),
    Article(code="b", title="5000 off", stock=2, price=Decimal(-3), state="old", level=Level.HIGH, picture=b"\x01"),
    Article(code="c", title="Under_score", stock=3, price=Decimal("1.5"), made_at=NOON + timedelta(microseconds=1)),
    Article(code="d", stock=None, price=Decimal("1E+3"), is_open=True, day=date(2020, 1, 1)),
    Article(code="e", title="UNDER", stock=10, price=Decimal("0.001"), made_at=datetime(1969, 1, 1, tzinfo=UTC)),
)
_FOUND: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "abcde"),
    ({"state": "old"}, "b"),
    ({"state": None, "stock": None}, "abcde"),
    ({"level": Level.HIGH}, "b"),
    ({"level": "high"}, "b"),
    ({"stock": 2, "state": "new"}, ""),
    ({"stock": Range(2, 3)}, "bc"),
    ({"stock": Range(gt=1, lt=10)}, "bc"),
    ({"stock": Range(ge=3)}, "ce"),
    ({"stock": Range(None, None)}, "abcde"),
    ({"stock": In([1, 10, 99])}, "ae"),
    ({"stock": In(())}, ""),
    ({"stock": In(None)}, "abcde"),
    ({"stock": IsNull()}, "d"),
    ({"stock": IsNull(wanted=False)}, "abce"),
    ({"stock": IsNull(None)}, "abcde"),
    ({"title": Contains("0%")}, "a"),
    ({"title": Contains("UNDER_")}, "c"),
    ({"title": Contains("under")}, "ce"),
    ({"title": Contains("_")}, "c"),
    ({"title": Contains("")}, "abce"),
    ({"title": Contains("\0")}, ""),
    ({"title": Contains(None), "code": Prefix(None)}, "abcde"),
    ({"title": Prefix("50")}, "ab"),
    ({"title": Prefix("under")}, ""),
    ({"title": Prefix("")}, "abce"),
    ({"title": Prefix("\U0010ffff")}, ""),
    ({"title": Prefix("'; DROP TABLE articles; --")}, ""),
    ({"price": Decimal("1.500")}, "ac"),
    ({"price": Range(-3, 1)}, "be"),
    ({"price": Range(gt=Decimal("1.5"))}, "d"),
    ({"weight": -1.5}, "a"),
    ({"weight": Range(lt=0)}, "a"),
    ({"made_at": NOON}, "abd"),
    ({"made_at": Range(gt=NOON)}, "c"),
    ({"made_at": Range(le="1999-01-01T00:00:00Z")}, "e"),
    ({"day": Range(le=date(2020, 1, 1))}, "d"),
    ({"is_open": True}, "d"),
    ({"is_open": False, "stock": 1}, "a"),
    ({"owner": UUID(int=1)}, "a"),
    ({"owner": str(UUID(int=1))}, "a"),
    ({"picture": b"\x01"}, "b"),
    ({"took": Range(ge=timedelta(minutes=59))}, "a"),
    ({"notes": IsNull()}, "abcde"),
)
_NO_TEXT: Any = 7
_REFUSED: tuple[tuple[dict[str, Any], type[Exception]], ...] = (
    ({"nothing": 1}, UnknownField),
    ({"stock": "many"}, InvalidFilter),
    ({"stock": True}, InvalidFilter),
    ({"stock": 1 << 64}, InvalidFilter),
    ({"stock": Range(ge="x")}, InvalidFilter),
    ({"stock": In([1, None])}, InvalidFilter),
    ({"stock": In(range(1_001))}, InvalidFilter),
    ({"title": In("text")}, InvalidFilter),
    ({"title": "\ud800"}, InvalidFilter),
    ({"title": Contains(_NO_TEXT)}, InvalidFilter),
    ({"stock": Prefix("1")}, InvalidFilter),
    ({"level": Prefix("l")}, InvalidFilter),
    ({"level": "middle"}, InvalidFilter),
    ({"price": Decimal("NaN")}, InvalidFilter),
    ({"weight": float("nan")}, InvalidFilter),
    ({"parts": ()}, InvalidFilter),
    ({"title": {"no": "text"}}, InvalidFilter),
)


class RowFinding(ReadBackend):
    """Filters, orders and the plain ways to read."""

    @pytest.mark.parametrize(("filters", "found"), _FOUND, ids=str)
    async def test_filters_leave_what_they_say(self, store: ReadStore, filters: dict[str, Any], found: str) -> None:
        """Also for text that means something to SQL."""
        await put(store, ARTICLES, *_ROWS)
        reader = store.reader(Article).where(**filters)
        assert "".join([row.code for row in await reader.all()]) == found
        assert await reader.count() == len(found)

    @pytest.mark.parametrize(("filters", "error"), _REFUSED, ids=str)
    async def test_filters_that_mean_nothing_are_refused(
        self, store: ReadStore, filters: dict[str, Any], error: type[Exception]
    ) -> None:
        """Before anything is read."""
        with pytest.raises(error):
            store.reader(Article).where(**filters)

    async def test_unknown_names_are_answered_with_the_right_ones(self, store: ReadStore) -> None:
        """For filters and orders alike."""
        with pytest.raises(UnknownField) as filtered:
            store.reader(Seat).where(gest="x")
        with pytest.raises(UnknownField) as ordered:
            store.reader(Seat).sort("-gest")
        assert filtered.value.fields["allowed"] == ordered.value.fields["allowed"] == ("day", "number", "guest")

    @pytest.mark.parametrize(
        ("sort", "order"),
        [
            ("", "abcde"),
            ("-code", "edcba"),
            ("stock", "dabce"),
            ("-stock", "ecbad"),
            ("price", "beacd"),
            ("-price", "dcaeb"),
            ("-price,-code", "dcaeb"),
            ("-price,code", "daceb"),
            ("made_at", "eabdc"),
            ("-made_at", "cdbae"),
            ("state,-stock", "ecadb"),
            ("title", "dabec"),
            ("weight,took", "abcde"),
            (" is_open , -code ", "ecbad"),
        ],
    )
    async def test_rows_come_in_the_order_asked_for(self, store: ReadStore, sort: str, order: str) -> None:
        """None is the lowest value, and the key decides between equals, in the direction of the last field."""
        await put(store, ARTICLES, *_ROWS)
        assert "".join([row.code for row in await store.reader(Article).sort(sort).all()]) == order

    @pytest.mark.parametrize("sort", ["parts", "code,-notes"])
    async def test_nested_data_has_no_order(self, store: ReadStore, sort: str) -> None:
        """Nor can it be compared."""
        with pytest.raises(InvalidFilter, match="nested"):
            store.reader(Article).sort(sort)

    async def test_filters_add_up_and_readers_stay_as_they_are(self, store: ReadStore) -> None:
        """A reader can be the beginning of several others."""
        await put(store, ARTICLES, *_ROWS)
        begun = store.reader(Article).where(state="new")
        assert [row.code for row in await begun.where(stock=1).all()] == ["a"]
        assert [row.code for row in await begun.where(stock=3).sort("-code").all()] == ["c"]
        assert await begun.count() == 4

    async def test_first_and_all_stop_early(self, store: ReadStore) -> None:
        """At one row, and at the limit."""
        await put(store, ARTICLES, *_ROWS)
        reader = store.reader(Article).sort("-code")
        first = await reader.first()
        assert first is not None
        assert first.code == "e"
        assert [row.code for row in await reader.all(2)] == ["e", "d"]
        assert await reader.all(0) == []
        assert await reader.where(stock=77).first() is None
        with pytest.raises(InvalidFilter):
            await reader.all(-1)

    @pytest.mark.parametrize("key", [None, 7, ("a", "b"), "\ud800", 1 << 70])
    async def test_what_is_no_key_is_refused(self, store: ReadStore, key: object) -> None:
        """With an error of the query, whatever it is."""
        with pytest.raises(InvalidFilter):
            await store.reader(Article).get(key)
        with pytest.raises(InvalidFilter):
            await store.reader(Seat).get(key)

    async def test_a_stream_gives_every_row_from_one_snapshot(self, store: ReadStore) -> None:
        """In order, whatever is committed meanwhile."""
        rows = [Seat(day=NOON.date(), number=number) for number in range(700)]
        await put(store, SEATS, *rows)
        seen: list[Seat] = []
        async for row in store.reader(Seat).sort("number").stream():
            if not seen:
                await put(store, SEATS, deletes=[SEATS.stored_key((NOON.date(), n)) for n in range(300, 700)])
            seen.append(row)
        assert seen == rows
        assert await store.reader(Seat).count() == 300

    async def test_a_stream_may_be_left_half_way(self, store: ReadStore) -> None:
        """The store goes on as if nothing had been."""
        await put(store, SEATS, *[Seat(day=NOON.date(), number=number) for number in range(700)])
        async with aclosing(store.reader(Seat).stream()) as rows:
            async for row in rows:
                assert row.number == 0
                break
        assert await store.reader(Seat).where(number=Range(ge=600)).count() == 100
