"""A projection stands still by order, everywhere, until it is resumed."""

from __future__ import annotations

import asyncio

import pytest
from tests.accounts import Balances, Deposited, Entries, bank, expected_balances, expected_entries

from headwater.errors import ProjectionPaused, UnknownMessage


@pytest.fixture(params=["sqlite", "postgresql"])
def stores(request, tmp_path):
    """A log in a file, and a read store of either kind, for several banks at once."""
    rows = f"sqlite:///{tmp_path}/rows.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return {"events": f"sqlite:///{tmp_path}/log.db", "rows": rows}


def deposits(count, start=0):
    return [Deposited(account=f"a{number % 7}", amount=number) for number in range(start, start + count)]


async def noticed(*desks):
    """Return when none of them works on the balances any more."""
    async with asyncio.timeout(10):
        while any(member.name == "Balances" for desk in desks for member in desk.follower._standing.members):  # noqa: ASYNC110  rounds of the followers
            await asyncio.sleep(0.01)


async def test_all_workers_honour_an_order_of_another_process(stores):
    """The other projections go on; who waits learns at once; resumed, it catches up, in order."""
    async with (
        bank(Balances, Entries, **stores) as one,
        bank(Balances, Entries, **stores) as two,
        bank(Balances, Entries, **stores, follow=False) as third,
    ):
        await one.append(*deposits(50))
        await asyncio.gather(one.caught_up(), two.caught_up())
        await third.follower.pause("Balances", "ann")
        await noticed(one, two)
        await one.append(*deposits(50, start=50))
        for desk in (one, two):
            await desk.progress.wait_for(["Entries"], 100, timeout=10)
            with pytest.raises(ProjectionPaused, match="paused at position 50") as refused:
                await desk.progress.wait_for(["Balances"], 100, timeout=10)
            assert refused.value.fields == {"projection": "Balances", "position": 50}
            status = await desk.status("Balances")
            assert (status.state, status.position, status.lag_positions) == ("paused", 50, 50)
        assert await one.balances() == expected_balances(deposits(50))
        assert await two.entries() == expected_entries(deposits(100))
        await third.follower.resume("Balances")
        await one.append(*deposits(10, start=100))
        async with asyncio.timeout(20):
            while (await one.status("Balances")).position < 110:  # noqa: ASYNC110  rounds of the followers
                await asyncio.sleep(0.01)
        assert await one.balances() == expected_balances(deposits(110))


async def test_the_order_outlives_the_processes(stores):
    """Whoever starts honours it, and queries still answer."""
    async with bank(Balances, **stores) as desk:
        await desk.append(*deposits(5))
        await desk.caught_up()
        await desk.follower.pause("Balances")
        await desk.follower.pause("Balances")
    async with bank(Balances, **stores) as desk:
        await desk.append(*deposits(5, start=5))
        with pytest.raises(ProjectionPaused):
            await desk.caught_up()
        assert await desk.balances() == expected_balances(deposits(5))
        await desk.follower.resume("Balances")
        await desk.caught_up()
        assert await desk.balances() == expected_balances(deposits(10))
        assert (await desk.status("Balances")).state == "live"


async def test_a_paused_projection_is_not_built_anew():
    """Nor is one that nobody has paused or resumed; it says what to do."""
    async with bank(Balances) as desk:
        await desk.append(*deposits(5))
        await desk.caught_up()
        await desk.follower.pause("Balances")
        with pytest.raises(ProjectionPaused, match="resume it"):
            await desk.follower.rebuild("Balances")
        assert await desk.balances() == expected_balances(deposits(5))
        for order in (desk.follower.pause, desk.follower.resume):
            with pytest.raises(UnknownMessage, match="did you mean Balances"):
                await order("Balance")
