"""Kept answers: when one is given again, and when it must not be."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.accounts import Balance, Balances, Closed, Deposited, Entries, bank
from tests.askers import HANDLERS, CountEntries, FindBalances, GetBalance, asker_of

from headwater.clock import Now
from headwater.errors import InvalidCursor, QueryError
from headwater.messages import Cache, Query, Recorded
from headwater.queries.asker import Who
from headwater.queries.asking import query_plan
from headwater.read_models import PageRequest, on
from headwater.read_store import Reader
from headwater.testing import ControlledClock


class Timer:
    """Seconds in your hand."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@asynccontextmanager
async def cached(*functions, projections=(Balances, Entries), services=None, **options) -> AsyncIterator[Any]:
    """A bank with an asker that keeps answers, and two accounts."""
    store = {name: options.pop(name) for name in ("events", "rows", "follow") if name in options}
    async with bank(*projections, **store) as desk:
        desk.timer = Timer()
        desk.asker = asker_of(
            desk, *(functions or HANDLERS), services=services, clock=ControlledClock(), now=desk.timer, **options
        )
        await desk.append(Deposited(account="a", amount=5), Deposited(account="b", amount=7))
        if store.get("follow", True):
            await desk.caught_up()
        yield desk
        await desk.asker.close()


def counted(desk):
    """Hits and misses so far."""
    stats = desk.asker.cache.stats
    return stats.hits, stats.misses


async def test_the_same_question_is_answered_once():
    """The second time the answer is there, and it is the same."""
    async with cached() as desk:
        first = await desk.asker.answer(FindBalances())
        second = await desk.asker.answer(FindBalances())
        assert first == second
        assert [row.amount for row in second.value.items] == [5, 7]
        assert counted(desk) == (1, 1)
        assert await desk.asker.ask(FindBalances(least=6)) != second.value
        assert counted(desk) == (1, 2)


class Fragile(Balances):
    """Cannot fold one account, until it is mended."""

    is_broken = True

    @on
    def deposited(self, recorded: Recorded[Deposited], row: Balance | None) -> Balance:
        if recorded.event.account == "bad" and type(self).is_broken:
            raise ValueError("broken")
        return super().deposited(recorded, row)


@pytest.mark.parametrize("rows", ["memory:", "sqlite"])
async def test_a_parked_sequence_that_goes_on_ends_what_was_kept(rows, tmp_path, monkeypatch):
    """It changes a row at a position where the projection stands already."""
    store = f"sqlite:///{tmp_path}/rows.db" if rows == "sqlite" else rows
    async with cached(projections=(Fragile, Entries), rows=store) as desk:
        await desk.append(Deposited(account="bad", amount=1))
        await desk.append(Deposited(account="a", amount=1))
        await desk.caught_up()
        for _ in range(2):
            assert await desk.asker.ask(GetBalance(account="bad")) is None
            assert len((await desk.asker.ask(FindBalances())).items) == 2
        monkeypatch.setattr(Fragile, "is_broken", False)
        assert await desk.follower.parking.retry("Fragile", "bad") is None
        assert (await desk.asker.ask(GetBalance(account="bad"))).amount == 1
        assert len((await desk.asker.ask(FindBalances())).items) == 3


@pytest.mark.parametrize("rows", ["memory:", "sqlite"])
async def test_a_row_by_key_is_kept_while_others_change(rows, tmp_path):
    """A change to the row itself, or its end, makes a new answer; one to another row does not."""
    async with cached(rows=f"sqlite:///{tmp_path}/rows.db" if rows == "sqlite" else rows) as desk:
        asked = GetBalance(account="a")
        assert (await desk.asker.ask(asked)).amount == 5
        for number in range(3):
            await desk.append(Deposited(account="b", amount=1))
            await desk.caught_up()
            answer = await desk.asker.answer(asked)
            assert (answer.value.amount, answer.position) == (5, 3 + number)
        assert counted(desk) == (3, 1)
        await desk.append(Deposited(account="a", amount=1))
        await desk.caught_up()
        assert (await desk.asker.ask(asked)).amount == 6
        await desk.append(Closed(account="a"))
        await desk.caught_up()
        assert await desk.asker.ask(asked) is None
        assert counted(desk) == (3, 3)


async def test_a_row_that_is_not_there_is_kept_until_it_comes():
    """Nothing found is an answer too."""
    async with cached() as desk:
        assert await desk.asker.ask(GetBalance(account="c")) is None
        assert await desk.asker.ask(GetBalance(account="c")) is None
        assert counted(desk) == (1, 1)
        await desk.append(Deposited(account="c", amount=1))
        await desk.caught_up()
        assert (await desk.asker.ask(GetBalance(account="c"))).amount == 1


async def test_a_page_is_kept_while_its_table_stays():
    """A change that another projection alone makes a row of does not touch it."""
    async with cached(projections=(Balances, Entries)) as desk:
        assert await desk.asker.ask(CountEntries()) == 2
        await desk.append(Closed(account="b"))
        await desk.caught_up()
        assert await desk.asker.ask(CountEntries()) == 2
        assert counted(desk) == (1, 1)
        assert len((await desk.asker.ask(FindBalances())).items) == 1
        await desk.append(Deposited(account="a", amount=1))
        await desk.caught_up()
        assert await desk.asker.ask(CountEntries()) == 3
        assert (await desk.asker.ask(FindBalances())).items[0].amount == 6


