"""Reports that are declared as queries."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated

import pytest

from headwater import App, Event, Key, Projection, ReadModel, on
from headwater.errors import InvalidMessage, UnknownField, WiringError
from headwater.figure_marks import Count, Group, Sum
from headwater.queries.asking import answer_type_of
from headwater.queries.reports import ReportQuery
from headwater.read_store import Range
from headwater.reports import ReportRow


class Sold(Event):
    order: str
    country: str
    amount: Decimal


class Order(ReadModel):
    order: Annotated[str, Key()]
    country: str
    amount: Decimal
    sold_on: date = date(2026, 1, 1)


class Orders(Projection[Order]):
    @on
    def sold(self, event: Sold) -> Order:
        return Order(order=event.order, country=event.country, amount=event.amount)


class Turnover(ReportRow[Order]):
    country: Annotated[str, Group()]
    orders: Annotated[int, Count()]
    total: Annotated[Decimal, Sum("amount")]


class GetTurnover(ReportQuery[Turnover]):
    country: list[str] | None = None
    amount: Range[Decimal] | None = None
    sort: str = "-total"


APP = App("shop", Orders, GetTurnover)


@pytest.fixture
async def shop():
    """A shop that sold something in three countries."""
    async with APP.open("memory:") as runtime:
        for number, (country, amount) in enumerate([("it", "1.5"), ("fr", "9"), ("it", "2"), ("de", "3.5")]):
            event = Sold(order=f"o{number}", country=country, amount=Decimal(amount))
            await runtime.event_store.append([runtime.codec.encode_event(event)])
        await runtime.caught_up()
        yield runtime


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [("fr", 1), ("de", 1), ("it", 2)]),
        ({"sort": "-orders"}, [("it", 2), ("de", 1), ("fr", 1)]),
        ({"country": ["it", "fr"]}, [("fr", 1), ("it", 2)]),
        ({"amount": Range(ge=Decimal(2), lt=Decimal(9))}, [("de", 1), ("it", 1)]),
        ({"limit": 1}, [("fr", 1)]),
    ],
)
async def test_a_report_is_filtered_sorted_and_cut(shop, asked, found):
    """By the fields of its query."""
    rows = await shop.ask(GetTurnover(**asked))
    assert [(row.country, row.orders) for row in rows] == found


async def test_wrong_names_and_limits_are_refused(shop):
    """As in every query."""
    with pytest.raises(UnknownField) as unknown:
        await shop.ask(GetTurnover(sort="amount"))
    assert unknown.value.allowed == ("country", "orders", "total")
    with pytest.raises(InvalidMessage):
        shop.codec.decode_query("get-turnover", {"limit": 10_001})


async def test_it_stands_in_the_contract(shop):
    """With its parameters, and rows of figures as the answer."""
    assert answer_type_of(GetTurnover) == list[Turnover]
    described = shop.codec.json_schema(GetTurnover)
    assert "country" in str(described)


class Wrong(ReportRow[Order]):
    country: Annotated[int, Group()]
    total: Annotated[Decimal, Sum("price")]


class GetWrong(ReportQuery[Wrong]):
    customer: str | None = None
    sort: str = "-totl"


class Elsewhere(ReportRow[Order]):
    day: Annotated[date, Group("sold_on", "day", zone="Mars")]


def test_what_does_not_fit_is_told_when_the_app_is_put_together():
    """All of it."""
    with pytest.raises(WiringError) as refused:
        App("shop", Orders, GetWrong)
    told = str(refused.value)
    for words in ("country: is int", "no field 'price'", "'customer'", "to sort by; did you mean total?"):
        assert words in told


def test_a_zone_that_is_not_known_is_told_when_the_app_is_put_together():
    """And not to each who asks."""

    class GetElsewhere(ReportQuery[Elsewhere]):
        pass

    with pytest.raises(WiringError, match="'Mars' is no time zone"):
        App("shop", Orders, GetElsewhere)
