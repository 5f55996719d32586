"""The follower: groups, catching up, faults, rebuilding."""

from __future__ import annotations

import asyncio

import pytest
from tests.accounts import (
    CODEC,
    STRICT,
    Balance,
    Balances,
    Deposited,
    Entries,
    Entry,
    Ignored,
    Opened,
    bank,
    expected_balances,
    expected_entries,
    until,
)

from headwater.codec import Codec
from headwater.errors import ProjectionFailed, StoreFull, StoreIOError, UnknownMessage
from headwater.event_store.memory import MemoryEventStore
from headwater.event_store.protocol import NewEvent
from headwater.messages import Recorded
from headwater.read_models import Projection, on
from headwater.read_store.memory import MemoryReadStore


def deposits(count, start=0):
    """Deposits that go round five accounts."""
    return [Deposited(account=f"a{number % 5}", amount=number) for number in range(start, start + count)]


def failing_at(*amounts, forever=True):
    """A projection that raises at deposits of these amounts, each once or every time."""
    left = set(amounts)

    class Failing(Projection[Entry]):
        @on
        def deposited(self, recorded: Recorded[Deposited]) -> Entry:
            amount = recorded.event.amount
            if amount in left:
                if not forever:
                    left.discard(amount)
                raise ValueError(f"cannot take {amount}")
            return Entry(position=recorded.position, account=recorded.event.account, amount=amount)

    Failing.mend = left.clear
    return Failing


async def test_rows_follow_the_log():
    """Every projection includes what was appended, and says that it is live."""
    async with bank(Balances, Entries) as desk:
        events = [Opened(account="a1", owner="o"), *deposits(20)]
        await desk.append(*events)
        await desk.caught_up()
        assert await desk.balances() == expected_balances(events)
        assert await desk.entries() == expected_entries(events)
        status = await desk.status("Balances")
        assert (status.position, status.lag_positions, status.state, status.error) == (21, 0, "live", None)


async def test_a_projection_is_under_way_from_the_start():
    """Before its first look at the log it is not called stopped: that would alarm who watches."""
    async with bank(Balances) as desk:
        await desk.append(*deposits(1))
        assert (await desk.status("Balances")).state == "catching-up"


async def test_a_projection_that_begins_where_the_log_ends_is_live():
    """It is as far as it can be, also as long as nothing comes."""
    async with bank(Balances) as desk:
        assert (await desk.status("Balances")).state == "live"


async def test_the_checkpoint_moves_over_events_that_nobody_wants():
    """It says how far the log was looked at, not where the last wanted event stands."""
    async with bank(Balances) as desk:
        await desk.append(Ignored(), Ignored())
        await desk.caught_up()
        assert (await desk.rows.checkpoints())["Balances"].position == 2


async def test_each_event_is_decoded_once_for_all():
    """Two projections of the same events share the work, and unwanted events cost none."""
    decoded = []

    class Counting(Codec):
        def decode(self, recorded):
            decoded.append(recorded.position)
            return super().decode(recorded)

    async with bank(Balances, Entries, codec=Counting(CODEC.catalogue)) as desk:
        await desk.append(*deposits(1))
        await desk.caught_up()
        decoded.clear()  # the first event of a type has its decoder made
        await desk.append(*deposits(10), *[Ignored()] * 10)
        await desk.caught_up()
    assert decoded == list(range(2, 12))


async def are_live(desk):
    return {each.state for each in await desk.follower.status()} == {"live"}


async def test_who_is_far_behind_catches_up_and_joins():
    """A projection that is new reads the log alone, then goes with the others; all rows are right."""
    events, rows = MemoryEventStore(), MemoryReadStore()
    first, second = deposits(3_500), deposits(700, start=3_500)
    async with bank(Balances, events=events, rows=rows) as desk:
        await desk.append(*first)
        await desk.caught_up()
    async with bank(Balances, Entries, events=events, rows=rows) as desk:
        await desk.append(*second)
        await desk.caught_up()
        await until(are_live, desk)  # a moment after they have caught up
        assert await desk.balances() == expected_balances(first + second)
        assert await desk.entries() == expected_entries(first + second)


async def test_an_event_that_fails_once_is_tried_again():
    """Nothing is missing afterwards, and no error is left."""
    failing = failing_at(3, forever=False)
    async with bank(failing) as desk:
        await desk.append(*deposits(6))
        await desk.caught_up()
        assert await desk.entries() == expected_entries(deposits(6))
        assert (await desk.status("Failing")).error is None


