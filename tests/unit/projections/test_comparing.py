"""The rows that there are, held against the log."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from tests.accounts import CODEC, Balance, Balances, Deposited, bank, expected_balances, plans

from headwater.errors import ProjectionFailed
from headwater.messages import Recorded
from headwater.projections.comparing import compare
from headwater.read_models import Projection, on
from headwater.read_store.protocol import Changes, TableChanges

STORY = [Deposited(account=f"a{number % 50}", amount=number) for number in range(2_500)]


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def rows(request, tmp_path):
    """A read store of each kind, by its URL."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_url")
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/rows.db"


async def compared(desk, projection=Balances):
    return await compare(plans(projection)[0], desk.events, desk.rows, CODEC)


async def tamper(desk, *puts, deletes=()):
    """Change rows behind the projection's back, which is not at work just then."""
    table = desk.rows.table_of(Balance)
    start = (await desk.rows.checkpoints())["Balances"]
    part = TableChanges(table, [table.values_of(row) for row in puts], list(deletes))
    assert not await desk.rows.commit([Changes("Balances", start, start.position, (part,))])


async def test_right_rows_have_no_difference(rows):
    """It says how many there are, and up to where."""
    async with bank(Balances, rows=rows) as desk:
        await desk.append(*STORY)
        await desk.caught_up()
        found = await compared(desk)
        assert (found.is_equal, found.rows, found.position, found.differences) == (True, 50, 2_500, [])


async def test_each_wrong_row_is_named(rows):
    """What is missing, what is too much, and which fields are wrong, with both values."""
    async with bank(Balances, rows=rows) as desk:
        await desk.append(*STORY)
        await desk.caught_up()
        right = expected_balances(STORY)
        wrong = msgspec.structs.replace(right["a2"], amount=-1, owner="nobody")
        await tamper(desk, wrong, Balance(account="ghost"), deletes=["a1"])
        found = await compared(desk)
    assert (found.missing, found.extra, found.changed, found.rows) == (1, 1, 1, 50)
    by_key = {each.key: each for each in found.differences}
    assert {key: each.kind for key, each in by_key.items()} == {"a1": "missing", "ghost": "extra", "a2": "changed"}
    assert by_key["a2"].fields == {
        "owner": {"stored": "nobody", "expected": ""},
        "amount": {"stored": -1, "expected": right["a2"].amount},
    }


async def test_it_compares_also_while_the_projection_goes_on(rows):
    """Rows that move meanwhile are held against the log again, where they have come to."""
    async with bank(Balances, rows=rows) as desk:
        await desk.append(*STORY)
        await desk.caught_up()

        async def go_on():
            for number in range(40):
                await desk.append(*STORY[number * 10 : number * 10 + 30])

        async with asyncio.TaskGroup() as both:
            both.create_task(go_on())
            made = both.create_task(compared(desk))
        assert made.result().differences == []


async def test_what_is_parked_or_discarded_is_no_difference(rows):
    """It is left out of both, as long as it is left out; built anew, it is in both."""

    class Picky(Balances):
        name = "Balances"
        bad = {7, 8, 1_003}

        @on
        def deposited(self, recorded: Recorded[Deposited], row: Balance | None) -> Balance:
            if recorded.event.amount in self.bad:
                raise ValueError("not this one")
            return super().deposited(recorded, row)

    async with bank(Picky, rows=rows) as desk:
        await desk.append(*STORY)
        await desk.caught_up()
        assert [each.shown for each in await desk.follower.parking.listed()] == ["a7", "a8", "a3"]
        assert await desk.follower.parking.discard("Balances", "a8", reason="wrong") is None
        found = await compared(desk, Picky)
        assert (found.differences, found.rows) == ([], 49)
        Picky.bad = set()
        await desk.follower.rebuild("Balances")
        found = await compared(desk, Picky)
        assert (found.differences, found.rows) == ([], 50)


async def test_several_ranges_are_compared_each_as_far_as_it_is(tmp_path):
    """Of a projection that two processes share, one of which has stopped half way."""
    stores = {"events": f"sqlite:///{tmp_path}/log.db", "rows": f"sqlite:///{tmp_path}/rows.db"}
    async with bank(Balances, **stores) as one, bank(Balances, **stores) as two:
        await one.append(*STORY[:1_000])
        await asyncio.gather(one.caught_up(), two.caught_up())
        for member in two.follower._standing.members:
            await member.group.lock.acquire()
        await one.append(*STORY[1_000:])
        found = await compared(one)
        assert (found.differences, found.rows) == ([], 50)


async def test_a_log_that_cannot_be_folded_says_where():
    """By code that fails on an event which it once took."""

    class Broken(Projection[Balance]):
        name = "Balances"
        fails = False

        @on
        def deposited(self, event: Deposited, row: Balance | None) -> Balance:
            if self.fails and event.amount == 3:
                raise ValueError("no more")
            return Balance(account=event.account, amount=event.amount)

    async with bank(Broken) as desk:
        await desk.append(*STORY[:10])
        await desk.caught_up()
        Broken.fails = True
        with pytest.raises(ProjectionFailed, match="at position 4: no more"):
            await compared(desk, Broken)
