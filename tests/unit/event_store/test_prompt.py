"""Appends without a task: the same outcomes by a call."""

from __future__ import annotations

import asyncio

import pytest

from headwater.errors import DuplicateEventId, InvalidAppend, StoreClosed
from headwater.event_store import open_store
from headwater.event_store.prompt import PromptAppender
from headwater.event_store.protocol import AppendCondition, Appended, Conflict, EventQuery, NewEvent


@pytest.fixture(params=["loop", "thread", "server"])
async def store(request, tmp_path):
    """A log whose appends are committed on the loop, by the writer's thread, or by PostgreSQL."""
    if request.param == "server":
        url = request.getfixturevalue("postgres_url")
    else:
        url = f"sqlite:///{tmp_path}/log.db?commits={'auto' if request.param == 'loop' else 'thread'}"
    async with open_store(url) as opened:
        assert isinstance(opened, PromptAppender)
        yield opened


async def begun(store, events, condition=None):
    """The outcome that is told."""
    told = asyncio.get_running_loop().create_future()
    assert store.begin_append(events, condition, told.set_result)
    assert not told.done()
    return await told


async def test_the_outcome_is_told(store):
    """Positions, a conflict, and what is wrong with an id."""
    event = NewEvent("A", b"{}", tags=("t:1",))
    tagged = AppendCondition(EventQuery.of(tags=("t:1",)))
    assert await begun(store, [event], tagged) == Appended(1, 1)
    assert await begun(store, [NewEvent("A", b"{}")], tagged) == Conflict(1)
    assert await begun(store, [event]) == Appended(1, 1, replayed=True)
    assert isinstance(await begun(store, [event, NewEvent("B", b"{}")]), DuplicateEventId)
    assert await store.head() == 1


async def test_what_can_be_refused_at_once_is_raised(store):
    """Events that are none, and a store that is closed."""
    told = []
    with pytest.raises(InvalidAppend):
        store.begin_append([], None, told.append)
    await store.close()
    with pytest.raises(StoreClosed):
        store.begin_append([NewEvent("A", b"{}")], None, told.append)
    assert told == []
