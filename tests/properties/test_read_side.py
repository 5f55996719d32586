"""The law of the read side: rows are the fold of the log, however it was cut, whoever stopped and started again."""

from __future__ import annotations

import asyncio
import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.accounts import (
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
)

from headwater.event_store.memory import MemoryEventStore
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
        st.tuples(st.sampled_from(["restart", "wait", "rebuild", "yield"]), st.none()),
    ),
    max_size=12,
)


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
        else:
            await asyncio.sleep(0)
    await desk.caught_up()
    try:
        assert await desk.balances() == expected_balances(happened)
        assert await desk.entries() == expected_entries(happened)
    finally:
        await leave(desk)


async def enter(open_bank):
    opened = open_bank()
    desk = await opened.__aenter__()
    desk.opened = opened
    return desk


async def leave(desk):
    await desk.opened.__aexit__(None, None, None)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=_steps)
def test_rows_are_the_fold_of_the_log_in_memory(steps):
    """Random events, random batches, random restarts and rebuilds."""
    events, rows = MemoryEventStore(), MemoryReadStore()
    asyncio.run(follows(steps, lambda: bank(Balances, Entries, events=events, rows=rows)))


@pytest.mark.parametrize("partner", [None, Balances], ids=["alone", "beside another process"])
def test_rows_are_the_fold_of_the_log_in_sqlite(tmp_path, partner):
    """The same in files, also while somebody else projects into the same read store."""
    numbers = itertools.count()

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(steps=_steps)
    def check(steps):
        place = tmp_path / str(next(numbers))
        place.mkdir()
        urls = {"events": f"sqlite:///{place}/log.db", "rows": f"sqlite:///{place}/rows.db"}

        async def run():
            if partner is None:
                await follows(steps, lambda: bank(Balances, Entries, **urls))
                return
            async with bank(Entries, partner, **urls):
                await follows(steps, lambda: bank(Balances, Entries, **urls))

        asyncio.run(run())

    check()
