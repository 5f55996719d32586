"""Declared queries: what can be said, what cannot, and how an application, a URL and the contract take them."""

from __future__ import annotations

import types
from datetime import datetime
from typing import Annotated, Literal

import msgspec
import pytest

from headwater import (
    App,
    DetailQuery,
    Event,
    Filter,
    IsNull,
    Join,
    Key,
    ListQuery,
    Prefix,
    Projection,
    Query,
    Range,
    Reader,
    ReadModel,
    Search,
    Searchable,
    Sort,
    Sortable,
    Tag,
    answers,
    errors,
    on,
)
from headwater.queries.asking import answer_type_of
from headwater.queries.declared import declared_plan
from headwater.read_models import Page


class Owner(ReadModel):
    account: Annotated[str, Key()]
    name: Annotated[str, Searchable()]


class Shop(ReadModel):
    code: Annotated[str, Key()]
    owner: str
    state: Literal["open", "shut"] = "open"
    size: int = 0
    tags: list[str] = []


class ShopWithOwner(Shop):
    who: Annotated[Owner | None, Join("owner")] = None


class ShareOfShops(Query[int]):
    among: int


@answers
async def share_of_shops(query: ShareOfShops) -> int:
    return 100 // query.among


class Misjoined(Shop):
    who: Annotated[Owner | None, Join("size")] = None


class Unjoined(Shop):
    who: Annotated[Owner, Join("owner")] = Owner(account="", name="")


class Overjoined(Shop):
    who: Annotated[Owner | None, Join("owner", "code", "nothing")] = None


class Unfilled(ShopWithOwner):
    more: int = 0


class Alone(ReadModel):
    code: Annotated[str, Key()]
    who: Annotated[Owner | None, Join("code")] = None


class Misnamed(ListQuery[Shop]):
    stat: str | None = None


class Mistyped(ListQuery[Shop]):
    size: str | None = None


class MistypedRange(ListQuery[Shop]):
    size: Range[datetime] | None = None


class WrongValue(ListQuery[Shop]):
    state: Literal["open", "closed"] | None = None


class OfNested(ListQuery[Shop]):
    tags: list[str] | None = None


class PartOfNumber(ListQuery[Shop]):
    size: Annotated[str | None, Filter(by=Prefix)] = None


class NoFlag(ListQuery[Shop]):
    size: Annotated[int | None, Filter(by=IsNull)] = None


class NeverNull(ListQuery[Shop]):
    lacks_size: Annotated[bool | None, Filter("size", by=IsNull)] = None


class Structured(ListQuery[Shop]):
    size: Shop | None = None


class Unsearchable(ListQuery[Shop]):
    search: Annotated[str, Search()] = ""


class SearchedNumber(ListQuery[Owner]):
    search: Annotated[int | None, Search()] = None


class Missorted(ListQuery[Shop]):
    sort: Sort = "-sise"


class SortedByNested(ListQuery[Shop]):
    sort: Annotated[Sort, Sortable("tags")] = ""


class SortedElsewhere(ListQuery[Shop]):
    sort: Annotated[Sort, Sortable("size")] = "state"


class WithoutRow(ListQuery):
    pass


class WrongKey(DetailQuery[Shop]):
    number: str


class MistypedKey(DetailQuery[Shop]):
    code: int


class ManyKeys(DetailQuery[Shop]):
    code: list[str]


class NoWay(ListQuery[Shop]):
    size: Annotated[int | None, Filter(by="between")] = None  # type: ignore[arg-type]  # what is refused


class GetShop(DetailQuery[Shop]):
    code: str


