"""Messages: what a query class may say beside its fields."""

from __future__ import annotations

import pytest

from headwater.errors import ContractError
from headwater.messages import Cache, Query


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
