"""Messages and rows: what a query class may say beside its fields, and how fields are given."""

from __future__ import annotations

import pytest

from headwater.aggregates import Aggregate
from headwater.errors import ContractError
from headwater.messages import Cache, Command, Event, Query
from headwater.read_models import ReadModel
from headwater.reports import ReportRow


class Cached(Query[int], cache=Cache(ttl=5)):
    name: str = ""


class Below(Cached):
    pass


class Plain(Query[int]):
    pass


def test_a_query_says_how_its_answers_are_kept():
    """As a class keyword, which a subclass takes over and others do not have."""
    assert Cached.__cache__ == Below.__cache__ == Cache(ttl=5)
    assert Plain.__cache__ is None
    assert Cached(name="a") == Cached(name="a")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("ttl", value) for value in (0, float("nan"), "x", True)),
        *(("max_staleness", value) for value in (-1, "x", None)),
        *(("stale_while_revalidate", value) for value in (float("nan"), "x")),
        *(("size", value) for value in (0, 1.5, "x", True)),
        *(("version", "2"), ("scope", "everybody")),
    ],
)
def test_a_cache_that_cannot_be_is_refused(name, value):
    """By the name of what is wrong, with what it may be."""
    with pytest.raises(ContractError, match=f"Cache: {name} is .* not {value!r}"):
        Cache(**{name: value})


@pytest.mark.parametrize("base", [Command, Query[int], Event, ReadModel, Aggregate, ReportRow[ReadModel]])
def test_fields_are_given_by_name_in_any_order(base):
    """A required one may follow one with a default, in a class below as well, as type checkers have it."""

    class First(base):
        count: int = 1
        name: str

    class Second(First):
        place: str

    made = Second(name="a", place="b")
    assert (made.count, made.name, made.place) == (1, "a", "b")
    with pytest.raises(TypeError):
        Second(2, "a", "b")


def test_a_class_may_take_fields_by_place_if_it_says_so():
    """What msgspec offers is still there."""

    class Move(Command, kw_only=False):
        to: str

    assert Move("here").to == "here"
