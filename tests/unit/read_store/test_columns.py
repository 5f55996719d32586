"""Values as they are stored: they come back as they were, and sort as they did."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NewType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from headwater.errors import InvalidFilter, ProjectionError
from headwater.read_models import Indexed, Key, ReadModel
from headwater.read_store.columns import columns_of, decimal_order
from headwater.read_store.tables import Table

Name = NewType("Name", str)
NAIVE = datetime.fromisoformat("2026-01-01T00:00:00")


class Rank(IntEnum):
    LOW = 1
    HIGH = 2


class Mixed(ReadModel):
    name: Annotated[Name, Key()]
    rank: Rank = Rank.LOW
    choice: Literal["a", "b", None] = None  # noqa: PYI061  as users may write it
    number: Literal[1, 2] = 1
    odd: Literal["a", 1] = 1
    either: int | str = 1
    bounded: Annotated[Annotated[int, Meta(ge=0)], Indexed()] = 0
    anything: Any = None
    price: Decimal = Decimal(0)
    maybe: Annotated[Decimal | None, Indexed()] = None


def column(name):
    return next(column for column in columns_of(Mixed) if column.name == name)


@pytest.mark.parametrize(
    ("name", "kind", "is_json", "nullable"),
    [
        ("name", "text", False, False),
        ("rank", "integer", False, False),
        ("choice", "text", False, True),
        ("number", "integer", False, False),
        ("odd", "text", True, False),
        ("either", "text", True, False),
        ("bounded", "integer", False, False),
        ("anything", "text", True, False),
        ("price", "text", False, False),
        ("maybe", "text", False, True),
    ],
)
def test_a_type_has_a_column(name, kind, is_json, nullable):
    """Marks, constraints and new names of a type change nothing about how it is stored."""
    found = column(name)
    assert (found.kind, found.is_json, found.nullable) == (kind, is_json, nullable)


def test_a_row_comes_back_as_it_was():
    """Through the generated functions, hidden columns last."""
    table = Table("Mixed", 1, Mixed)
    row = Mixed(name=Name("n"), rank=Rank.HIGH, odd="a", either="x", anything={"a": [1]}, price=Decimal("1.50"))
    values = table.values_of(row)
    assert values[-2:] == (decimal_order(Decimal("1.5")), None)
    assert table.row_of(values[:-2]) == row
    assert str(table.row_of(values[:-2]).price) == "1.50"
    assert table.key_of(values) == table.row_key(row) == "n"


def test_the_fingerprint_is_of_the_shape():
    """Another index, default, docstring or class name is the same shape; another type or nested field is not."""

    def model(**fields):
        return type("Other", (ReadModel,), {"__annotations__": {"k": Annotated[str, Key()], **fields}})

    def fingerprint(**fields):
        return Table("P", 1, model(**fields)).fingerprint

    assert fingerprint(a=int) == fingerprint(a=Annotated[int, Indexed()]) == fingerprint(a=Annotated[int, Meta(ge=1)])
    shapes = [int, int | None, str, datetime, list[int], list[str], dict[str, int], Decimal, bool]
    assert len({fingerprint(a=shape) for shape in shapes}) == len(shapes)


def test_table_names_are_plain():
    """And never the same for two projections."""
    assert Table("GroupLoads", 2, Mixed).name == "group_loads_v2"
    assert Table("SLAReport", 1, Mixed).name == "slareport_v1"
    odd = [Table(name, 1, Mixed).name for name in ("a b", "a-b", "\u00e4", 'x"; DROP', "x" * 200, "x" * 201)]
    assert len(set(odd)) == len(odd)
    assert all(name.replace("_", "").isalnum() and name.isascii() and len(name) < 64 for name in odd)


decimals = st.decimals(allow_nan=False, allow_infinity=False, places=None)


@given(one=decimals, other=decimals)
def test_decimals_sort_as_numbers(one, other):
    """Whatever their size and number of digits; equal numbers are equal."""
    assert (decimal_order(one) < decimal_order(other)) == (one < other)
    assert (decimal_order(one) == decimal_order(other)) == (one == other)


naive = st.datetimes(min_value=NAIVE.replace(year=2), max_value=NAIVE.replace(year=9998))
offsets = st.timedeltas(timedelta(hours=-23), timedelta(hours=23))


@given(one=naive, offset=offsets, other=naive)
def test_times_sort_as_instants(one, offset, other):
    """Whatever zone they came in."""
    stored = column_of_time()
    here, there = one.replace(tzinfo=UTC).astimezone(timezone(offset)), other.replace(tzinfo=UTC)
    assert (stored.comparable(here) < stored.comparable(there)) == (here < there)
    assert stored.load(stored.store(here)) == here


def column_of_time():
    """The column of an aware time."""
    return columns_of(type("Timed", (ReadModel,), {"__annotations__": {"at": datetime}}))[0]


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity"), Decimal("sNaN")])
def test_what_has_no_place_in_an_order_is_refused(value):
    """With what to say instead."""
    with pytest.raises(ProjectionError, match="use None"):
        decimal_order(value)


def test_not_a_number_is_refused():
    """A database would make None of it."""
    number = columns_of(type("N", (ReadModel,), {"__annotations__": {"at": float}}))[0]
    with pytest.raises(ProjectionError, match="NaN"):
        number.store(float("nan"))


@pytest.mark.parametrize(
    ("name", "wrong", "values"), [("rank", 3, (1, 2)), ("choice", "c", ("a", "b")), ("number", "x", (1, 2))]
)
def test_a_wrong_value_is_refused_with_the_right_ones(name, wrong, values):
    """Whoever filters by it need not look for them."""
    with pytest.raises(InvalidFilter) as refused:
        column(name).bind(wrong)
    assert refused.value.allowed == values
    assert refused.value.remedy == f"there are: {', '.join(map(str, values))}"


class Floor(Enum):
    CELLAR = -1


class Room(ReadModel):
    name: Annotated[str, Key()]
    floor: Floor = Floor.CELLAR
    number: int = 0
    degrees: float = 0.0


def test_every_value_that_is_stored_can_be_asked_for():
    """The member of an Enum of numbers, and the lowest number of all."""
    by_name = {column.name: column for column in columns_of(Room)}
    assert (by_name["floor"].bind(Floor.CELLAR), by_name["floor"].bind(-1)) == (-1, -1)
    assert by_name["number"].bind(-(1 << 63)) == -(1 << 63)


def test_there_is_one_zero():
    """Not every database tells the one below from it."""
    values = Table("Rooms", 1, Room).values_of(Room(name="r", degrees=-0.0))
    assert str(values[-1]) == "0.0"
