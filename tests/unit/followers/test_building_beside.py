"""Rows are built beside those that are served: another version, or the same anew. Nobody sees half of them."""

from __future__ import annotations

import asyncio
from typing import Annotated

import pytest
from tests.accounts import Balance, Balances, Deposited, Entries, bank, changed, expected_balances, until

from headwater.errors import ProjectionBehind, ProjectionFailed, ProjectionPaused, StoreReadOnly
from headwater.event_store.memory import MemoryEventStore
from headwater.messages import Recorded
from headwater.read_models import Key, Projection, ReadModel, on
from headwater.read_store import Table, open_read_store
from headwater.read_store.memory import MemoryReadStore


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def stores(request, tmp_path):
    """A log and a read store that several followers can have open."""
    if request.param == "memory":
        return {"events": MemoryEventStore(), "rows": MemoryReadStore()}
    log = f"sqlite:///{tmp_path}/log.db"
    rows = request.getfixturevalue("postgres_url") if request.param == "postgres" else f"sqlite:///{tmp_path}/rows.db"
    return {"events": log, "rows": rows}


def alone_in_memory(stores):
    """A store in memory is for one process."""
    if not isinstance(stores["rows"], str):
        pytest.skip("a store in memory is for one process")


def deposits(count, start=0):
    return [Deposited(account=f"a{number % 5}", amount=number) for number in range(start, start + count)]


class Doubled(Projection[Balance]):
    """The next version: the same shape, other values."""

    name = "Balances"
    version = 2

    @on
    def deposited(self, recorded: Recorded[Deposited], row: Balance | None) -> Balance:
        row = row or Balance(account=recorded.event.account)
        return changed(row, 2 * recorded.event.amount, recorded.position)


class Sum(ReadModel):
    account: Annotated[str, Key()]
    total: int


class Sums(Projection[Sum]):
    """The next version, of another shape."""

    name = "Balances"
    version = 2

    @on
    def deposited(self, event: Deposited, row: Sum | None) -> Sum:
        return Sum(account=event.account, total=event.amount + (row.total if row else 0))


def doubled(events):
    """What the next version makes of them, without their trace."""
    return {name: 2 * row.amount for name, row in expected_balances(events).items()}


async def amounts(desk):
    return {name: row.amount for name, row in (await desk.balances()).items()}


async def test_while_it_is_rebuilt_the_rows_before_are_read(stores):
    """In the process that rebuilds and in another, whole at every moment; then the new ones, to which more comes."""
    alone_in_memory(stores)
    async with bank(Balances, Entries, **stores) as one, bank(Balances, Entries, **stores, follow=False) as two:
        await two.follower.watch()
        await one.append(*deposits(3_000))
        await one.caught_up()
        whole, before = await one.balances(), (await one.rows.checkpoints())["Balances"]
        rebuilding = asyncio.create_task(one.follower.rebuild("Balances"))
        while not rebuilding.done():
            assert await one.balances() == await two.balances() == whole
            await asyncio.sleep(0)
        await rebuilding
        after = (await one.rows.checkpoints())["Balances"]
        assert (after.epoch, after.side) == (before.epoch + 1, 1)
        await one.append(*deposits(10, 3_000))
        await one.caught_up()
        await two.caught_up()
        assert await one.balances() == await two.balances() == expected_balances(deposits(3_010))
        await one.follower.rebuild("Balances")
        await two.progress.look()
        assert (await one.rows.checkpoints())["Balances"].side == 0
        assert await one.balances() == await two.balances() == expected_balances(deposits(3_010))


async def test_what_is_built_beside_is_served_as_soon_as_it_is_level(stores, monkeypatch):
    """Without the looks at the fleet that come by the clock."""
    for name in ("follower._ROUND_SECONDS", "follower._UNSETTLED_SECONDS", "rebuilding._GLANCE_SECONDS"):
        monkeypatch.setattr(f"headwater.followers.{name}", 3_600.0)
    async with bank(Balances, **stores) as desk:
        await desk.append(*deposits(3_000))
        await desk.caught_up()
        async with asyncio.timeout(30):
            await desk.follower.rebuild("Balances")
        assert (await desk.rows.checkpoints())["Balances"].side == 1


def picky(faults):
    """A projection that fails on these amounts."""

    class Picky(Balances):
        name = "Balances"

        @on
        def deposited(self, recorded: Recorded[Deposited], row: Balance | None) -> Balance:
            if recorded.event.amount in faults:
                raise ValueError("not any more")
            return Balances.deposited(self, recorded, row)

    return Picky


async def test_a_rebuild_that_fails_leaves_the_rows_before(stores):
    """They are served on, and kept up to date."""
    faults = set()
    async with bank(picky(faults), **stores) as desk:
        await desk.append(*deposits(20))
        await desk.caught_up()
        faults.add(7)
        with pytest.raises(ProjectionFailed, match="not any more"):
            await desk.follower.rebuild("Balances")
        await desk.append(*deposits(10, 20))
        await desk.caught_up()
        assert await desk.balances() == expected_balances(deposits(30))
        faults.clear()
        await desk.follower.rebuild("Balances")
        assert await desk.balances() == expected_balances(deposits(30))


async def test_a_rebuild_that_fails_in_another_process_ends(stores):
    """Whoever asked for it hears so, instead of waiting on; the rows from before are kept up to date."""
    alone_in_memory(stores)
    faults = set()
    async with bank(picky(faults), **stores) as worker:
        await worker.append(*deposits(20))
        await worker.caught_up()
        faults.add(7)
        async with bank(Balances, **stores, follow=False) as asking:
            with pytest.raises(ProjectionFailed, match="in another process"):
                await asking.follower.rebuild("Balances")
            await worker.append(*deposits(10, 20))
            await worker.caught_up()
            assert await asking.balances() == expected_balances(deposits(30))
            faults.clear()
            await asking.follower.rebuild("Balances")
            assert await asking.balances() == expected_balances(deposits(30))