class FindShops(ListQuery[ShopWithOwner]):
    """Shops."""

    state: Literal["open", "shut"] | None = None
    size: Range[int] | None = None
    any_size: Annotated[tuple[int, ...] | None, Filter("size")] = None
    begins: Annotated[str | None, Filter("owner", "who.name", by=Prefix)] = None
    sort: Annotated[Sort, Sortable("size")] = "-size"


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        (Misnamed, "no field 'stat' to filter by; did you mean state?"),
        (Mistyped, "size is int in the row, but str here"),
        (MistypedRange, "size is int in the row, but datetime here"),
        (WrongValue, "state is"),
        (OfNested, "tags holds nested data"),
        (PartOfNumber, "size is no text"),
        (NoFlag, "whether there is a value is a bool"),
        (NeverNull, "size has a value in every row"),
        (Structured, "nothing to compare a field with"),
        (Unsearchable, "has no field to search"),
        (SearchedNumber, "what to search for is a text"),
        (Missorted, "did you mean size?"),
        (SortedByNested, "has no order"),
        (SortedElsewhere, "sorted by state by default, which is not among size"),
        (WithoutRow, "say which rows it asks for"),
        (WrongKey, "the key of Shop, which is code"),
        (MistypedKey, "code is str in the row, but int here"),
        (ManyKeys, "a key is one value, of type str"),
        (NoWay, "'between' is no way to compare; there are Contains, In, IsNull, Ne, Prefix, Range, 'ge'"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_does_not_fit_is_a_fault_of_the_wiring(query, fault):
    """Before anybody asks."""
    plan = declared_plan(query)
    assert fault in "; ".join([plan] if isinstance(plan, str) else plan.faults)
    with pytest.raises(errors.WiringError) as caught:
        App("shops", query)
    assert fault in str(caught.value)


@pytest.mark.parametrize(
    ("model", "fault"),
    [
        (Misjoined, "size has another type than Owner.account"),
        (Unjoined, "CallerRow | None, Join"),
        (Overjoined, "names 'nothing', which is no field"),
        (Unfilled, "Unfilled.more: nothing fills it"),
        (Alone, "make it a class below the read model"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_stand_beside_a_row_is_a_fault(model, fault):
    """In a declared query and for the reader of a handler alike."""
    declared = types.new_class("Find", (ListQuery[model],))
    assert fault in str(declared_plan(declared))

    async def find(query: Query[int], rows: Reader[model]) -> int:
        return 0

    find.__annotations__ = {"query": GetNumber, "rows": Reader[model], "return": int}
    with pytest.raises(errors.WiringError) as caught:
        App("shops", answers(find))
    assert fault in str(caught.value)


class GetNumber(Query[int]):
    pass


def test_the_types_are_known():
    """What a query is answered, and which models it reads."""
    assert answer_type_of(FindShops) == Page[ShopWithOwner]
    assert answer_type_of(GetShop) is Shop


def test_two_ways_to_answer_are_one_too_many():
    """A handler for a query that answers itself is told."""

    async def get(query: GetShop, rows: Reader[Shop]) -> Shop:
        raise AssertionError

    get.__annotations__ = {"query": GetShop, "rows": Reader[Shop], "return": Shop}
    with pytest.raises(errors.WiringError, match="answered twice"):
        App("shops", GetShop, answers(get))


class ShopOpened(Event):
    code: Annotated[str, Tag("shop")]
    size: int


class Shops(Projection[Shop]):
    @on
    def opened(self, event: ShopOpened) -> Shop:
        return Shop(code=event.code, owner="o", size=event.size)


class ListShops(ListQuery[Shop]):
    """Shops."""

    size: Range[int] | None = None
    sort: Sort = "-size"


async def test_an_application_answers_what_is_declared():
    """Without a handler: in Python, and from the parameters of a URL."""
    app = App("shops", ShopOpened, Shops, ListShops, GetShop)
    async with app.open("memory:") as runtime:
        events = [ShopOpened(code=code, size=size) for code, size in (("a", 5), ("b", 7), ("c", 9))]
        await runtime.event_store.append([app.codec.encode_event(event) for event in events])
        await runtime.caught_up()
        page = await runtime.ask(ListShops(size=Range(ge=6)))
        assert [row.code for row in page.items] == ["c", "b"]
        asked = app.codec.decode_query("list-shops", {"size.lt": "9", "sort": "size", "page.size": "1"})
        assert [row.code for row in (await runtime.ask(asked)).items] == ["a"]
        assert (await runtime.ask(GetShop(code="b"))).size == 7
        with pytest.raises(errors.RowNotFound, match="code 'x'"):
            await runtime.ask(GetShop(code="x"))


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"sise": "1"}, "did you mean size? there are: fields, page, size, sort"),
        ({"size.above": "1"}, "there are: ge, gt, le, lt"),
        ({"size": "1"}, "Expected object"),
        ({"page.sise": "1"}, "did you mean size? there are: cursor, size, total"),
    ],
    ids=str,
)
def test_a_name_that_is_none_is_refused_with_the_right_ones(parameters, told):
    """As every message does it."""
    app = App("shops", ShopOpened, Shops, ListShops)
    with pytest.raises(errors.InvalidMessage) as caught:
        app.codec.decode_query("ListShops", parameters)
    assert told in str(caught.value)


def test_a_declared_query_survives_the_wire():
    """A JSON body and a query made in Python are the same."""
    query = FindShops(state="open", size=Range(ge=1, lt=5), any_size=(1, 2), fields=("code",))
    assert msgspec.json.decode(msgspec.json.encode(query), type=FindShops) == query


@pytest.mark.parametrize("query", [ListShops(sort=5), ListShops(page=3)], ids=repr)
async def test_a_query_made_with_values_of_other_types_is_refused(query):
    """As one that comes over the wire is."""
    async with App("shops", ShopOpened, Shops, ListShops).open("memory:") as runtime:
        with pytest.raises(errors.InvalidMessage) as caught:
            await runtime.ask(query)
        with pytest.raises(errors.InvalidMessage):
            await runtime.ask(query, as_of=0)
    assert "Expected" in caught.value.errors[0].detail


async def test_a_handler_that_fails_on_a_good_query_is_not_excused():
    """Its own error comes through."""
    async with App("shops", share_of_shops).open("memory:") as runtime:
        with pytest.raises(ZeroDivisionError):
            await runtime.ask(ShareOfShops(among=0))
