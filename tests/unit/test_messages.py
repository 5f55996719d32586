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
    "wrong",
    [{"ttl": 0}, {"ttl": float("nan")}, {"size": 0}, {"max_staleness": -1}, {"stale_while_revalidate": float("nan")}],
)
def test_a_cache_that_cannot_be_is_refused(wrong):
    """With what to give instead."""
    with pytest.raises(ContractError, match="give"):
        Cache(**wrong)