async def test_what_was_asked_for_the_longest_ago_goes_first():
    """``size`` is how many answers of a query are kept."""
    async with cached() as desk:
        for least in (1, 2, 3, 1, 4, 1, 2):
            await desk.asker.ask(FindBalances(least=least))
        assert counted(desk) == (2, 5)
        assert desk.asker.cache.stats.entries == 3


async def test_a_rebuilt_projection_ends_what_was_kept():
    """Also when it comes to the same position again."""
    async with cached() as desk:
        await desk.asker.ask(GetBalance(account="a"))
        await desk.follower.rebuild("Balances")
        assert (await desk.asker.ask(GetBalance(account="a"))).amount == 5
        assert counted(desk) == (0, 2)


async def test_what_another_process_projects_is_noticed(tmp_path):
    """A process that projects nothing sees in the read store that something moved."""
    url = f"sqlite:///{tmp_path}/rows.db"
    async with (
        cached(rows=url, events=f"sqlite:///{tmp_path}/log.db") as projecting,
        bank(Balances, Entries, rows=url, events=projecting.events, follow=False) as other,
    ):
        asker = asker_of(other, *HANDLERS, clock=ControlledClock())
        for amount in (5, 6, 7):
            assert (await asker.ask(GetBalance(account="a"))).amount == amount
            assert (await asker.ask(GetBalance(account="a"))).amount == amount
            await projecting.append(Deposited(account="a", amount=1))
            await projecting.caught_up()
        assert (asker.cache.stats.hits, asker.cache.stats.misses) == (3, 3)
        await asker.close()


# -- staleness that is allowed


class Late(Query[int], cache=Cache(max_staleness=10, stale_while_revalidate=5)):
    pass


class Short(Query[int], cache=Cache(ttl=30)):
    pass


async def late(query: Late, balances: Reader[Balance]) -> int:
    return sum(row.amount for row in await balances.all())


async def short(query: Short, now: Now, balances: Reader[Balance]) -> int:
    return now.minute


async def test_a_change_may_be_late_if_the_query_says_so():
    """For so long no one looks; for a while longer the old answer is given while a new one is made; then no more."""
    async with cached(late) as desk:
        assert await desk.asker.ask(Late()) == 12
        await desk.append(Deposited(account="a", amount=1))
        await desk.caught_up()
        desk.timer.seconds += 9.9
        assert (await desk.asker.answer(Late())).value == 12
        desk.timer.seconds += 5
        assert await desk.asker.ask(Late()) == 12
        assert desk.asker.cache.stats.stale == 1
        await until(lambda: desk.asker.cache.stats.misses == 2 and not desk.asker.cache._shelves[Late].flights)
        assert await desk.asker.ask(Late()) == 13
        await desk.append(Deposited(account="a", amount=1))
        await desk.caught_up()
        desk.timer.seconds += 15.1
        assert await desk.asker.ask(Late()) == 14


async def test_a_late_answer_says_how_old_it_is():
    """Its position is where it was last known to hold."""
    async with cached(late) as desk:
        await desk.asker.ask(Late())
        await desk.append(Deposited(account="a", amount=1))
        await desk.caught_up()
        assert (await desk.asker.answer(Late())).position == 2


async def test_who_wants_more_than_the_query_allows_gets_it():
    """A position to include, or a bound on the age, goes before what the query allows."""
    async with cached(late) as desk:
        await desk.asker.ask(Late())
        at = await desk.append(Deposited(account="a", amount=1))
        assert await desk.asker.ask(Late(), after=at) == 13
        await desk.append(Deposited(account="a", amount=1))
        await desk.caught_up()
        assert await desk.asker.ask(Late(), max_staleness=60) == 14


async def test_an_answer_comes_to_its_end():
    """After ``ttl`` seconds, although nothing has changed that the read store knows of."""
    async with cached(short) as desk:
        await desk.asker.ask(Short())
        desk.timer.seconds += 30
        await desk.asker.ask(Short())
        assert counted(desk) == (1, 1)
        desk.timer.seconds += 0.1
        await desk.asker.ask(Short())
        assert counted(desk) == (1, 2)


# -- who sees what


class Scoped(Query[int], cache=Cache(scope=lambda query, actor: "staff" if actor in {"ann", "bob"} else "others")):
    pass


async def scoped(query: Scoped, balances: Reader[Balance]) -> int:
    return await balances.count()


async def test_answers_are_kept_apart_by_actor_and_tenant():
    """Unless the query says who sees the same; tenants never do."""
    async with cached(scoped, *HANDLERS) as desk:
        for actor, tenant in ((None, None), ("ann", None), ("bob", None), ("ann", "x"), ("ann", "y"), ("ann", "x")):
            await desk.asker.ask(FindBalances(), who=Who(actor, tenant))
        assert counted(desk) == (1, 5)
        for actor, tenant in (("ann", "x"), ("bob", "x"), ("eve", "x"), ("ann", "y")):
            await desk.asker.ask(Scoped(), who=Who(actor, tenant))
        assert counted(desk) == (2, 8)


