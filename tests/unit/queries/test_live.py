"""Live queries: what is told, when, and at what cost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from tests.accounts import Balance, Balances, Closed, Deposited, Entries, Ignored, bank
from tests.askers import HANDLERS, CountEntries, FindBalances, GetBalance, asker_of

from headwater.errors import Forbidden, ProjectionBehind
from headwater.messages import Query
from headwater.queries.asker import ANYBODY, Who
from headwater.read_store import Reader
from headwater.testing import ControlledClock


class Breaking(Query[int]):
    pass


async def breaking(query: Breaking, balances: Reader[Balance]) -> int:
    if await balances.count() > 2:
        raise ZeroDivisionError
    return await balances.count()


async def nobody_is_refused():
    """Admit everybody."""


@asynccontextmanager
async def live(**options) -> AsyncIterator[Any]:
    """A bank with an asker, and two accounts."""
    async with bank(Balances, Entries, **options) as desk:
        desk.asker = asker_of(desk, *HANDLERS, breaking, clock=ControlledClock())
        await desk.append(Deposited(account="a", amount=5), Deposited(account="b", amount=7))
        if options.get("follow", True):
            await desk.caught_up()
        yield desk
        await desk.asker.close()


def watching(desk, query, *, admit=nobody_is_refused, **terms):
    """A watch that is closed at the end of the block."""
    return aclosing(desk.asker.watch(query, admit, **terms))


async def more(desk, *events):
    """Append and wait until the rows have it."""
    at = await desk.append(*events)
    await desk.caught_up()
    return at


async def turn(times=20):
    """Let all others run for a while."""
    for _ in range(times):
        await asyncio.sleep(0)


@pytest.mark.parametrize("rows", ["memory:", "sqlite"])
async def test_an_answer_comes_now_and_then_each_time_it_changed(rows, tmp_path):
    """With the position it stands at."""
    store = f"sqlite:///{tmp_path}/rows.db" if rows == "sqlite" else rows
    async with live(rows=store) as desk, watching(desk, GetBalance(account="a")) as answers:
        first = await anext(answers)
        await more(desk, Deposited(account="a", amount=1))
        second = await anext(answers)
        await more(desk, Closed(account="a"))
        third = await anext(answers)
    assert [(each.value and each.value.amount, each.position) for each in (first, second, third)] == [
        (5, 2),
        (6, 3),
        (None, 4),
    ]


async def test_a_thousand_who_watch_the_same_cost_one_evaluation_for_each_change():
    """However many there are, each gets every answer that it waits for."""
    heard = Counter()
    async with live() as desk:

        async def follow():
            async with watching(desk, FindBalances()) as answers:
                for _ in range(3):
                    heard[len((await anext(answers)).value.items)] += 1

        following = [asyncio.create_task(follow()) for _ in range(1_000)]
        for rows, account in ((2, "c"), (3, "d")):
            while heard[rows] < 1_000:  # noqa: ASYNC110  nothing announces it
                await asyncio.sleep(0)
            await more(desk, Deposited(account=account, amount=1))
        await asyncio.gather(*following)
        stats = desk.asker.streams.stats
        assert heard == {2: 1_000, 3: 1_000, 4: 1_000}
        assert (stats.evaluations, stats.streams, stats.watchers) == (3, 0, 0)


async def test_changes_elsewhere_cost_nothing():
    """Other rows, other tables, other events: nothing is evaluated."""
    async with (
        live() as desk,
        watching(desk, GetBalance(account="a")) as one,
        watching(desk, CountEntries()) as all_entries,
    ):
        await anext(one)
        await anext(all_entries)
        await more(desk, Closed(account="b"))
        await more(desk, Ignored())
        await turn()
        assert desk.asker.streams.stats.evaluations == 2
        await more(desk, Deposited(account="b", amount=1))
        assert (await anext(all_entries)).value == 3
        assert desk.asker.streams.stats.evaluations == 3


class CountBySql(Query[int]):
    pass


async def count_by_sql(query: CountBySql, balances: Reader[Balance]) -> int:
    ((count,),) = await balances._store.query("SELECT count(*) FROM entries_v1")
    return count


async def test_sql_of_ones_own_may_read_anything(tmp_path):
    """So a change to any projection counts, also to one that the handler does not name."""
    async with live(rows=f"sqlite:///{tmp_path}/rows.db") as desk:
        desk.asker = asker_of(desk, count_by_sql, clock=ControlledClock())
        async with watching(desk, CountBySql()) as answers:
            assert (await anext(answers)).value == 2
            await more(desk, Deposited(account="c", amount=1))
            assert (await anext(answers)).value == 3


async def test_what_is_the_same_as_before_is_not_told():
    """A change that the answer does not show."""
    async with live() as desk, watching(desk, FindBalances(least=6)) as answers:
        await anext(answers)
        waiting = asyncio.ensure_future(anext(answers))
        await more(desk, Deposited(account="c", amount=1))
        await turn()
        assert desk.asker.streams.stats.evaluations == 2
        assert not waiting.done()
        await more(desk, Deposited(account="c", amount=6))
        assert [row.account for row in (await waiting).value.items] == ["b", "c"]


async def test_who_is_slow_gets_the_latest():
    """Nothing waits for him but that."""
    async with live() as desk, watching(desk, GetBalance(account="a")) as answers:
        await anext(answers)
        for _ in range(50):
            await more(desk, Deposited(account="a", amount=1))
        await turn()
        assert (await anext(answers)).value.amount == 55
        waiting = asyncio.ensure_future(anext(answers))
        await turn()
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_who_knows_an_answer_is_told_only_what_came_after():
    """Nothing if nothing has touched it since; the answer at once if something has."""
    async with live() as desk:
        async with watching(desk, GetBalance(account="a")) as answers:
            known = (await anext(answers)).position
        await more(desk, Deposited(account="b", amount=1))
        async with watching(desk, GetBalance(account="a"), since=known) as answers:
            assert await anext(answers) is None
            waiting = asyncio.ensure_future(anext(answers))
            await turn()
            assert not waiting.done()
            await more(desk, Deposited(account="a", amount=1))
            assert (await waiting).value.amount == 6
        async with watching(desk, GetBalance(account="a"), since=known) as answers:
            assert (await anext(answers)).value.amount == 6


async def test_an_error_ends_the_watch_of_all():
    """Each gets it; who comes later begins anew."""
    async with live() as desk, watching(desk, Breaking()) as one, watching(desk, Breaking()) as other:
        assert [(await anext(one)).value, (await anext(other)).value] == [2, 2]
        await more(desk, Deposited(account="c", amount=1))
        for answers in (one, other):
            with pytest.raises(ZeroDivisionError):
                await anext(answers)
        assert desk.asker.streams.stats.streams == 0
        await more(desk, Closed(account="c"))
        async with watching(desk, Breaking()) as again:
            assert (await anext(again)).value == 2


async def test_who_may_no_longer_see_it_is_told_so():
    """Before each answer is asked again whether he may."""
    allowed = True

    async def admit():
        if not allowed:
            raise Forbidden("no more")

    async with live() as desk, watching(desk, GetBalance(account="a"), admit=admit) as answers:
        await anext(answers)
        allowed = False
        await more(desk, Deposited(account="a", amount=1))
        with pytest.raises(Forbidden):
            await anext(answers)


async def test_closing_ends_every_watch():
    """Without an error, and nobody can begin one after that."""
    async with live() as desk, watching(desk, GetBalance(account="a")) as answers:
        await anext(answers)
        waiting = asyncio.ensure_future(anext(answers, "end"))
        await turn()
        await desk.asker.close()
        assert await waiting == "end"
        async with watching(desk, GetBalance(account="a")) as late:
            assert await anext(late, "end") == "end"


async def test_scopes_have_streams_of_their_own():
    """Each actor and tenant, unless the query says otherwise."""
    async with live() as desk:
        watches = [watching(desk, CountEntries(), who=who) for who in (ANYBODY, Who("ann"), Who("ann", "x"), ANYBODY)]
        for watch in watches:
            await anext(watch.thing)
        assert desk.asker.streams.stats.streams == 3
        assert desk.asker.streams.stats.evaluations == 3
        for watch in watches:
            await watch.thing.aclose()
        assert desk.asker.streams.stats.streams == 0


async def test_the_first_answer_may_have_to_include_a_position():
    """As with any query."""
    async with live() as desk:
        at = await desk.append(Deposited(account="a", amount=1))
        async with watching(desk, GetBalance(account="a"), after=at) as answers:
            assert (await anext(answers)).value.amount == 6
        async with watching(desk, GetBalance(account="a"), after=99, timeout=0.001) as answers:
            with pytest.raises(ProjectionBehind):
                await anext(answers)


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
async def test_a_process_that_projects_nothing_tells_too(store, tmp_path, request):
    """It notices what another one has projected."""
    sqlite = f"sqlite:///{tmp_path}/rows.db"
    rows, events = (sqlite if store == "sqlite" else request.getfixturevalue("postgres_url")), "memory:"
    async with (
        live(rows=rows, events=events) as projecting,
        bank(Balances, Entries, rows=rows, events=projecting.events, follow=False) as other,
    ):
        await other.follower.watch()
        other.asker = asker_of(other, *HANDLERS, clock=ControlledClock())
        async with watching(other, GetBalance(account="a")) as answers:
            assert (await anext(answers)).value.amount == 5
            await more(projecting, Deposited(account="a", amount=1))
            assert (await anext(answers)).value.amount == 6
        await other.asker.close()
