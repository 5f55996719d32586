"""Queries of the accounts, and an asker of any handlers over a bank: for the tests of caches and live queries."""

from __future__ import annotations

from typing import Any

from tests.accounts import CODEC, Balance, Entry

from headwater.messages import Cache, Query
from headwater.queries.asker import Asker
from headwater.queries.asking import answers, query_plan
from headwater.queries.freshness import Freshness
from headwater.read_models import Page, PageRequest
from headwater.read_store import Reader


class GetBalance(Query[Balance | None], cache=Cache()):
    """One account, by key."""

    account: str


class FindBalances(Query[Page[Balance]], cache=Cache(size=3)):
    """Accounts with at least so much."""

    least: int = 0
    page: PageRequest = PageRequest(size=10)


class CountEntries(Query[int], cache=Cache()):
    """How many movements there were."""


class Calls:
    """How often each handler ran."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def of(self, name: str) -> int:
        """How often that one ran."""
        return self.made.count(name)


@answers
async def get_balance(query: GetBalance, balances: Reader[Balance]) -> Balance | None:
    """By key."""
    return await balances.get(query.account)


@answers
async def find_balances(query: FindBalances, balances: Reader[Balance]) -> Page[Balance]:
    """By amount."""
    from headwater.read_store import Range

    return await balances.where(amount=Range(ge=query.least)).sort("account").page(query.page)


@answers
async def count_entries(query: CountEntries, entries: Reader[Entry]) -> int:
    """All of them."""
    return await entries.count()


HANDLERS = (get_balance, find_balances, count_entries)


def asker_of(bank: Any, *functions: Any, services: Any = None, events: Any = None, clock: Any, **options: Any) -> Asker:
    """An asker of these handlers over the bank; ``options`` are those of ``Asker``."""
    freshness = Freshness(bank.rows, event_store=events or bank.events, progress=bank.progress, clock=clock)
    return Asker(
        [query_plan(function) for function in functions],
        bank.rows,
        services or {},
        freshness=freshness,
        codec=CODEC,
        **options,
    )
