"""Learning how far other processes are."""

from __future__ import annotations

import asyncio

import pytest
from tests.accounts import Balances, Deposited, bank, expected_balances

from headwater.errors import ProjectionBehind, StoreIOError
from headwater.followers.watching import Watcher
from headwater.read_store.news import Stirred


def deposits(count, start=0):
    return [Deposited(account=f"a{number % 7}", amount=number) for number in range(start, start + count)]


@pytest.fixture(params=["sqlite", "postgresql"])
def stores(request, tmp_path):
    """A log in a file, and a read store of either kind, for several banks at once."""
    rows = f"sqlite:///{tmp_path}/rows.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return {"events": f"sqlite:///{tmp_path}/log.db", "rows": rows}


def counted(desk):
    """How often that bank looks checkpoints up from now on."""
    looks = []
    fleet = desk.rows.fleet

    async def counting():
        looks.append(1)
        return await fleet()

    desk.rows.fleet = counting
    return looks


async def test_a_thousand_who_wait_cost_one_look(stores):
    """A commit by another wakes them all, and none of them looks for himself."""
    async with bank(Balances, **stores) as one, bank(Balances, **stores, follow=False) as two:
        await two.follower.watch()
        await two.progress.look()
        looks = counted(two)
        async with asyncio.TaskGroup() as waiting:
            for _ in range(1_000):
                waiting.create_task(two.progress.wait_for(["Balances"], 3, timeout=30))
            waiting.create_task(one.append(*deposits(3)))
        assert await two.balances() == expected_balances(deposits(3))
        assert len(looks) < 20


async def test_while_nobody_waits_nobody_looks(stores):
    """However much is committed elsewhere."""
    async with bank(Balances, **stores) as one, bank(Balances, **stores, follow=False) as two:
        await two.follower.watch()
        looks = counted(two)
        for start in range(0, 30, 3):
            await one.append(*deposits(3, start=start))
        await one.caught_up()
        assert looks == []
        await two.progress.look()
        assert (len(looks), two.progress.position(["Balances"])) == (1, 30)


async def test_who_waited_too_long_is_told_how_far_it_is(stores):
    """What others reached, what was wanted, and who is to blame."""
    async with bank(Balances, **stores) as one, bank(Balances, **stores, follow=False) as two:
        await two.follower.watch()
        await one.append(*deposits(3))
        await one.caught_up()
        with pytest.raises(ProjectionBehind) as behind:
            await two.progress.wait_for(["Balances"], 5, timeout=0.5)
        assert (behind.value.projection, behind.value.wanted, behind.value.reached) == ("Balances", 5, 3)


async def test_a_look_that_fails_is_taken_again(caplog):
    """The news that led to it are not forgotten, and those who wait go on waiting."""
    async with bank(Balances) as desk:
        news, seen = Stirred(), []

        async def look_up():
            seen.append(1)
            if len(seen) < 3:
                raise StoreIOError("the disk is unwell")
            desk.progress.advance("Balances", 1)

        watching = asyncio.create_task(Watcher(news, desk.progress, look_up).run())
        await desk.progress.wait_for(["Balances"], 1, timeout=20)
        watching.cancel()
    assert (len(seen), "trying again" in caplog.text) == (3, True)