async def test_an_event_that_always_fails_stops_its_projection_only():
    """It stands before the event, says why, and tells who waits at once; the others go on."""
    failing = failing_at(3)
    async with bank(failing, Balances, retry=STRICT) as desk:
        await desk.append(*deposits(6))
        with pytest.raises(ProjectionFailed, match="cannot take 3") as caught:
            await desk.progress.wait_for(["Failing"], 6, timeout=10)
        assert caught.value.fields == {"projection": "Failing", "position": 4}
        assert isinstance(caught.value.__cause__, ValueError)
        assert await desk.entries() == expected_entries(deposits(3))
        status = await desk.status("Failing")
        assert (status.state, status.position, status.lag_positions) == ("failed", 3, 3)
        assert "cannot take 3" in status.error
        await desk.append(*deposits(2))
        await desk.progress.wait_for(["Balances"], 8, timeout=10)


async def test_who_asks_for_less_than_the_faulty_event_is_served():
    """A stopped projection still includes what it includes."""
    async with bank(failing_at(3)) as desk:
        await desk.append(*deposits(6))
        await desk.progress.wait_for(["Failing"], 3, timeout=10)


async def test_an_event_that_cannot_be_decoded_stops_who_wants_it():
    """The projections that do not want it go on."""

    class Openings(Projection[Balance]):
        @on
        def opened(self, event: Opened) -> Balance:
            return Balance(account=event.account)

    async with bank(Openings, Entries, retry=STRICT) as desk:
        await desk.append(*deposits(1))
        await desk.events.append([NewEvent("Opened", b'{"account": 7}')])
        with pytest.raises(ProjectionFailed, match="UndecodableEvent"):
            await desk.progress.wait_for(["Openings"], 2, timeout=10)
        await desk.progress.wait_for(["Entries"], 2, timeout=10)


@pytest.mark.parametrize("url", ["memory:", "sqlite:///{}/rows.db"])
async def test_a_row_that_cannot_be_stored_is_found_in_its_batch(tmp_path, url):
    """The event before it counts, the projection beside it goes on."""

    class Unfit(Projection[Entry]):
        @on
        def deposited(self, recorded: Recorded[Deposited]) -> Entry:
            account = recorded.event.account if recorded.position != 4 else None
            return Entry(position=recorded.position, account=account or {"no": object()}, amount=0)

    async with bank(Unfit, Balances, rows=url.format(tmp_path), retry=STRICT) as desk:
        await desk.append(*deposits(6))
        with pytest.raises(ProjectionFailed):
            await desk.progress.wait_for(["Unfit"], 6, timeout=10)
        assert (await desk.status("Unfit")).position == 3
        await desk.progress.wait_for(["Balances"], 6, timeout=10)


@pytest.mark.parametrize("follow", [True, False])
async def test_rebuilding_makes_the_same_rows_again(follow):
    """From nothing, while others stay as they are, whether somebody follows or not."""
    events, rows = MemoryEventStore(), MemoryReadStore()
    async with bank(Balances, Entries, events=events, rows=rows) as desk:
        await desk.append(*deposits(2_500))
        await desk.caught_up()
    async with bank(Balances, Entries, events=events, rows=rows, follow=follow) as desk:
        before = (await desk.rows.checkpoints())["Balances"]
        await desk.follower.rebuild("Balances")
        assert await desk.balances() == expected_balances(deposits(2_500))
        assert (await desk.rows.checkpoints())["Balances"].epoch == before.epoch + 1
        assert (await desk.status("Entries")).position == 2_500


@pytest.mark.parametrize("follow", [True, False])
async def test_rebuilding_says_if_it_fails(follow):
    """And once the fault is mended, rebuilding again helps."""
    events, failing = MemoryEventStore(), failing_at(3)
    async with bank(failing, events=events, follow=follow, retry=STRICT) as desk:
        await desk.append(*deposits(6))
        with pytest.raises(ProjectionFailed):
            await desk.follower.rebuild("Failing")
        failing.mend()
        await desk.follower.rebuild("Failing")
        assert await desk.entries() == expected_entries(deposits(6))


async def test_rebuilding_needs_a_name_that_is_there():
    """The error says what was meant."""
    async with bank(Balances) as desk:
        with pytest.raises(UnknownMessage, match="did you mean Balances"):
            await desk.follower.rebuild("Balance")


async def test_rows_of_another_log_are_built_anew():
    """The read store was left from a log that is no more."""
    rows = MemoryReadStore()
    async with bank(Balances, rows=rows) as desk:
        await desk.append(*deposits(9))
        await desk.caught_up()
    async with bank(Balances, rows=rows) as desk:
        assert await desk.balances() == {}
        await desk.append(*deposits(4))
        await desk.caught_up()
        assert await desk.balances() == expected_balances(deposits(4))


async def test_rows_ahead_of_the_log_are_built_anew():
    """The log lost its end, at a power cut without full durability for example."""
    events, rows = MemoryEventStore(), MemoryReadStore()
    async with bank(Balances, events=events, rows=rows) as desk:
        await desk.append(*deposits(9))
        await desk.caught_up()
    del events._log[5:]
    async with bank(Balances, events=events, rows=rows) as desk:
        await desk.caught_up()
        assert await desk.balances() == expected_balances(deposits(5))


