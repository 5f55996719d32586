"""The law of the read side: rows are the fold of the log, however it was cut, whoever stopped and started again."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import contextmanager

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.accounts import (
    CODEC,
    Balances,
    Closed,
    Deposited,
    Entries,
    Ignored,
    Moved,
    Opened,
    bank,
    expected_balances,
    expected_entries,
    plans,
)

from headwater.event_store.memory import MemoryEventStore
from headwater.followers.feed import after, facts_of
from headwater.projections import projectors
from headwater.read_store.checkpoints import Regrant
from headwater.read_store.memory import MemoryReadStore

_accounts = st.sampled_from("abcd")
_amounts = st.integers(-5, 5)
_events = st.one_of(
    st.builds(Opened, account=_accounts, owner=st.text(max_size=3)),
    st.builds(Deposited, account=_accounts, amount=_amounts),
    st.builds(Moved, source=_accounts, target=_accounts, amount=_amounts),
    st.builds(Closed, account=_accounts),
    st.builds(Ignored),
)
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(_events, min_size=1, max_size=8)),
        st.tuples(st.sampled_from(["restart", "wait", "rebuild", "yield", "other"]), st.none()),
    ),
    max_size=12,
)
_slices = st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(0, 5))


@contextmanager
def cut_into(events, rows, kept):
    """Slices of so many events, batches of so many rows; so many rows stay in memory from batch to batch."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("headwater.followers.groups._LONG_SLICE", events)
        patch.setattr("headwater.followers.batch._ENOUGH_ROWS", rows)
        patch.setattr("headwater.projections.rows._MOST_KEPT", kept)
        yield


async def follows(steps, open_bank):
    """Take the steps, and compare with the trivial reference at the end."""
    happened = []
    desk = await enter(open_bank)
    for step, events in steps:
        if step == "append":
            happened += events
            await desk.append(*events)
        elif step == "restart":
            await leave(desk)
            desk = await enter(open_bank)
        elif step == "wait":
            await desk.caught_up()
        elif step == "rebuild":
            await desk.follower.rebuild("Balances")
        elif step == "other":
            await another_goes_on(desk)
        else:
            await asyncio.sleep(0)
    await desk.caught_up()
    try:
        assert await desk.balances() == expected_balances(happened)
        assert await desk.entries() == expected_entries(happened)
    finally:
        await leave(desk)


async def another_goes_on(desk):
    """Another owner takes every range of the balances, projects what there is, and gives it back."""
    log = await desk.events.read()
    consumer = projectors(plans(Balances), desk.rows)[0]
    facts = facts_of(log.events, consumer.event_types, CODEC)
    for share in [each for each in (await desk.rows.fleet()).shares if each.projection == "Balances"]:
        at = share.checkpoint
        (made,) = await desk.rows.regrant([Regrant((share,), ((at.low, at.high, "other"),))])
        if made is None:
            continue
        mine = consumer.on(at.side).begin(made[0])
        assert await mine.fold(after(facts, mine.position), max(log.head, mine.position)) is None
        assert not await desk.rows.commit([mine.changes()])
        taken = msgspec.structs.replace(share, checkpoint=msgspec.structs.replace(made[0], position=mine.position))
        # Unless it is taken already: who gives no sign of life loses what it has to a process that does.
        await desk.rows.regrant([Regrant((taken,), ((at.low, at.high, at.owner),))])


async def enter(open_bank):
    opened = open_bank()
    desk = await opened.__aenter__()
    desk.opened = opened
    return desk


async def leave(desk):
    await desk.opened.__aexit__(None, None, None)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=_steps, slices=_slices)
def test_rows_are_the_fold_of_the_log_in_memory(steps, slices):
    """Random events, random batches, random restarts, rebuilds and changes of hands."""
    events, rows = MemoryEventStore(), MemoryReadStore()
    with cut_into(*slices):
        asyncio.run(follows(steps, lambda: bank(Balances, Entries, events=events, rows=rows)))


@pytest.mark.parametrize("partner", [None, Balances], ids=["alone", "beside another process"])
def test_rows_are_the_fold_of_the_log_in_sqlite(tmp_path, partner):
    """The same in files, also while somebody else projects into the same read store."""
    numbers = itertools.count()

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(steps=_steps, slices=_slices)
    def check(steps, slices):
        place = tmp_path / str(next(numbers))
        place.mkdir()
        urls = {"events": f"sqlite:///{place}/log.db", "rows": f"sqlite:///{place}/rows.db"}

        async def run():
            if partner is None:
                await follows(steps, lambda: bank(Balances, Entries, **urls))
                return
            async with bank(Entries, partner, **urls):
                await follows(steps, lambda: bank(Balances, Entries, **urls))

        with cut_into(*slices):
            asyncio.run(run())

    check()
