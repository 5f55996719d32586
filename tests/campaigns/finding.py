"""Rows of every kind of value, asked for in every way, against a filter and a sort in plain Python.

``compare`` asks one reader for everything it has: at once, in pages forwards and back, streamed, counted and one by
one. What is expected is worked out from Python's own values, never from what is stored.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from operator import ge, gt, le, lt
from typing import Annotated, Any, Literal
from uuid import UUID

from headwater import App, Cache, Event, Key, PageRequest, Projection, Query, ReadModel, answers, on
from headwater.figure_marks import Avg, Count, Group, Max, Min, Sum
from headwater.read_models import Indexed, Searchable
from headwater.read_store import Reader
from headwater.read_store.filters import AnyOf, Contains, In, IsNull, Ne, Prefix, Range
from headwater.reports import ReportRow

Predicate = Callable[[Any], bool]


class Colour(Enum):
    RED = "red"
    GREEN = "green"


class Level(Enum):
    LOW = 1
    HIGH = 20


class Thing(ReadModel):
    name: Annotated[str, Key(), Indexed()]
    number: Annotated[int, Key()]
    text: Annotated[str | None, Searchable()] = None
    whole: Annotated[int | None, Indexed("text")] = None
    real: float | None = None
    exact: Annotated[Decimal | None, Indexed()] = None
    at: Annotated[datetime | None, Indexed("exact")] = None
    day: date | None = None
    long: timedelta | None = None
    flag: bool | None = None
    colour: Colour | None = None
    level: Level | None = None
    word: Literal["Zoe", "adam", "Éva"] | None = None
    token: UUID | None = None
    raw: bytes | None = None


class Put(Event):
    thing: Thing


class Taken(Event):
    name: str
    number: int


class Things(Projection[Thing]):
    @on
    def put(self, event: Put) -> Thing:
        return event.thing

    @on
    def taken(self, event: Taken, row: Thing | None) -> None:
        """It goes, if it is there."""


class Listed(Query[list[str]]):
    text: str | None = None
    least: int | None = None
    sort: str = ""


class KeptList(Query[list[str]], cache=Cache()):
    text: str | None = None
    least: int | None = None
    sort: str = ""


class Numbered(Query[int]):
    least: int | None = None


class KeptNumber(Query[int], cache=Cache(size=3)):
    least: int | None = None


async def _listed(query: Any, things: Reader[Thing]) -> list[str]:
    found = things.where(whole=Range(ge=query.least)).search(query.text).sort(query.sort)
    page = await found.page(PageRequest(size=5, total=True))
    return [str(page.total), *(f"{thing.name}/{thing.number}" for thing in page.items)]


@answers
async def listed(query: Listed, things: Reader[Thing]) -> list[str]:
    return await _listed(query, things)


@answers
async def kept_list(query: KeptList, things: Reader[Thing]) -> list[str]:
    return await _listed(query, things)


@answers
async def numbered(query: Numbered, things: Reader[Thing]) -> int:
    return await things.where(whole=Range(ge=query.least)).count()


@answers
async def kept_number(query: KeptNumber, things: Reader[Thing]) -> int:
    return await things.where(whole=Range(ge=query.least)).count()


APP = App("things", Things, listed, kept_list, numbered, kept_number)

_ZONES = (UTC, timezone(timedelta(hours=5, minutes=45)), timezone(-timedelta(hours=11)))
_NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)
_TEXTS = (
    "",
    "a",
    "A",
    "b",
    "ab",
    "aB",
    "É",
    "é",
    "e\u0301",
    "ß",
    "ss",
    "中",
    "\U0001f600",
    "\uffff",
    "a b",
    "a_b",
    "a%b",
    "z'z",
)
_VALUES: dict[str, tuple[Any, ...]] = {
    "text": (*_TEXTS, "printer jam", "jam Printer", "jam, jam; paper"),
    "whole": (0, 1, -1, 7, 10, (1 << 63) - 1, -(1 << 63)),
    "real": (0.0, -0.0, 1.5, -1.5, 0.1 + 0.2, 0.3, 1e300, 5e-324),
    "exact": tuple(map(Decimal, ("0", "-0", "0.00", "1.5", "1.50", "-1.5", "10", "1E+1", "9.99", "1E-30", "-1E+30"))),
    "at": tuple((_NOON + timedelta(minutes=m)).astimezone(zone) for m in (0, 1, 60) for zone in _ZONES),
    "day": (date(2024, 2, 29), date(1, 1, 1), date(9999, 12, 31)),
    "long": (timedelta(), timedelta(microseconds=1), timedelta(days=-1), timedelta(days=400)),
    "flag": (True, False),
    "colour": tuple(Colour),
    "level": tuple(Level),
    "word": ("Zoe", "adam", "Éva"),
    "token": (UUID(int=0), UUID(int=1 << 100), UUID(int=(1 << 128) - 1)),
    "raw": (b"", b"\x00", b"a", b"\xff", b"a\x00"),
}


def thing(chance: random.Random) -> Thing:
    """Any thing; many values are missing, and many are equal."""
    values = {name: chance.choice(some) for name, some in _VALUES.items() if chance.random() < 0.7}
    return Thing(name=chance.choice(_TEXTS[1:]), number=chance.randrange(3), **values)


def _plain(value: Any) -> Any:
    """What a value is compared by."""
    return value.value if isinstance(value, Enum) else str(value) if isinstance(value, UUID) else value


def _filter(chance: random.Random, field: str, *, deep: bool = True) -> tuple[Any, Predicate]:
    """A filter of a field, and what it means."""
    one, other = chance.choice(_VALUES[field]), chance.choice(_VALUES[field])
    kinds = ["eq", "ne", "in", "null", "range"]
    kinds += ["prefix", "contains"] if field == "text" else []
    kinds += ["any"] if deep else []
    match chance.choice(kinds):
        case "eq":
            return one, lambda value: value is not None and value == one
        case "ne":
            return Ne(one), lambda value: value is None or value != one
        case "in":
            some = [one, other][: chance.randrange(3)]
            return In(some), lambda value: value is not None and value in some
        case "null":
            wanted = chance.choice((True, False))
            return IsNull(wanted), lambda value: (value is None) == wanted
        case "prefix":
            return Prefix(one), lambda value: value is not None and value.startswith(one)
        case "contains":
            return Contains(one), lambda value: value is not None and _lower(one) in _lower(value)
        case "any":
            first, is_first = _filter(chance, field, deep=False)
            second, is_second = _filter(chance, field, deep=False)
            return AnyOf(first, second), lambda value: is_first(value) or is_second(value)
        case _:
            name, test = chance.choice((("ge", ge), ("gt", gt), ("le", le), ("lt", lt)))
            bound = _plain(one)
            return Range(**{name: one}), lambda value: value is not None and test(_plain(value), bound)


def _lower(text: str) -> str:
    return "".join(chr(ord(each) + 32) if "A" <= each <= "Z" else each for each in text)


def _sort(chance: random.Random) -> tuple[str, list[tuple[str, bool]]]:
    """An order: its words, and its fields with whether they descend; the key ends it."""
    fields = chance.sample(["name", "number", *_VALUES], chance.randrange(4))
    terms = [(field, chance.random() < 0.5) for field in fields]
    words = ",".join(f"-{field}" if down else field for field, down in terms)
    last = terms[-1][1] if terms else False
    return words, [*terms, *((key, last) for key in ("name", "number") if key not in fields)]


def sorted_by(terms: list[tuple[str, bool]], rows: list[Thing]) -> list[Thing]:
    """In plain Python: None is the lowest, what is equal keeps its place."""
    for field, down in reversed(terms):
        rows = sorted(rows, key=lambda row: _ranked(getattr(row, field)), reverse=down)
    return rows


def _ranked(value: Any) -> Any:
    return (False, 0) if value is None else (True, _plain(value))


def asked(chance: random.Random, things: Reader[Thing], rows: list[Thing]) -> tuple[Reader[Thing], list[Thing], str]:
    """A reader with any filters and any order, what it should find, and how it was asked."""
    told: list[Any] = []
    for _ in range(chance.choice((0, 1, 1, 2))):
        some = {field: _filter(chance, field) for field in chance.sample(list(_VALUES), chance.choice((1, 1, 2)))}
        filters, tests = (
            {name: each for name, (each, _) in some.items()},
            {name: test for name, (_, test) in some.items()},
        )
        any_one = chance.random() < 0.4
        things = things.where_any(**filters) if any_one else things.where(**filters)
        join = any if any_one else all
        rows = [row for row in rows if join([test(getattr(row, name)) for name, test in tests.items()])]
        told.append((any_one, filters))
    words, terms = _sort(chance)
    return things.sort(words), sorted_by(terms, rows), f"{told} {words!r}"


async def compare(chance: random.Random, things: Reader[Thing], rows: list[Thing], told: str) -> None:
    """Every way of reading finds these rows, in this order."""
    assert await things.all() == rows, told
    assert await things.count() == len(rows), told
    assert await things.first() == (rows[0] if rows else None), told
    some = chance.randrange(6)
    assert await things.all(limit=some) == rows[:some], told
    async with aclosing(things.stream()) as streamed:
        assert [row async for row in streamed] == rows, told
    await _page_by_page(chance, things, rows, told)
    fields = chance.sample(Thing.__struct_fields__, 3)
    narrow = await things.only(*fields).all()
    assert [[getattr(row, name) for name in fields] for row in narrow] == [
        [getattr(row, name) for name in fields] for row in rows
    ], told
    for row in rows[:2]:
        assert await things.get((row.name, row.number)) == row, told


async def _page_by_page(chance: random.Random, things: Reader[Thing], rows: list[Thing], told: str) -> None:
    """From the first to the last and back again, in pages of changing sizes."""
    if chance.random() < 0.4:
        things = things.only("text", "name", "number")
        rows = [Thing(name=row.name, number=row.number, text=row.text) for row in rows]
    at, page = 0, await things.page(PageRequest(size=chance.randint(1, 9), total=True))
    assert page.total == len(rows), told
    while True:
        size = len(page.items)
        assert [_short(row) for row in page.items] == [_short(row) for row in rows[at : at + size]], told
        at += size
        assert (page.next is None) == (at == len(rows)), (told, at)
        if page.next is None:
            break
        page = await things.page(PageRequest(size=chance.randint(1, 9), cursor=page.next))
    at -= len(page.items)
    while page.previous is not None:
        page = await things.page(PageRequest(size=chance.randint(1, 9), cursor=page.previous))
        size = len(page.items)
        assert [_short(row) for row in page.items] == [_short(row) for row in rows[at - size : at]], told
        at -= size
    assert at == 0, told


def _short(row: Any) -> Any:
    return row.name, row.number, row.text


# -- what is compared between stores: words that are searched, and figures


class ByText(ReportRow[Thing]):
    text: Annotated[str | None, Group()]
    flag: Annotated[bool | None, Group()]
    times: Annotated[int, Count()]
    wholes: Annotated[int, Count("whole", distinct=True)]
    exact: Annotated[Decimal, Sum()]
    long: Annotated[timedelta, Sum()]
    least: Annotated[Decimal | None, Min("exact")]
    most: Annotated[float | None, Max("real")]
    mean: Annotated[Decimal | None, Avg("exact")]
    latest: Annotated[datetime | None, Max("at")]


class ByHour(ReportRow[Thing]):
    at: Annotated[datetime | None, Group(unit="hour")]
    exact: Annotated[Decimal | None, Group()]
    level: Annotated[Level | None, Group()]
    times: Annotated[int, Count()]
    colours: Annotated[int, Count("colour", distinct=True)]
    first: Annotated[timedelta | None, Min("long")]
    word: Annotated[Literal["Zoe", "adam", "Éva"] | None, Max()]


async def told_alike(chance: random.Random, things: Reader[Thing]) -> list[str]:
    """What every store has to say in the same words."""
    words = chance.sample(["jam", "print*", "-paper", "a", "é", "ss", '"printer jam"', "z*", "-jam"], 2)
    sort = chance.choice(("relevance", "relevance,-exact", "-text"))
    found = things.search(" ".join(words)).sort(sort)
    page = await found.page(PageRequest(size=4, total=True))
    items = page.items
    if page.next is not None:
        items += (await found.page(PageRequest(size=100, cursor=page.next))).items
    shown = list(map(repr, items))
    if sort.startswith("relevance") and not all(word.startswith("-") for word in words):
        shown.sort()  # how well rows fit is each database's own measure
    told = [f"{words} {sort}", str(page.total), *shown]
    field = chance.choice(list(_VALUES))
    some, _ = _filter(chance, field)
    report: Any = chance.choice((ByText, ByHour))
    zone = chance.choice((None, "Asia/Kathmandu", "America/New_York"))
    rows = await things.where(**{field: some}).report(report, sort=chance.choice(("", "-times")), zone=zone)
    return [*told, f"{field}={some!r}", *map(repr, rows)]
