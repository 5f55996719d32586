"""Kept answers that are given without awaiting anything, and when they must not be."""

from __future__ import annotations

import pytest
from tests.accounts import Balance, Deposited
from tests.askers import GetBalance
from tests.unit.queries.test_cache import cached, counted

from headwater.errors import StoreClosed
from headwater.messages import Cache, Query
from headwater.read_store import Reader


class Late(Query[Balance | None], cache=Cache(max_staleness=10)):
    account: str


async def late(query: Late, balances: Reader[Balance]) -> Balance | None:
    return await balances.get(query.account)


@pytest.fixture
def rows(tmp_path):
    """Rows in a file, where a look costs no waiting."""
    return f"sqlite:///{tmp_path}/rows.db"


def at_once(asked):
    """What a coroutine returns without ever waiting."""
    with pytest.raises(StopIteration) as returned:
        asked.send(None)
    return returned.value.value


async def test_what_holds_is_given_at_once(rows):
    """One look at memory says that nothing was committed since."""
    async with cached(rows=rows) as desk:
        made = await desk.asker.ask(GetBalance(account="a"))

        assert at_once(desk.asker.ask(GetBalance(account="a"))) == made
        assert counted(desk) == (1, 1)


async def test_after_a_commit_it_is_compared_again(rows):
    """The first who asks has the checkpoints read; the next ones find the answer at hand again."""
    async with cached(rows=rows) as desk:
        await desk.asker.ask(GetBalance(account="a"))
        await desk.append(Deposited(account="b", amount=1))
        await desk.caught_up()

        assert (await desk.asker.ask(GetBalance(account="a"))).amount == 5
        assert at_once(desk.asker.ask(GetBalance(account="a"))).amount == 5
        assert counted(desk) == (2, 1)


async def test_a_commit_by_another_store_ends_it(rows):
    """Nobody tells this process; it sees the commit at its next look."""
    async with cached(rows=rows) as desk, cached(rows=rows, events=desk.events, follow=False) as watching:
        await desk.caught_up()
        assert (await watching.asker.ask(GetBalance(account="a"))).amount == 10
        for amount in range(11, 17):
            await desk.append(Deposited(account="a", amount=1))
            await desk.caught_up()
            assert (await watching.asker.ask(GetBalance(account="a"))).amount == amount
        assert counted(watching) == (0, 7)


async def test_a_late_answer_is_given_at_once_wherever_rows_are():
    """No look is needed as long as its query allows that; then it is."""
    async with cached(late) as desk:
        await desk.asker.ask(Late(account="a"))
        await desk.append(Deposited(account="a", amount=1))
        await desk.caught_up()

        assert at_once(desk.asker.ask(Late(account="a"))).amount == 5
        desk.timer.seconds += 11
        assert (await desk.asker.ask(Late(account="a"))).amount == 6


async def test_a_closed_store_is_not_looked_at(rows):
    """Who asks learns that it is closed, as if nothing had been kept."""
    async with cached(rows=rows) as desk:
        await desk.asker.ask(GetBalance(account="a"))
        await desk.rows.close()
        with pytest.raises(StoreClosed):
            await desk.asker.ask(GetBalance(account="a"))
