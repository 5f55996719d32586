"""A real standby that readers use: what it lacks, and what it is not."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from tests.accounts import CODEC, Balances, Opened, bank
from tests.domain import ChangeCapacity, Course, DefineCourse
from tests.servers.postgres import LocalPostgres, served

from headwater.app import App
from headwater.clock import SystemClock
from headwater.errors import OtherHistory, StoreIOError
from headwater.event_store import ALL, AppendCondition, Appended, Conflict, EventQuery, NewEvent, open_store
from headwater.queries.freshness import Freshness


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[LocalPostgres, LocalPostgres]]:
    """A primary and its standby."""
    with served() as primary, primary.replica() as standby:
        yield primary, standby


def read_from(url: str, server: LocalPostgres) -> str:
    """The URL of a log whose readers use the same database on that server."""
    return f"{url}?read_url={quote(server.url_of(url.rpartition('/')[2]), safe='')}"


async def test_a_replica_that_lags_costs_conflicts_and_nothing_else(pair):
    """A decision on its old state is refused by the primary, and what that tells is read from the primary then."""
    primary, standby = pair
    url = primary.fresh_database()
    condition = AppendCondition(EventQuery.of(tags=("x",)))
    async with open_store(url) as elsewhere, open_store(read_from(url, standby)) as store:
        assert await store.append([NewEvent("A", b"{}", ("x",))], condition) == Appended(1, 1)
        standby.await_all_of(primary)
        pages = aiter(store.subscribe())
        assert (await anext(pages)).head == 1
        standby.execute("SELECT pg_wal_replay_pause()")
        try:
            await elsewhere.append([NewEvent("B", b"{}", ("x",))])
            assert (await store.read(ALL)).head == 1
            condition = AppendCondition(EventQuery.of(tags=("x",)), after=1)
            assert await store.append([NewEvent("C", b"{}", ("x",))], condition) == Conflict(2)
            assert [event.type for event in (await store.read(ALL)).events] == ["A", "B"]
        finally:
            standby.execute("SELECT pg_wal_replay_resume()")
        assert [event.type for event in (await anext(pages)).events] == ["B"]


async def test_a_command_is_never_refused_on_the_state_of_a_replica_that_lags(pair):
    """Nothing is appended then, so no condition would find out."""
    primary, standby = pair
    url = primary.fresh_database()
    app = App("courses", Course)
    async with app.open(url, follow=False) as elsewhere:
        standby.await_all_of(primary)
        async with app.open(read_from(url, standby), read_store="memory:", follow=False) as here:
            standby.execute("SELECT pg_wal_replay_pause()")
            try:
                await elsewhere.execute(DefineCourse(course_id="c1", capacity=1))
                assert (await here.event_store.read(ALL)).head == 0
                await here.execute(ChangeCapacity(course_id="c1", capacity=2))
            finally:
                standby.execute("SELECT pg_wal_replay_resume()")


async def test_rows_behind_a_replica_that_lags_say_how_old_they_are(pair):
    """They are as old as what they lack on the primary, however well they keep up with the replica."""
    primary, standby = pair
    url = primary.fresh_database()
    async with open_store(url) as elsewhere:
        await elsewhere.append([CODEC.encode_event(Opened(account="a"))])
        standby.await_all_of(primary)
        async with bank(Balances, events=read_from(url, standby)) as here:
            await here.caught_up()
            freshness = Freshness(here.rows, event_store=here.events, progress=here.progress, clock=SystemClock())
            assert await freshness.of(["Balances"]) == (1, 0.0)
            standby.execute("SELECT pg_wal_replay_pause()")
            try:
                await elsewhere.append([CODEC.encode_event(Opened(account="b"))])
                position, age_seconds = await freshness.of(["Balances"])
                assert (position, age_seconds > 0, await here.events.head()) == (1, True, 2)
                assert (await here.status("Balances")).lag_positions == 1
            finally:
                standby.execute("SELECT pg_wal_replay_resume()")
            await here.caught_up()


async def test_a_replica_that_is_gone_is_named_and_used_again_when_it_is_back(pair):
    """Appends go on meanwhile."""
    primary, standby = pair
    url = primary.fresh_database()
    async with open_store(read_from(url, standby)) as store:
        await store.append([NewEvent("A", b"{}")])
        standby.await_all_of(primary)
        standby.stop()
        with pytest.raises(StoreIOError, match=str(standby.port)):
            await store.read(ALL)
        assert await store.append([NewEvent("A", b"{}")]) == Appended(2, 2)
        standby.start()
        assert (await store.read(ALL)).head == 2


async def test_another_log_is_no_replica(pair):
    """What is read there never happened here."""
    primary, _ = pair
    url, other = primary.fresh_database(), primary.fresh_database()
    for each in (url, other):
        async with open_store(each) as log:
            await log.append([NewEvent("A", b"{}")])
    with pytest.raises(OtherHistory, match="no replica"):
        async with open_store(f"{url}?read_url={quote(other, safe='')}"):
            pass