async def test_a_rebuild_that_is_paused_says_so_and_goes_on_afterwards(stores):
    """Whoever asked for it need not wait for somebody to resume it."""
    async with bank(Balances, **stores) as desk:
        await desk.append(*deposits(20))
        await desk.caught_up()
        build_beside = desk.rows.build_beside

        async def build_beside_and_pause(name):
            epoch = await build_beside(name)
            await desk.follower.pause(name)
            return epoch

        desk.rows.build_beside = build_beside_and_pause
        with pytest.raises(ProjectionPaused):
            await desk.follower.rebuild("Balances")
        desk.rows.build_beside = build_beside
        assert not await _is_rebuilt(desk)
        await desk.follower.resume("Balances")
        await until(_is_rebuilt, desk)
        assert await desk.balances() == expected_balances(deposits(20))


async def _is_rebuilt(desk):
    return (await desk.status("Balances")).building is None


async def test_where_no_table_may_be_made_it_is_rebuilt_in_its_place(caplog):
    """The rows are right in the end, and the log says why they were not for a while."""

    class Bound(MemoryReadStore):
        async def build_beside(self, projection):
            raise StoreReadOnly("no right to make tables")

    async with bank(Balances, rows=Bound()) as desk:
        await desk.append(*deposits(20))
        await desk.caught_up()
        await desk.follower.rebuild("Balances")
        assert await desk.balances() == expected_balances(deposits(20))
    assert "in its place" in caplog.text


async def test_a_version_that_is_about_to_begin_is_left_alone(stores):
    """Its process has made its tables and has not announced itself yet, when one of the old version has caught up."""
    alone_in_memory(stores)
    async with bank(Balances, **stores) as old, open_read_store(stores["rows"]) as rows:
        await rows.prepare([Table("Balances", 2, Balance)])
        await old.append(*deposits(10))
        await old.caught_up()
        await old.follower._reconcile()
        assert {share.version for share in (await rows.fleet()).shares} == {1, 2}


async def test_a_new_version_is_served_when_it_is_as_far_as_the_old_one(stores):
    """Until then its readers read the rows of the old one, which goes on beside it until its last process has gone."""
    alone_in_memory(stores)
    async with bank(Balances, **stores) as old:
        await old.append(*deposits(1_500))
        await old.caught_up()
        async with bank(Doubled, **stores, follow=False) as new:
            assert await new.balances() == expected_balances(deposits(1_500))
            assert (await new.status("Balances")).serving == 1
            await new.follower.start()
            await new.caught_up()
            assert await amounts(new) == doubled(deposits(1_500))
            await old.append(*deposits(100, 1_500))
            await old.caught_up()
            await new.caught_up()
            assert await old.balances() == expected_balances(deposits(1_600))
            assert await amounts(new) == doubled(deposits(1_600))
            versions = {share.version for share in (await new.rows.fleet()).shares}
            assert versions == {1, 2}


async def test_the_old_version_goes_when_nobody_uses_it(tmp_path):
    """Also if its last process only answered queries."""
    stores = {"events": f"sqlite:///{tmp_path}/log.db", "rows": f"sqlite:///{tmp_path}/rows.db"}
    async with bank(Balances, **stores) as old:
        await old.append(*deposits(50))
        await old.caught_up()
    async with bank(Doubled, **stores) as new:
        async with bank(Balances, **stores, follow=False, lease_seconds=0.3) as watching:
            await watching.follower.watch()
            await until(is_known, new, watching)
            await new.caught_up()
            await new.append(*deposits(10, 50))
            await new.caught_up()
            assert 1 in await versions_of(new)
        await until(is_alone, new)


async def versions_of(desk):
    """Which versions have rows."""
    return {share.version for share in (await desk.rows.fleet()).shares}


async def is_known(desk, other):
    """Whether one is among the workers that the other sees."""
    return other.follower.worker.id in {worker.id for worker in (await desk.rows.fleet()).workers}


async def is_alone(desk):
    """Whether no other version is left."""
    return await versions_of(desk) == {2}


async def test_a_new_version_of_another_shape_is_waited_for(tmp_path):
    """Its rows cannot be read from the old table: the error says that they are being built, and how far that is."""
    stores = {"events": f"sqlite:///{tmp_path}/log.db", "rows": f"sqlite:///{tmp_path}/rows.db"}
    async with bank(Balances, **stores) as old:
        await old.append(*deposits(40))
        await old.caught_up()
        async with bank(Sums, **stores, follow=False) as new:
            wanted = new.progress.wanted(["Balances"], None)
            assert wanted == 40
            with pytest.raises(ProjectionBehind, match="being built, and has come to 0"):
                await new.progress.wait_for(["Balances"], wanted, 0.01)
            await new.follower.start()
            await new.caught_up()
            assert new.progress.wanted(["Balances"], None) is None
            assert await new.rows.reader(Sum).count() == 5


async def test_a_store_that_is_opened_again_reads_what_was_served(tmp_path):
    """Whichever of the two tables that was."""
    stores = {"events": f"sqlite:///{tmp_path}/log.db", "rows": f"sqlite:///{tmp_path}/rows.db"}
    async with bank(Balances, **stores) as desk:
        await desk.append(*deposits(40))
        await desk.caught_up()
        await desk.follower.rebuild("Balances")
    async with bank(Balances, **stores, follow=False) as again:
        assert await again.balances() == expected_balances(deposits(40))
    async with open_read_store(stores["rows"]) as rows:
        assert [share.checkpoint.side for share in (await rows.fleet()).shares] == [1]
