"""Batches: what is folded of several slices is committed at once, and rows stay in memory while they are true."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import pytest
from tests.accounts import (
    CODEC,
    STRICT,
    Balance,
    Balances,
    Deposited,
    Entries,
    Moved,
    Opened,
    bank,
    expected_balances,
    expected_entries,
    plans,
)

from headwater.errors import ProjectionFailed
from headwater.event_store.memory import MemoryEventStore
from headwater.event_store.protocol import RecordedEvent
from headwater.followers.batch import Batch
from headwater.followers.feed import facts_of
from headwater.followers.groups import Member
from headwater.messages import Recorded
from headwater.projections import projectors
from headwater.read_models import Key, Projection, ReadModel, on
from headwater.read_store import open_read_store
from headwater.read_store.checkpoints import LAST_SLICE, Regrant, Share, slice_of
from headwater.read_store.memory import MemoryReadStore
from headwater.read_store.protocol import Changes, TableChanges

ACCOUNTS = [f"a{number}" for number in range(20)]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HALF = sorted(map(slice_of, ACCOUNTS))[9]


class Seen(ReadModel):
    position: Annotated[int, Key()]
    at: datetime


class Recording(MemoryReadStore):
    """Remembers what is looked up and committed."""

    def __init__(self):
        super().__init__()
        self.looked_up, self.committed = [], []

    async def load(self, table, keys):
        self.looked_up += (keys := list(keys))
        return await super().load(table, keys)

    async def commit(self, changes):
        self.committed += [(each.start.position, each.position) for each in changes]
        return await super().commit(changes)


def deposits(count):
    return [Deposited(account=ACCOUNTS[number % 20], amount=number) for number in range(count)]


@pytest.fixture
def cut(monkeypatch):
    """Have catching up go in slices of so many events, and batches of so many rows or seconds."""

    def cut(events, *, rows=8_000, seconds=3_600.0):
        monkeypatch.setattr("headwater.followers.groups._LONG_SLICE", events)
        monkeypatch.setattr("headwater.followers.batch._ENOUGH_ROWS", rows)
        monkeypatch.setattr("headwater.followers.batch._LONGEST_SECONDS", seconds)

    return cut


@pytest.fixture
async def log():
    """A log of a hundred events."""
    events = MemoryEventStore()
    await events.append([CODEC.encode_event(event) for event in deposits(100)])
    return events


@pytest.mark.parametrize(
    ("limits", "committed"),
    [
        ({}, [(0, 100)]),
        ({"rows": 20}, [(0, 20), (20, 40), (40, 60), (60, 80), (80, 100)]),
        ({"seconds": 0.0}, [(at, at + 10) for at in range(0, 100, 10)]),
    ],
)
async def test_slices_that_come_at_once_are_committed_together(cut, log, limits, committed):
    """Until there are rows enough, or it has taken long enough."""
    cut(10, **limits)
    async with bank(Balances, events=log, rows=Recording()) as desk:
        await desk.caught_up()
        assert [each for each in desk.rows.committed if each[0] < each[1]] == committed
        assert await desk.balances() == expected_balances(deposits(100))


async def test_who_is_further_waits_for_the_others(cut, log):
    """Within a batch as between two."""
    cut(1)
    rows = MemoryReadStore()
    async with bank(Balances, events=log, rows=rows) as desk:
        await desk.caught_up()
    async with bank(Balances, Entries, events=log, rows=rows) as desk:
        await desk.append(*deposits(5))
        await desk.caught_up()
        assert await desk.balances() == expected_balances(deposits(100) + deposits(5))
        assert await desk.entries() == expected_entries(deposits(100) + deposits(5))


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_a_row_that_cannot_be_stored_is_found_in_a_long_batch(cut, log, size):
    """Whatever slice it was in: the event before it counts, and others go on."""
    cut(size)

    class Unfit(Projection[Seen]):
        @on
        def deposited(self, recorded: Recorded[Deposited]) -> Seen:
            return Seen(position=recorded.position, at=NOON if recorded.position != 45 else "no time")

    async with bank(Unfit, Balances, events=log, retry=STRICT) as desk:
        with pytest.raises(ProjectionFailed):
            await desk.progress.wait_for(["Unfit"], 45, timeout=10)
        assert (await desk.status("Unfit")).position == 44
        await desk.progress.wait_for(["Balances"], 100, timeout=10)
        assert await desk.balances() == expected_balances(deposits(100))


async def test_a_row_is_looked_up_once(log):
    """Not at all where all rows were made here, and after a restart for the first event about it."""
    rows = Recording()
    async with bank(Balances, events=log, rows=rows) as desk:
        await desk.caught_up()
        await desk.append(*deposits(40))
        await desk.caught_up()
        assert rows.looked_up == []
    async with bank(Balances, events=log, rows=rows) as desk:
        for _ in range(3):
            await desk.append(Deposited(account="a1", amount=1), Moved(source="a1", target="new", amount=1))
            await desk.caught_up()
        assert sorted(rows.looked_up) == ["a1", "new"]


async def test_not_more_rows_stay_in_memory_than_may(monkeypatch, log):
    """Those that changed last; the others are looked up again."""
    monkeypatch.setattr("headwater.projections.rows._MOST_KEPT", 20)
    rows, story = Recording(), deposits(100)
    async with bank(Balances, events=log, rows=rows) as desk:
        for events in (
            [Opened(account="b1")],
            [Deposited(account="a1", amount=1)],
            [Deposited(account="b1", amount=1)],
        ):
            await desk.caught_up()
            await desk.append(*events)
            story += events
        await desk.caught_up()
        assert rows.looked_up == ["a1"]
        assert await desk.balances() == expected_balances(story)


async def test_what_a_failed_event_left_in_a_row_is_forgotten(log):
    """A handler that changes what a row holds, before it fails, is given the stored row again."""
    seen = []

    class Fussy(Projection[Balance]):
        @on
        def deposited(self, event: Deposited, row: Balance | None) -> Balance:
            row = row or Balance(account=event.account)
            if event.amount == 99:
                seen.append(row)
                if len(seen) == 1:
                    raise ValueError("not yet")
            return msgspec.structs.replace(row, amount=row.amount + event.amount)

    async with bank(Fussy, events=log) as desk:
        await desk.caught_up()
        assert seen[0] == seen[1]
        assert seen[0] is not seen[1]


# -- who else wrote


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def rows(request, tmp_path):
    """A read store of each kind."""
    if request.param == "memory":
        yield MemoryReadStore()
        return
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else f"sqlite:///{tmp_path}/rows.db"
    async with open_read_store(url) as store:
        yield store


async def only_share(rows):
    """The one range of the balances."""
    (share,) = (await rows.fleet()).shares
    return share


async def granted(rows, before, *after):
    """Rearrange these ranges."""
    (made,) = await rows.regrant([Regrant(tuple(before), after)])
    assert made is not None
    return made


async def folded(member, story, position):
    """What a member makes of the story up to there, in one batch."""
    raw = [
        RecordedEvent(at, each.type, each.version, each.data, each.tags, each.metadata, each.id.bytes, at)
        for at, each in enumerate(map(CODEC.encode_event, story[:position]), 1)
    ]
    batch = Batch([member])
    await batch.fold(facts_of(raw, member.consumer.event_types, CODEC), position)
    ((_, changes, fault),) = batch.outcomes()
    assert fault is None
    return changes


async def go_on(rows, member, story, position):
    """Have a member project the story up to there."""
    changes = await folded(member, story, position)
    assert await rows.commit([changes]) == frozenset()
    member.reach(changes)


async def balances(rows):
    return {row.account: row async for row in rows.reader(Balance).stream()}


async def test_no_row_is_served_from_memory_that_came_back_from_another_owner(rows):
    """Half of the range goes to another worker, which goes on, and comes back to the same place."""
    story = deposits(60)
    (consumer,) = projectors(plans(Balances), rows)
    await rows.prepare(consumer.tables)
    one = Member(consumer, (await granted(rows, [await only_share(rows)], (0, LAST_SLICE, "one")))[0])
    await go_on(rows, one, story, 20)
    one.checkpoint, theirs = await granted(
        rows, [Share("Balances", 1, one.checkpoint)], (0, HALF, "one"), (HALF + 1, LAST_SLICE, "two")
    )
    other = Member(consumer, theirs)
    for member in (one, other):
        await go_on(rows, member, story, 40)
    parts = [Share("Balances", 1, each.checkpoint) for each in (one, other)]
    (one.checkpoint,) = await granted(rows, parts, (0, LAST_SLICE, "one"))
    await go_on(rows, one, story, 60)
    assert await balances(rows) == expected_balances(story)


async def test_what_was_folded_and_not_stored_is_folded_again(rows):
    """Once, however often a batch came to nothing."""
    story = deposits(40)
    (consumer,) = projectors(plans(Balances), rows)
    await rows.prepare(consumer.tables)
    one = Member(consumer, (await granted(rows, [await only_share(rows)], (0, LAST_SLICE, "one")))[0])
    for position in (10, 40):
        await folded(one, story, position)
        await folded(one, story, position - 5)
        await go_on(rows, one, story, position)
    assert await balances(rows) == expected_balances(story)


async def test_no_row_is_served_from_memory_that_changed_at_the_same_position(rows):
    """As when a parked sequence catches up: rows change, and the position does not."""
    story = deposits(60)
    (consumer,) = projectors(plans(Balances), rows)
    await rows.prepare(consumer.tables)
    one = Member(consumer, (await granted(rows, [await only_share(rows)], (0, LAST_SLICE, "one")))[0])
    await go_on(rows, one, story, 20)
    (claimed,) = await granted(rows, [Share("Balances", 1, one.checkpoint)], (0, LAST_SLICE, "mender"))
    (table,) = consumer.tables
    mended = TableChanges(table, [table.values_of(Balance(account="a3", amount=1_000))], [])
    assert await rows.commit([Changes("Balances", claimed, claimed.position, (mended,))]) == frozenset()
    (one.checkpoint,) = await granted(rows, [Share("Balances", 1, claimed)], (0, LAST_SLICE, "one"))
    await go_on(rows, one, story, 40)
    assert (await balances(rows))["a3"].amount == 1_000 + 23
