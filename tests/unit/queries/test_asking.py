"""Asking: plans of query handlers, and answers with their position and age."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.accounts import STRICT, Balance, Balances, Deposited, Entry, bank
from tests.askers import asker_of

from headwater.clock import Now
from headwater.errors import ContractError, ProjectionBehind, ProjectionFailed, UnknownMessage
from headwater.event_store.memory import MemoryEventStore
from headwater.messages import Query
from headwater.queries.asking import answer_type_of, answers, is_query_handler, query_plan
from headwater.read_models import Page, Projection, on
from headwater.read_store import Reader
from headwater.testing import ControlledClock

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Tariff:
    """A service."""

    fee = 3


class GetBalance(Query[Balance | None]):
    account: str


class FindBalances(Query[Page[Balance]]):
    pass


class GetFee(Query[int]):
    pass


class GetTime(Query[datetime]):
    pass


class Deeper(GetFee):
    pass


@answers
async def get_balance(query: GetBalance, balances: Reader[Balance]) -> Balance | None:
    return await balances.get(query.account)


@answers
def get_fee(query: GetFee, tariff: Tariff) -> int:
    return tariff.fee


@answers
async def get_time(_query: GetTime, now: Now) -> datetime:
    return now


@asynccontextmanager
async def asked(*functions, events=None, clock=None, projections=(Balances,), follow=True) -> AsyncIterator[Any]:
    """A bank with an asker of these handlers."""
    clock = clock or ControlledClock(NOON)
    events = events or MemoryEventStore(clock=clock)
    async with bank(*projections, events=events, follow=follow, retry=STRICT) as desk:
        desk.asker = asker_of(desk, *functions, services={Tariff: Tariff()}, clock=clock)
        desk.clock = clock
        yield desk


def test_a_plan_knows_what_the_handler_wants():
    """The query, the read models, the services, and whether to wait for it."""
    plan = query_plan(get_balance)
    assert (plan.query, plan.models, plan.services, plan.is_async) == (GetBalance, (Balance,), (), True)
    fee = query_plan(get_fee)
    assert ([each.annotation for each in fee.services], fee.is_async, fee.faults) == ([Tariff], False, ())
    assert (plan.name, plan.where) == ("GetBalance", "get_balance")
    assert is_query_handler(get_fee)
    assert not is_query_handler(print)


@pytest.mark.parametrize(
    ("query", "answer"),
    [(GetBalance, Balance | None), (FindBalances, Page[Balance]), (Deeper, int), (Query, Any)],
)
def test_a_query_says_what_it_is_answered_with(query, answer):
    """Also through a subclass."""
    assert answer_type_of(query) == answer


async def _no_query(query: int) -> int: ...
async def _other_answer(query: FindBalances) -> list[Balance]: ...
async def _nothing_said(query: FindBalances): ...
async def _one_of_two(query: GetBalance) -> Balance: ...
async def _bare_reader(query: GetFee, rows: Reader) -> int: ...
async def _reader_of_int(query: GetFee, rows: Reader[int]) -> int: ...


async def _yielding(query: GetFee) -> int:
    yield 1


@pytest.mark.parametrize(
    ("function", "fault"),
    [
        (_no_query, "must be annotated with a Query"),
        (_other_answer, "returns list, but FindBalances is a Query[Page"),
        (_nothing_said, None),
        (_one_of_two, None),
        (_bare_reader, "Reader[SomeReadModel]"),
        (_reader_of_int, "Reader[SomeReadModel]"),
        (_yielding, "it does not yield"),
    ],
)
def test_faults_of_a_handler_are_told(function, fault):
    """A handler may answer less than the query allows, not something else."""
    plan = query_plan(function)
    found = plan if isinstance(plan, str) else " ".join(plan.faults)
    assert fault in found if fault else found == ""


async def test_an_answer_says_where_it_stands():
    """The value, the position it includes at least, and that nothing is missing."""
    async with asked(get_balance) as desk:
        await desk.append(Deposited(account="a", amount=5))
        answer = await desk.asker.answer(GetBalance(account="a"), after=1)
        assert (answer.value.amount, answer.position, answer.age_seconds) == (5, 1, 0.0)
        assert await desk.asker.ask(GetBalance(account="b"), after=1) is None


async def test_handlers_get_services_and_the_time():
    """By annotation; one that reads nothing is as fresh as the log."""
    async with asked(get_fee, get_time) as desk:
        await desk.append(Deposited(account="a", amount=5))
        answer = await desk.asker.answer(GetFee())
        assert (answer.value, answer.position, answer.age_seconds) == (3, 1, 0.0)
        assert await desk.asker.ask(GetTime()) == NOON
        desk.clock.advance(timedelta(seconds=1))
        assert await desk.asker.ask(GetTime()) == NOON + timedelta(seconds=1)


async def test_a_query_nobody_answers():
    """The error names it."""
    async with asked() as desk:
        with pytest.raises(UnknownMessage, match="GetFee"):
            await desk.asker.ask(GetFee())


async def test_a_class_in_the_place_of_a_query_is_told():
    """Whoever forgets the parentheses learns it from a typed error."""
    async with asked(get_fee) as desk:
        with pytest.raises(ContractError, match="is not a query"):
            await desk.asker.ask(GetFee)


async def test_an_answer_grows_old_by_what_it_misses():
    """Its age is that of the first event that is not in it, and waiting for a fresher one ends in time."""
    async with asked(get_balance, follow=False) as desk:
        await desk.append(Deposited(account="a", amount=5))
        desk.clock.advance(timedelta(seconds=30))
        await desk.append(Deposited(account="a", amount=5))
        desk.clock.advance(timedelta(seconds=10))
        answer = await desk.asker.answer(GetBalance(account="a"))
        assert (answer.value, answer.position, answer.age_seconds) == (None, 0, 40.0)
        assert (await desk.asker.answer(GetBalance(account="a"), max_staleness=40)).age_seconds == 40.0
        with pytest.raises(ProjectionBehind):
            await desk.asker.ask(GetBalance(account="a"), max_staleness=39, timeout=0.001)
        with pytest.raises(ProjectionBehind):
            await desk.asker.ask(GetBalance(account="a"), after=1, timeout=0.001)


async def test_who_wants_a_fresh_answer_waits_for_it():
    """Until everything of now is included."""
    async with asked(get_balance) as desk:
        await desk.append(Deposited(account="a", amount=5))
        desk.clock.advance(timedelta(seconds=9))
        asking = asyncio.create_task(desk.asker.answer(GetBalance(account="a"), max_staleness=1, timeout=10))
        answer = await asking
        assert (answer.value.amount, answer.age_seconds) == (5, 0.0)


async def test_only_the_read_projections_are_waited_for():
    """Another one may stand still."""

    class Stuck(Projection[Entry]):
        @on
        def deposited(self, event: Deposited) -> Entry:
            raise ValueError("stuck")

    async def find(query: GetFee, entries: Reader[Entry]) -> int:
        return await entries.count()

    async with asked(get_balance, find, projections=(Balances, Stuck)) as desk:
        await desk.append(Deposited(account="a", amount=5))
        assert (await desk.asker.ask(GetBalance(account="a"), after=1, timeout=10)).amount == 5
        with pytest.raises(ProjectionFailed, match="stuck"):
            await desk.asker.ask(GetFee(), after=1, timeout=10)
