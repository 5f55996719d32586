"""What a subscription delivers. Reads: samples.py. Read next: lifecycle.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from headwater.errors import StoreClosed
from headwater.event_store.protocol import ALL, EventQuery, EventStore, RecordedEvent
from headwater.testing.conformance.capabilities import Backend
from headwater.testing.conformance.samples import event, filled, of

_PATIENCE_SECONDS = 20


async def delivered(
    store: EventStore, query: EventQuery, until: Callable[[list[RecordedEvent], int], bool], *, after: int = 0
) -> tuple[list[RecordedEvent], int]:
    """What a subscription brings until a condition on the events and the head holds."""
    found: list[RecordedEvent] = []
    async with asyncio.timeout(_PATIENCE_SECONDS):
        async for page in store.subscribe(query, after=after):
            assert page.events or page.head > after
            assert all(after < recorded.position <= page.head for recorded in page.events)
            after = page.head
            found += page.events
            if until(found, page.head):
                return found, page.head
    raise AssertionError("the subscription ended")


async def next_page(pages: AsyncIterator[object]) -> object:
    """The next slice, awaited as a task may."""
    return await anext(pages)


class Subscribing(Backend):
    """A subscription delivers every matching event once, in order: what is there, then what comes."""

    async def test_it_catches_up(self, store: EventStore) -> None:
        """Several pages of history arrive in order."""
        await store.append([event("A", "x") for _ in range(2_500)])
        found, head = await delivered(store, of("x"), lambda events, _: len(events) == 2_500)
        assert [recorded.position for recorded in found] == list(range(1, 2_501))
        assert head == 2_500

    async def test_it_starts_after_a_position(self, store: EventStore) -> None:
        """The position is exclusive, as everywhere."""
        await filled(store, "A x", "A x", "A x")
        found, _ = await delivered(store, of("x"), lambda _, head: head == 3, after=1)
        assert [recorded.position for recorded in found] == [2, 3]

    async def test_it_goes_live_without_a_seam(self, store: EventStore) -> None:
        """Events appended while it catches up, and after, arrive once and in order."""
        await store.append([event("A", "x") for _ in range(1_200)])

        async def write(number: int) -> None:
            for _ in range(30):
                await store.append([event("A", "x", f"w:{number}"), event("B", "y")])

        reading = asyncio.ensure_future(delivered(store, of("x"), lambda events, _: len(events) == 1_200 + 4 * 30))
        await asyncio.gather(*(write(number) for number in range(4)))
        found, _ = await reading
        told = [recorded.position for recorded in found]
        assert told == [recorded.position for recorded in (await store.read(of("x"))).events]

    async def test_it_waits_for_what_comes(self, store: EventStore) -> None:
        """A subscription to an empty log is woken by the first append."""
        waiting = asyncio.ensure_future(delivered(store, ALL, lambda events, _: bool(events)))
        await asyncio.sleep(0)
        assert not waiting.done()
        await filled(store, "A")
        found, _ = await waiting
        assert [recorded.type for recorded in found] == ["A"]

    async def test_it_tells_how_far_it_is_when_nothing_matches(self, store: EventStore) -> None:
        """The head moves on in an empty slice, so a checkpoint can move too."""
        await filled(store, "A x", "B y", "B y")
        found, head = await delivered(store, of("x"), lambda _, head: head == 3)
        assert (len(found), head) == (1, 3)
        waiting = asyncio.ensure_future(delivered(store, of("x"), lambda _, head: head == 4, after=3))
        await asyncio.sleep(0)
        await filled(store, "B y")
        assert await waiting == ([], 4)

    async def test_several_subscriptions_do_not_disturb_each_other(self, store: EventStore) -> None:
        """Each has its own query and place; one that is left early ends alone."""
        reading = [
            asyncio.ensure_future(delivered(store, query, lambda events, _: len(events) == 20))
            for query in (ALL, of("x"), of(types=("A",)))
        ]
        left = asyncio.ensure_future(delivered(store, of("never"), lambda events, _: bool(events)))
        for number in range(20):
            await store.append([event("A", "x", f"n:{number}")])
        left.cancel()
        for found, _ in await asyncio.gather(*reading):
            assert [recorded.position for recorded in found] == list(range(1, 21))
        await asyncio.gather(left, return_exceptions=True)

    async def test_it_ends_when_the_store_is_closed(self, store: EventStore) -> None:
        """A waiting subscriber is told, and not left waiting."""
        pages = store.subscribe()
        waiting = asyncio.ensure_future(next_page(pages))
        await asyncio.sleep(0)
        await store.close()
        with pytest.raises(StoreClosed):
            await asyncio.wait_for(waiting, _PATIENCE_SECONDS)
