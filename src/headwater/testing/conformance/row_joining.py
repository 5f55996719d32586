"""Rows of one table beside those of another, and rows of which some fields are read. Reads: row_searching.py."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest

from headwater.errors import InvalidCursor, InvalidFilter, UnknownField
from headwater.read_models import PageRequest
from headwater.read_store import AnyOf, Contains, IsNull, Ne, Prefix, Range, ReadStore
from headwater.testing.conformance.read_backend import ReadBackend
from headwater.testing.conformance.read_samples import (
    ARTICLES,
    PERSONS,
    TICKETS,
    Article,
    Person,
    Ticket,
    TicketWithCaller,
    put,
)

_ANN, _BOB = Person(login="ann", name="Ann", salary=Decimal("10.5")), Person(login="bob", name="Bob")
_TICKETS = (
    Ticket(code="a", title="Paper jam", caller="ann", level=1),
    Ticket(code="b", title="Paper", caller="bob", level=2),
    Ticket(code="c", title="Network", caller="who", level=3),
    Ticket(code="d", title="Network", caller=None, level=4),
    Ticket(code="e", title="Paper jam", caller="ann", level=5),
)


class RowJoining(ReadBackend):
    """Joins by key, field selection, and filters that offer a choice."""

    async def test_a_row_stands_beside_the_row_it_names(self, store: ReadStore) -> None:
        """Or beside none: no such row, or no name."""
        await put(store, PERSONS, _ANN, _BOB)
        await put(store, TICKETS, *_TICKETS)
        rows = await store.reader(TicketWithCaller).all()
        assert [row.person for row in rows] == [_ANN, _BOB, None, None, _ANN]
        assert [(row.code, row.title, row.level) for row in rows] == [(t.code, t.title, t.level) for t in _TICKETS]
        assert await store.reader(TicketWithCaller).get("b") == rows[1]
        assert await store.reader(TicketWithCaller).get("z") is None
        assert [row async for row in store.reader(TicketWithCaller).stream()] == rows

    async def test_rows_are_found_by_what_stands_beside_them(self, store: ReadStore) -> None:
        """A dot leads to its fields, in filters and orders."""
        await put(store, PERSONS, _ANN, _BOB)
        await put(store, TICKETS, *_TICKETS)
        reader = store.reader(TicketWithCaller)
        for filters, found in (
            ({"person.name": "Ann"}, "ae"),
            ({"person.name": Ne("Ann")}, "bcd"),
            ({"person.name": IsNull()}, "cd"),
            ({"person.salary": Range(ge=10)}, "ae"),
            ({"person.login": "bob", "level": 2}, "b"),
        ):
            assert "".join([row.code for row in await reader.where(**filters).all()]) == found, filters
            assert await reader.where(**filters).count() == len(found), filters
        assert "".join([row.code for row in await reader.sort("-person.name,level").all()]) == "baecd"
        assert "".join([row.code for row in await reader.sort("person.salary").all()]) == "bcdae"

    @pytest.mark.parametrize("sort", ["person.name", "-person.name,level", "-person.salary", "relevance,person.name"])
    async def test_pages_of_joined_rows_join_up(self, store: ReadStore, sort: str) -> None:
        """In both directions, with and without a search."""
        await put(store, PERSONS, *[Person(login=f"p{n}", name=f"N{n % 3}", salary=Decimal(n)) for n in range(7)])
        tickets = [Ticket(code=f"{n:02}", title="word " * (n % 3 + 1), caller=f"p{n % 9}") for n in range(40)]
        await put(store, TICKETS, *tickets)
        for reader in (store.reader(TicketWithCaller), store.reader(TicketWithCaller).search("word")):
            whole = await reader.sort(sort).all()
            page, seen = await reader.sort(sort).page(PageRequest(size=6, total=True)), list[TicketWithCaller]()
            assert page.total == len(whole) == 40
            while page.next is not None:
                seen += page.items
                page = await reader.sort(sort).page(PageRequest(size=6, cursor=page.next))
            assert [*seen, *page.items] == whole
            while page.previous is not None:
                page = await reader.sort(sort).page(PageRequest(size=6, cursor=page.previous))
            assert page.items == whole[:6]

    async def test_only_the_fields_asked_for_are_there(self, store: ReadStore) -> None:
        """The others are absent in JSON; pages go on all the same, also by fields that are not read."""
        await put(store, PERSONS, _ANN, _BOB)
        await put(store, TICKETS, *_TICKETS)
        reader = store.reader(Ticket).only("title", "code").sort("-level")
        page = await reader.page(PageRequest(size=2))
        assert msgspec.to_builtins(page.items) == [
            {"title": "Paper jam", "code": "e"},
            {"title": "Network", "code": "d"},
        ]
        assert all(isinstance(row, Ticket) for row in page.items)
        page = await reader.page(PageRequest(size=2, cursor=page.next))
        assert [row.code for row in page.items] == ["c", "b"]
        joined = await store.reader(TicketWithCaller).only("code", "person").all(2)
        people = [{"login": "ann", "name": "Ann", "salary": "10.5"}, {"login": "bob", "name": "Bob", "salary": None}]
        assert msgspec.to_builtins(joined) == [
            {"code": code, "person": person} for code, person in zip("ab", people, strict=True)
        ]
        (first, *_) = await store.reader(TicketWithCaller).only("level").all()
        assert msgspec.to_builtins(first) == {"level": 1}
        assert msgspec.to_builtins(await store.reader(Ticket).only("level").get("b")) == {"level": 2}

    async def test_nested_and_converted_fields_are_read_alone_too(self, store: ReadStore) -> None:
        """Whatever their columns look like."""
        await put(store, ARTICLES, Article(code="a", price=Decimal("1.50"), notes={"x": 1}))
        (row,) = await store.reader(Article).only("notes", "price", "day").sort("price").all()
        assert msgspec.to_builtins(row) == {"notes": {"x": 1}, "price": "1.50", "day": "2026-03-01"}

    async def test_unknown_fields_are_refused_with_the_right_ones(self, store: ReadStore) -> None:
        """And with the one that is meant."""
        with pytest.raises(UnknownField, match="did you mean title") as caught:
            store.reader(TicketWithCaller).only("titel")
        assert caught.value.fields["nearest"] == "title"
        assert caught.value.fields["allowed"] == ("code", "title", "text", "caller", "level", "person")
        with pytest.raises(UnknownField, match=r"person\.name"):
            store.reader(TicketWithCaller).where(**{"person.nam": 1})
        with pytest.raises(UnknownField):
            store.reader(TicketWithCaller).sort("person")

    async def test_a_choice_of_filters_leaves_rows_that_meet_one(self, store: ReadStore) -> None:
        """On one field, or on several."""
        await put(store, TICKETS, *_TICKETS)
        reader = store.reader(Ticket)
        for found, chosen in (
            ("abe", reader.where(level=AnyOf(1, 2, Range(ge=5)))),
            ("cd", reader.where(caller=AnyOf("who", IsNull()))),
            ("abcde", reader.where(caller=AnyOf(None))),
            ("abcde", reader.where(caller=AnyOf(None, Range()))),
            ("", reader.where(caller=AnyOf())),
            ("a", reader.where(level=AnyOf(Range(ge=1, lt=2)))),
            ("bcd", reader.where(title=Ne("Paper jam"))),
            ("bcd", reader.where(caller=Ne("ann"))),
            ("abcde", reader.where(caller=Ne(None))),
            ("abcde", reader.where(caller=Ne("\0"))),
            ("d", reader.where(caller=AnyOf("\0", IsNull()))),
            ("ae", reader.where_any(caller="ann", level=None)),
            ("abe", reader.where_any(caller="ann", title=Prefix("Paper"))),
            ("acde", reader.where_any(caller="who", title=Contains("JAM"), level=4)),
            ("c", reader.where_any(caller="who", level=1).where(title=Prefix("Net"))),
            ("abcde", reader.where_any(caller=None)),
        ):
            assert "".join([row.code for row in await chosen.all()]) == found
            assert await chosen.count() == len(found)
        with pytest.raises(InvalidFilter, match="at most"):
            reader.where(level=AnyOf(*range(33)))

    async def test_a_cursor_is_good_for_its_search_and_choice_only(self, store: ReadStore) -> None:
        """As for every other part of a query."""
        await put(store, TICKETS, *_TICKETS)
        reader = store.reader(Ticket)
        searched, chosen = reader.search("paper"), reader.where_any(title="Paper jam", level=2)
        for mine, others in (
            (searched, (reader, reader.search("jam"), reader.search("paper -x"), searched.sort("level"))),
            (chosen, (reader, reader.where_any(title="Paper jam", level=3), reader.where(title="Paper jam", level=2))),
        ):
            cursor = (await mine.page(PageRequest(size=1))).next
            assert len((await mine.page(PageRequest(size=1, cursor=cursor))).items) == 1
            for other in others:
                with pytest.raises(InvalidCursor):
                    await other.page(PageRequest(cursor=cursor))