async def test_the_app_may_say_who_sees_the_same():
    """For all queries that say nothing of it."""
    async with cached(scope=lambda query, actor: None) as desk:
        await desk.asker.ask(FindBalances(), who=Who("ann"))
        await desk.asker.ask(FindBalances(), who=Who("bob"))
        assert counted(desk) == (1, 1)


async def test_what_one_does_to_an_answer_another_does_not_see():
    """Lists are handed out as copies."""
    async with cached() as desk:
        page = await desk.asker.ask(FindBalances())
        page.items.clear()
        assert len((await desk.asker.ask(FindBalances())).items) == 2


# -- many at once


class Gate:
    """A service that holds a handler back."""

    def __init__(self) -> None:
        self.entered = 0
        self.left = 0
        self.opened = asyncio.Event()


class Slow(Query[int], cache=Cache(ttl=1_000)):
    pass


async def slow(query: Slow, gate: Gate, balances: Reader[Balance]) -> int:
    gate.entered += 1
    try:
        total = sum(row.amount for row in await balances.all())
        await gate.opened.wait()
        return total
    finally:
        gate.left += 1


async def until(condition):
    """Let others run until it holds."""
    while not condition():  # noqa: ASYNC110  nothing announces it
        await asyncio.sleep(0)


async def test_many_who_ask_at_once_cost_one_answer():
    """The others wait for the first."""
    gate = Gate()
    async with cached(slow, services={Gate: gate}) as desk:
        asking = [asyncio.create_task(desk.asker.ask(Slow())) for _ in range(100)]
        await until(lambda: desk.asker.cache.stats.coalesced == 99)
        gate.opened.set()
        assert await asyncio.gather(*asking) == [12] * 100
        assert gate.entered == 1


async def test_who_asks_after_a_change_does_not_get_what_was_begun_before():
    """He waits for the answer that is being made, sees that it is too old, and has a new one made."""
    gate = Gate()
    async with cached(slow, services={Gate: gate}) as desk:
        early = asyncio.create_task(desk.asker.ask(Slow()))
        await until(lambda: gate.entered == 1)
        await desk.append(Deposited(account="a", amount=1))
        await desk.caught_up()
        late_ones = [asyncio.create_task(desk.asker.ask(Slow())) for _ in range(10)]
        await until(lambda: desk.asker.cache.stats.coalesced == 10)
        gate.opened.set()
        assert await early == 12
        assert await asyncio.gather(*late_ones) == [13] * 10
        assert gate.entered == 2


async def test_when_nobody_waits_any_more_the_handler_is_stopped():
    """And who comes then begins anew."""
    gate = Gate()
    async with cached(slow, services={Gate: gate}) as desk:
        first, second = (asyncio.create_task(desk.asker.ask(Slow())) for _ in range(2))
        await until(lambda: desk.asker.cache.stats.coalesced == 1 and gate.entered == 1)
        first.cancel()
        await until(first.done)
        assert gate.left == 0
        second.cancel()
        await until(lambda: gate.left == 1)
        gate.opened.set()
        assert await desk.asker.ask(Slow()) == 12


async def test_an_error_is_not_kept():
    """Each who asks gets it, and it is found out anew."""
    async with cached() as desk:
        wrong = FindBalances(page=PageRequest(cursor="x"))
        for _ in range(2):
            with pytest.raises(InvalidCursor):
                await desk.asker.ask(wrong)
        assert counted(desk) == (0, 2)
        assert desk.asker.cache.stats.entries == 0


class Odd(Query[int], cache=Cache(ttl=1)):
    thing: Any = None


def odd(query: Odd) -> int:
    return 1


async def test_a_question_that_cannot_be_told_is_not_kept():
    """A value without a JSON form is answered all the same."""
    async with cached(odd) as desk:
        assert await desk.asker.ask(Odd(thing=object())) == 1
        assert desk.asker.cache.stats.entries == 0


# -- faults


class Forever(Query[int], cache=Cache()):
    pass


class Unsaid(Query[Any], cache=Cache(shared=True)):
    pass


async def _with_time(query: Forever, now: Now, balances: Reader[Balance]) -> int: ...
async def _without_rows(query: Forever) -> int: ...
async def _of_anything(query: Unsaid, balances: Reader[Balance]) -> Any: ...


@pytest.mark.parametrize(
    ("function", "fault"),
    [
        (_with_time, "made from now grows old unseen; say cache=Cache(ttl=...) in Forever"),
        (_without_rows, "made from no rows grows old unseen"),
        (_of_anything, "must say what it is answered with"),
        (scoped, None),
    ],
)
def test_what_cannot_be_kept_is_a_fault_of_the_wiring(function, fault):
    """Found when the application is put together."""
    found = " ".join(query_plan(function).faults)
    assert fault in found if fault else found == ""


def test_errors_are_typed():
    """A cursor of another query is a query error, cached or not."""
    assert issubclass(InvalidCursor, QueryError)
