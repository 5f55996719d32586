from __future__ import annotations

import asyncio

import msgspec
import pytest

from headwater.errors import OtherHistory, UnsupportedUrl
from headwater.event_store import NewEvent, open_store
from headwater.event_store.memory import MemoryEventStore
from headwater.integration.chain import chain_of
from headwater.integration.replicate import replicate


async def filled(count, store=None):
    """A log in memory with so many events, appended three at a time."""
    store = store or MemoryEventStore()
    for start in range(0, count, 3):
        await store.append(
            [NewEvent("Counted", str(n).encode(), (f"n:{n}",)) for n in range(start, min(start + 3, count))]
        )
    return store


async def events_of(store):
    """All it holds."""
    return list((await store.read()).events)


async def copied_until(target, position):
    """Wait until the target has that many events."""
    async for news in target.subscribe():
        if news.head >= position:
            return


@pytest.fixture(params=["memory:", "sqlite:///copy.db"])
async def target(request, tmp_path, monkeypatch):
    """An empty store to copy to."""
    monkeypatch.chdir(tmp_path)
    async with open_store(request.param) as store:
        yield store


@pytest.mark.parametrize("batch", [1, 7, 1_000])
async def test_a_copy_has_the_same_events(target, batch):
    """Byte by byte, with the same positions, ids and times, whatever the batch."""
    source = await filled(50)
    moves = []
    outcome = await replicate(source, target, batch=batch, moved=lambda *move: moves.append(move))
    assert await events_of(target) == await events_of(source)
    assert (outcome.compared, outcome.copied, outcome.head) == (0, 50, 50)
    assert outcome.chain == await chain_of(source) == await chain_of(target)
    assert moves[-1] == (50, 50)


async def test_an_empty_log_is_copied_too(target):
    """There is nothing to do, and nothing goes wrong."""
    outcome = await replicate(MemoryEventStore(), target)
    assert (outcome.head, outcome.copied, await target.head()) == (0, 0, 0)


async def test_a_second_run_copies_what_is_new(target):
    """What is there is compared, not written again."""
    source = await filled(20)
    await replicate(source, target)
    again = await replicate(source, target)
    assert (again.compared, again.copied) == (20, 0)
    await filled(5, source)
    more = await replicate(source, target, batch=2)
    assert (more.compared, more.copied, more.head) == (20, 5, 25)
    assert await events_of(target) == await events_of(source)


async def test_a_target_with_other_events_is_refused(target):
    """Another log of the same length or shorter: nothing is written, and the place is named."""
    source = await filled(20)
    await filled(6, target)
    before = await events_of(target)
    with pytest.raises(OtherHistory, match="another event at 6") as caught:
        await replicate(source, target)
    assert caught.value.position == 6
    assert await events_of(target) == before


@pytest.mark.parametrize("change", [{"data": b"8"}, {"recorded_us": 1}, {"tags": ()}, {"type": "Recounted"}])
async def test_one_event_that_differs_in_the_middle_is_found(change):
    """The first and the last event are the same; the comparison of all finds the one in between."""
    source, target = await filled(20), MemoryEventStore()
    events = await events_of(source)
    events[6] = msgspec.structs.replace(events[6], **change)
    await target.copy(events[:12])
    with pytest.raises(OtherHistory) as caught:
        await replicate(source, target, batch=5)
    assert (caught.value.position, await target.head()) == (7, 12)


async def test_a_target_that_is_ahead_is_refused(target):
    """It may be the newer one of the two: copying backwards would be the mistake."""
    source = await filled(6)
    await replicate(source, target)
    await filled(3, target)
    with pytest.raises(OtherHistory, match="the target is ahead: it has 9 events, the source 6"):
        await replicate(source, target)


async def test_somebody_else_who_writes_to_the_target_stops_the_copy():
    """The copy is refused where it would go on, and not one event of it is lost or doubled."""

    class Shared(MemoryEventStore):
        async def copy(self, events):
            if events[0].position > 10:
                await self.append([NewEvent("Mine", b"{}")])
            return await super().copy(events)

    target = Shared()
    with pytest.raises(OtherHistory, match="goes on at 11, but this log's head is 11"):
        await replicate(await filled(20), target, batch=10)
    assert await target.head() == 11


async def test_what_a_target_made_of_a_copy_is_read_back():
    """A store that stores something else than it was given is found out at once."""

    class Careless(MemoryEventStore):
        async def copy(self, events):
            return await super().copy([msgspec.structs.replace(event, metadata=b"") for event in events])

    with pytest.raises(OtherHistory, match="another event at 1 "):
        await replicate(await filled(3), Careless())


async def test_a_store_that_holds_no_copies_is_refused():
    """With what it is called."""

    class Plain:
        capabilities = MemoryEventStore.capabilities

    with pytest.raises(UnsupportedUrl, match="memory cannot hold a copy"):
        await replicate(MemoryEventStore(), Plain())


async def test_following_copies_what_comes_until_it_is_stopped(target):
    """Live events arrive, in batches; a stop ends with both logs checked and equal."""
    source, stop = await filled(10), asyncio.Event()
    following = asyncio.ensure_future(replicate(source, target, batch=4, follow=stop))
    await copied_until(target, 10)
    await filled(9, source)
    await copied_until(target, 19)
    stop.set()
    outcome = await following
    assert (outcome.head, outcome.copied) == (19, 19)
    assert await events_of(target) == await events_of(source)


async def test_following_may_be_stopped_while_nothing_happens(target):
    """It does not wait for one more event."""
    stop = asyncio.Event()
    following = asyncio.ensure_future(replicate(await filled(3), target, follow=stop))
    await copied_until(target, 3)
    stop.set()
    assert (await following).head == 3


async def test_following_ends_with_what_goes_wrong(target):
    """Somebody who writes to the target is not overlooked while following."""
    source, stop = await filled(3), asyncio.Event()
    following = asyncio.ensure_future(replicate(source, target, follow=stop))
    await copied_until(target, 3)
    await target.append([NewEvent("Mine", b"{}")])
    await filled(3, source)
    with pytest.raises(OtherHistory):
        await following