async def test_two_followers_on_one_store_count_every_event_once(tmp_path):
    """As two processes would: who is slower finds the checkpoint moved, and goes on from there."""
    stores = {"events": f"sqlite:///{tmp_path}/log.db", "rows": f"sqlite:///{tmp_path}/rows.db"}
    async with bank(Balances, Entries, **stores) as one, bank(Balances, Entries, **stores) as two:
        for start in range(0, 600, 3):
            await one.append(*deposits(3, start=start))
        await asyncio.gather(one.caught_up(), two.caught_up())
        assert await one.balances() == await two.balances() == expected_balances(deposits(600))
        assert await two.entries() == expected_entries(deposits(600))


async def test_who_follows_nothing_still_sees_how_far_others_are(tmp_path):
    """As a process that only answers queries does, beside one that projects."""
    stores = {"events": f"sqlite:///{tmp_path}/log.db", "rows": f"sqlite:///{tmp_path}/rows.db"}
    async with bank(Balances, **stores) as one, bank(Balances, **stores, follow=False) as two:
        await two.follower.watch()
        await one.append(*deposits(3))
        await two.progress.wait_for(["Balances"], 3, timeout=10)
        assert await two.balances() == expected_balances(deposits(3))
        await two.rows.close()


async def test_a_rebuild_elsewhere_is_noticed(tmp_path):
    """Another process starts a projection anew: both end with the right rows."""
    stores = {"events": f"sqlite:///{tmp_path}/log.db", "rows": f"sqlite:///{tmp_path}/rows.db"}
    async with bank(Balances, Entries, **stores) as one, bank(Balances, Entries, **stores) as two:
        await one.append(*deposits(3_000))
        await asyncio.gather(one.caught_up(), two.caught_up())
        await asyncio.gather(one.follower.rebuild("Balances"), two.append(*deposits(10, start=3_000)))
        await asyncio.gather(one.caught_up(), two.caught_up())
        assert await one.balances() == expected_balances(deposits(3_010))
        assert await two.entries() == expected_entries(deposits(3_010))


async def test_a_new_version_is_built_from_nothing_and_the_old_one_goes():
    """Also while the application of before has stored its rows under the same name."""
    events, rows = MemoryEventStore(), MemoryReadStore()
    async with bank(Balances, events=events, rows=rows) as desk:
        await desk.append(*deposits(5))
        await desk.caught_up()
    other = type("Balances", (Balances,), {"version": 2, "name": "Balances"})
    retired = []
    rows.retire = lambda name: _noted(retired, name)
    async with bank(other, events=events, rows=rows) as desk:
        await desk.caught_up()
        assert await desk.balances() == expected_balances(deposits(5))
    assert retired == ["Balances"]


async def _noted(names, name):
    names.append(name)


async def test_a_full_disk_is_waited_out(caplog):
    """The batch is kept and committed once there is space; meanwhile the status says what is wrong."""

    class Full(MemoryReadStore):
        left = 2

        async def commit(self, changes):
            if changes[0].position and self.left:
                self.left -= 1
                raise StoreFull("no space left")
            return await super().commit(changes)

    async with bank(Balances, rows=Full()) as desk:
        await desk.append(*deposits(5))
        await desk.caught_up()
        assert await desk.balances() == expected_balances(deposits(5))
        assert (await desk.status("Balances")).error is None
    assert "trying again" in caplog.text


async def test_a_log_that_cannot_be_read_for_a_while_is_waited_out(caplog):
    """Following goes on where it was."""

    class Shaky(MemoryEventStore):
        left = 2

        async def subscribe(self, *arguments, **options):
            if self.left:
                self.left -= 1
                raise StoreIOError("the disk does not answer")
            async for page in super().subscribe(*arguments, **options):
                yield page

    async with bank(Balances, events=Shaky()) as desk:
        await desk.append(*deposits(5))
        await desk.caught_up()
        assert await desk.balances() == expected_balances(deposits(5))
    assert "trying again" in caplog.text


async def test_a_closed_log_ends_following():
    """Quietly: the application is being closed."""
    async with bank(Balances) as desk:
        await desk.append(*deposits(1))
        await desk.caught_up()
        await desk.events.close()
        await asyncio.wait_for(asyncio.gather(*desk.follower._runner.tasks), 10)


async def test_following_can_be_stopped_and_started_again():
    """Nothing is lost or doubled in between."""
    async with bank(Balances) as desk:
        await desk.append(*deposits(5))
        await desk.caught_up()
        await desk.follower.stop()
        assert (await desk.status("Balances")).state == "stopped"
        await desk.append(*deposits(5, start=5))
        assert (await desk.status("Balances")).lag_positions == 5
        await desk.follower.start()
        await desk.caught_up()
        assert await desk.balances() == expected_balances(deposits(10))
