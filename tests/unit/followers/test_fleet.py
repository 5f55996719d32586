"""Several followers on one log and one read store share the work, and nothing is lost or counted twice."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack

import msgspec
import pytest
from tests.accounts import (
    STRICT,
    Balances,
    Closed,
    Deposited,
    Entries,
    Entry,
    Moved,
    Opened,
    bank,
    expected_balances,
    expected_entries,
    until,
)

from headwater.errors import ProjectionFailed
from headwater.event_store.memory import MemoryEventStore
from headwater.followers.worker import is_gone, started, this_host, this_worker
from headwater.messages import Recorded
from headwater.read_models import Projection, on
from headwater.read_store.checkpoints import SLICES, Checkpoint, Regrant, Share, Worker, slice_of
from headwater.read_store.memory import MemoryReadStore

VERSIONS = {"Balances": 1, "Entries": 1}


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def stores(request, tmp_path):
    """A log and a read store that several followers can have open."""
    if request.param == "memory":
        return {"events": MemoryEventStore(), "rows": MemoryReadStore()}
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
        return {"events": f"sqlite:///{tmp_path}/log.db", "rows": url}
    return {"events": f"sqlite:///{tmp_path}/log.db", "rows": f"sqlite:///{tmp_path}/rows.db"}


def some(count, start=0):
    """Events of all kinds about fifty accounts, of which some are opened and closed again."""
    made = []
    for number in range(start, start + count):
        one, other = f"a{number * 7 % 50}", f"a{number * 11 % 50}"
        made.append(
            (
                Deposited(account=one, amount=number),
                Moved(source=one, target=other, amount=number),
                Opened(account=other),
                Deposited(account=other, amount=1),
                Closed(account=one),
            )[number % 5 if number % 25 else 4]
        )
    return made


async def held(rows, name="Balances"):
    """How many slices each worker holds."""
    counts = {}
    for share in (await rows.fleet()).shares:
        if share.projection == name:
            counts[share.checkpoint.owner] = counts.get(share.checkpoint.owner, 0) + share.checkpoint.slices
    return counts


async def is_even(rows, workers):
    """Whether so many workers hold fair shares."""
    for name in VERSIONS:
        found = await held(rows, name)
        if len(found) != workers or "" in found or max(found.values()) > -(-SLICES // workers):
            return False
    return True


async def is_held_by(desk):
    """Whether one follower has everything."""
    return await held(desk.rows) == {desk.follower._worker.id: SLICES}


async def is_whole(rows):
    """Whether every projection is in one piece again."""
    return all(share.checkpoint.is_whole for share in (await rows.fleet()).shares)


async def assert_right(desk, events):
    """Everything that was appended counts, once."""
    await desk.caught_up()
    assert await desk.balances() == expected_balances(events)
    assert await desk.entries() == expected_entries(events)


async def test_followers_come_and_go(stores):
    """One, then three, then two, while events come in: the shares are fair, and all rows are right at every step."""
    events = []

    async def more(desk, count=300):
        events.extend(new := some(count, len(events)))
        await desk.append(*new)

    async with bank(Balances, Entries, **stores) as one:
        await more(one)
        async with bank(Balances, Entries, **stores) as two:
            await more(two)
            async with bank(Balances, Entries, **stores) as three:
                for _ in range(10):
                    await more(three, 50)
                await until(is_even, one.rows, 3)
                await more(one)
                for desk in (one, two, three):
                    await assert_right(desk, events)
            await until(is_even, one.rows, 2)
            await more(two)
            await assert_right(one, events)
            assert [each.workers for each in await one.follower.status()] == [2, 2]
        await until(is_even, one.rows, 1)
        await more(one)
        await assert_right(one, events)
        await until(is_whole, one.rows)


async def test_a_worker_that_is_gone_for_good_is_replaced_when_its_lease_ends(stores):
    """It says nothing any more: what it held is taken over from where it was."""
    async with bank(Balances, Entries, **stores) as one:
        await one.append(*some(100))
        await one.caught_up()
    async with bank(Balances, Entries, **stores, follow=False) as gone:
        lost = msgspec.structs.replace(this_worker(VERSIONS, follows=True), id="lost", host="elsewhere")
        await gone.rows.announce(lost, 0.3)
        await take_all(gone.rows, "lost")
        await gone.append(*some(100, 100))
        async with bank(Balances, Entries, **stores) as two:
            await assert_right(two, some(200))
            assert await held(two.rows) == {two.follower._worker.id: SLICES}


async def test_a_process_that_was_killed_here_is_replaced_at_once(stores):
    """However long its lease: there is no such process any more."""
    async with bank(Balances, Entries, **stores, follow=False) as gone:
        here = this_worker(VERSIONS, follows=True)
        await gone.rows.announce(msgspec.structs.replace(here, id="lost", started="long ago"), 3600)
        await take_all(gone.rows, "lost")
        await gone.append(*some(100))
        async with bank(Balances, Entries, **stores) as two:
            await assert_right(two, some(100))


async def take_all(rows, owner):
    """Grant every range to somebody."""
    shares = (await rows.fleet()).shares
    assert all(await rows.regrant([Regrant((share,), ((0, 1023, owner),)) for share in shares]))


async def test_a_worker_that_lost_its_ranges_without_noticing_stores_nothing(stores):
    """It folds and commits under a grant that is no more; then it looks again, and gets its share back."""
    async with bank(Balances, Entries, **stores) as one:
        await one.append(*some(100))
        await one.caught_up()
        await one.rows.announce(this_worker(VERSIONS, follows=False), 60)
        for round_ in range(1, 6):
            await take_all(one.rows, "thief")
            await one.append(*some(100, 100 * round_))
            await assert_right(one, some(100 * (round_ + 1)))
            await until(is_held_by, one)


async def test_a_grant_whose_answer_was_lost_is_worked_on(stores):
    """The store says that this worker holds it, so it does."""
    async with bank(Balances, Entries, **stores) as one:
        await take_all(one.rows, one.follower._worker.id)
        await one.append(*some(100))
        await assert_right(one, some(100))


async def test_who_only_helps_out_moves_nothing(stores):
    """Beside a follower it has nothing to do; alone it does everything."""
    async with bank(Balances, Entries, **stores, follow=False) as helper:
        await helper.follower.start(stand_in=True)
        await helper.append(*some(100))
        await assert_right(helper, some(100))
        async with bank(Balances, Entries, **stores) as one:
            await until(is_held_by, one)
            await one.append(*some(100, 100))
            await assert_right(helper, some(200))


async def test_a_rebuild_is_shared_too(stores):
    """Whoever asks for it, all take part, and the rows are the same again."""
    async with AsyncExitStack() as stack:
        desks = [await stack.enter_async_context(bank(Balances, Entries, **stores)) for _ in range(3)]
        await desks[0].append(*some(2_000))
        await until(is_even, desks[0].rows, 3)
        await desks[1].follower.rebuild("Balances")
        await until(is_even, desks[0].rows, 3)
        for desk in desks:
            await assert_right(desk, some(2_000))


async def test_a_fault_stops_the_slices_it_is_in():
    """The rest of the projection goes on, wherever it is worked on; the whole is as far as its hindmost part."""

    class Picky(Projection[Entry]):
        @on(key=lambda recorded: (0, recorded.event.account))
        def deposited(self, recorded: Recorded[Deposited], row: Entry | None) -> Entry:
            if recorded.event.account == "bad":
                raise ValueError("not this one")
            return Entry(position=0, account=recorded.event.account, amount=recorded.position)

    rows = MemoryReadStore()
    async with (
        bank(Picky, rows=rows, retry=STRICT) as one,
        bank(Picky, events=one.events, rows=rows, retry=STRICT) as two,
    ):
        await until(is_shared, rows)
        names = ["bad", *(f"a{number}" for number in range(40))]
        await one.append(*(Deposited(account=name, amount=1) for name in names))
        there = {name for name in names if (slice_of((0, name)) < 512) != (slice_of((0, "bad")) < 512)}
        assert there
        await until(has_rows, one, there)
        stopped = (await one.status("Picky"), await two.status("Picky"))
        assert {each.position for each in stopped} == {0}
        failing = [desk for desk in (one, two) if desk.follower._standing.members[0].state in ("retrying", "failed")]
        with pytest.raises(ProjectionFailed, match="not this one"):
            await failing[0].progress.wait_for(["Picky"], 41, 10)


async def is_shared(rows):
    """Whether two workers have a half each."""
    return sorted((await held(rows, "Picky")).values()) == [512, 512]


async def has_rows(desk, names):
    """Whether these accounts have a row."""
    return names <= {account for _, account in await desk.entries()}


def test_a_process_knows_itself_and_others_from_their_remains():
    """It is there, with its start time; one with another start time was an earlier one."""
    me = this_worker({}, follows=True)
    assert me.pid == os.getpid()
    assert me.started == started(os.getpid())
    assert not is_gone(me)
    assert is_gone(msgspec.structs.replace(me, started="0"))
    assert not is_gone(msgspec.structs.replace(me, started="0", host="elsewhere"))
    assert me.host == this_host()


def test_a_child_that_has_ended_is_gone():
    """Also before its parent has asked for its exit code."""
    child = os.posix_spawn("/bin/true", ["true"], {})
    began = started(child) or "never"
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert is_gone(Worker(id="x", host=this_host(), pid=child, started=began, versions={}))
    os.waitpid(child, 0)
    assert started(child) is None


@pytest.mark.parametrize(
    ("key", "expected"),
    [("INC001", 44), (7, 558), (b"\x00\xff", 430), (("2026-03-01", 1), 710), (1 << 70, 0), ("\ud800", 0)],
)
def test_slices_stay_what_they_are(key, expected):
    """A key's slice is stored in who works on what: it must be the same in every version. Odd keys are in the first."""
    assert slice_of(key) == expected


def test_slices_are_evenly_filled():
    """Keys that differ in a number are spread."""
    counts = [0] * 8
    for number in range(8_000):
        counts[slice_of(f"INC{number:06}") // 128] += 1
    assert min(counts) > 850


def test_shares_have_a_place():
    """A regrant says which ranges it is about, so that stores can take them in one order."""
    assert Regrant((Share("P", 3, Checkpoint(1, 2, low=5)),), ()).key == ("P", 3, 2, 5)
