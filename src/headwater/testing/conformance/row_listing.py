"""Declared queries are answered alike in every store. Reads: row_joining.py. Read next: read_store.py."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec
import pytest

from headwater.errors import InvalidFilter, QueryError, RowNotFound, UnknownField
from headwater.messages import Query
from headwater.queries.declared import declared_plan
from headwater.queries.listing import DetailQuery, Filter, ListQuery, Search, Sortable
from headwater.read_models import Page, PageRequest, Sort
from headwater.read_store import Contains, In, IsNull, Ne, Prefix, Range, ReadStore
from headwater.testing.conformance.read_backend import ReadBackend
from headwater.testing.conformance.read_samples import (
    PERSONS,
    SEATS,
    TICKETS,
    Person,
    Seat,
    Ticket,
    TicketWithCaller,
    put,
)


class FindTickets(ListQuery[TicketWithCaller]):
    """A filter of every kind."""

    caller: str | None = None
    level: Range[int] | None = None
    codes: Annotated[list[str] | None, Filter("code")] = None
    titles: Annotated[set[Literal["Paper", "Network"]] | None, Filter("title", by=In)] = None
    not_called_by: Annotated[str | None, Filter("caller", by=Ne)] = None
    title_begins: Annotated[str | None, Filter("title", by=Prefix)] = None
    mentions: Annotated[str | None, Filter("title", "text", by=Contains)] = None
    is_anonymous: Annotated[bool | None, Filter("caller", by=IsNull)] = None
    above: Annotated[int | None, Filter("level", by="gt")] = None
    up_to: Annotated[int | None, Filter("level", by="le")] = None
    salary: Annotated[Range[Decimal] | None, Filter("person.salary")] = None
    name: Annotated[str, Filter("person.name", "caller")] | None = None
    search: Annotated[str | None, Search(highlight=True)] = None
    sort: Annotated[Sort, Sortable("level", "person.name", "code")] = "relevance,-level"


class GetTicket(DetailQuery[TicketWithCaller]):
    """One ticket."""

    code: str


class GetSeat(DetailQuery[Seat]):
    """The row of a key of two fields, named in another order."""

    number: int
    day: date


_DAY = date(2026, 3, 1)
_ANN, _BOB = Person(login="ann", name="Ann", salary=Decimal("10.5")), Person(login="bob", name="Bob")
_TICKETS = (
    Ticket(code="a", title="Paper jam", text="in the hall", caller="ann", level=1),
    Ticket(code="b", title="Paper", text="is out", caller="bob", level=2),
    Ticket(code="c", title="Network", text="and paper", caller="who", level=3),
    Ticket(code="d", title="Network", level=4),
    Ticket(code="e", title="Paper jam", text="again", caller="ann", level=5),
)
_ASKED: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "edcba"),
    ({"caller": "ann"}, "ea"),
    ({"level": Range(ge=2, lt=4)}, "cb"),
    ({"level": Range()}, "edcba"),
    ({"codes": ["a", "d", "x"]}, "da"),
    ({"codes": []}, ""),
    ({"titles": {"Network"}}, "dc"),
    ({"not_called_by": "ann"}, "dcb"),
    ({"title_begins": "Paper "}, "ea"),
    ({"mentions": "PAPER"}, "ecba"),
    ({"is_anonymous": True}, "d"),
    ({"is_anonymous": False, "above": 2}, "ec"),
    ({"above": 1, "up_to": 3}, "cb"),
    ({"above": 1, "up_to": 3, "level": Range(le=2)}, "b"),
    ({"salary": Range(Decimal(10), Decimal(11))}, "ea"),
    ({"name": "Bob"}, "b"),
    ({"name": "who"}, "c"),
    ({"search": "paper -jam", "sort": "code"}, "bc"),
    ({"search": "paper", "up_to": 2, "sort": "relevance"}, "ba"),
    ({"search": " ", "above": 3}, "ed"),
    ({"sort": "person.name,level"}, "cdaeb"),
    ({"sort": "-level, code"}, "edcba"),
    ({"fields": ("code",), "caller": "ann"}, "ea"),
)


async def ask(store: ReadStore, query: Query[Any]) -> Any:
    """The answer to a declared query, as an application gives it."""
    plan: Any = declared_plan(type(query))
    assert not plan.faults
    return await plan.answer(query, store.reader(plan.model))


class RowListing(ReadBackend):
    """Lists and details that need no handler."""

    @pytest.mark.parametrize(("fields", "found"), _ASKED, ids=str)
    async def test_a_list_is_what_its_fields_say(self, store: ReadStore, fields: dict[str, Any], found: str) -> None:
        """All filters together, in the order asked for."""
        await put(store, PERSONS, _ANN, _BOB)
        await put(store, TICKETS, *_TICKETS)
        page = await ask(store, FindTickets(**fields, page=PageRequest(total=True)))
        assert "".join([row.code for row in page.items]) == found
        assert page.total == len(found)

    async def test_pages_of_a_list_go_both_ways(self, store: ReadStore) -> None:
        """Under the same fields; under others a cursor is none."""
        await put(store, TICKETS, *_TICKETS)
        first: Page[Ticket] = await ask(store, FindTickets(search="paper", page=PageRequest(size=2)))
        second: Page[Ticket] = await ask(
            store, FindTickets(search="paper", page=PageRequest(size=2, cursor=first.next))
        )
        back = await ask(store, FindTickets(search="paper", page=PageRequest(size=2, cursor=second.previous)))
        assert (back.items, back.highlights) == (first.items, first.highlights)
        assert len({row.code for row in (*first.items, *second.items)}) == 4
        assert isinstance(second.highlights, list)
        assert all("<mark>" in str(each) for each in second.highlights)

    async def test_some_fields_make_a_smaller_answer(self, store: ReadStore) -> None:
        """One by one, or with commas between them."""
        await put(store, PERSONS, _ANN)
        await put(store, TICKETS, *_TICKETS[:1])
        page = await ask(store, FindTickets(fields=("code,level", "person")))
        ann = {"login": "ann", "name": "Ann", "salary": "10.5"}
        assert msgspec.to_builtins(page.items) == [{"code": "a", "level": 1, "person": ann}]
        assert msgspec.to_builtins(await ask(store, GetTicket(code="a", fields=("title",)))) == {"title": "Paper jam"}

    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"sort": "title"}, UnknownField),
            ({"sort": "levell"}, UnknownField),
            ({"sort": "level; DROP TABLE tickets_v1"}, UnknownField),
            ({"sort": "level,"}, UnknownField),
            ({"fields": ("kode",)}, UnknownField),
            ({"fields": ("person.name",)}, UnknownField),
            ({"search": "x" * 501}, InvalidFilter),
            ({"codes": ["x"] * 1_001}, InvalidFilter),
        ],
        ids=str,
    )
    async def test_what_a_list_does_not_offer_is_refused(
        self, store: ReadStore, fields: dict[str, Any], error: type[QueryError]
    ) -> None:
        """With the names it has."""
        with pytest.raises(error) as caught:
            await ask(store, FindTickets(**fields))
        if "sort" in fields:
            assert caught.value.fields["allowed"] == ("relevance", "level", "person.name", "code")
        if "fields" in fields:
            assert caught.value.fields["allowed"] == ("code", "title", "text", "caller", "level", "person")

    async def test_a_detail_is_the_row_of_its_key_or_an_error(self, store: ReadStore) -> None:
        """Which says what was looked for."""
        seat = Seat(day=_DAY, number=7, guest="x")
        await put(store, SEATS, seat)
        await put(store, TICKETS, *_TICKETS)
        assert (await ask(store, GetTicket(code="c"))).title == "Network"
        assert await ask(store, GetSeat(day=_DAY, number=7)) == seat
        with pytest.raises(RowNotFound) as caught:
            await ask(store, GetSeat(day=_DAY, number=8))
        assert caught.value.fields == {"model": "Seat", "key": {"day": _DAY, "number": 8}}
