"""Copies a log to another store: the same positions, ids, times and bytes, and proves that they are.

Reads: chain.py, event_store/replica.py. Read next: cli/verbs/replicate.py (the verb).

There is no checkpoint to lose: the target's own head says where to go on. What is there already is compared event by
event before anything is written, what was copied is read back, and both logs' hash chains must end alike. So it may be
stopped at any moment, even by ``kill -9``, and started again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from itertools import zip_longest
from typing import Protocol

import msgspec

from headwater.errors import OtherHistory, StoreCorrupt, UnsupportedUrl
from headwater.event_store.paging import PAGE_BYTES, read_page
from headwater.event_store.protocol import EventQuery, EventStore, RecordedEvent
from headwater.event_store.replica import Replica
from headwater.integration.chain import Chain, slices

Moved = Callable[[int, int | None], None]
BATCH = 1_000
_NOTHING = EventQuery.of(types=("headwater.nothing",))
"""Who subscribes to it hears that the log goes on, and is given no events, of which a page may be of any size."""


class ReplicaStore(EventStore, Replica, Protocol):
    """An event store that can hold a copy of another log."""


class Replication(msgspec.Struct, frozen=True):
    """How far a copy is: the target's ``head``, how many events were there already and how many came now.

    ``chain`` is the hash of both logs up to ``head``, computed from what each of them gave back.
    """

    compared: int
    copied: int
    chain: Chain

    @property
    def head(self) -> int:
        """The last position that both logs have."""
        return self.chain.position


async def replicate(
    source: EventStore,
    target: EventStore,
    *,
    batch: int = BATCH,
    batch_bytes: int = PAGE_BYTES,
    follow: asyncio.Event | None = None,
    moved: Moved = lambda _done, _total: None,
) -> Replication:
    """Bring the target to the source's head of now; with ``follow``, go on with what comes until that event is set.

    At most ``batch`` events are one transaction, fewer where these have more than ``batch_bytes``; a larger one goes
    alone. ``moved(done, total)`` tells progress. Raises ``OtherHistory`` if the target is no prefix of the source or
    somebody else writes to it, ``UnsupportedUrl`` if it cannot hold a copy.
    """
    copy = _Copy(source, as_replica(target), batch, batch_bytes, moved)
    await copy.compare()
    await copy.bring_to(await source.head())
    if follow is not None:
        await copy.follow_until(follow)
    return copy.outcome()


def as_replica(store: EventStore) -> ReplicaStore:
    """The store as one that can hold a copy. Raises ``UnsupportedUrl``."""
    if isinstance(store, Replica):
        return store
    name = store.capabilities.name
    raise UnsupportedUrl(f"{name} cannot hold a copy of a log", remedy="replicate to another backend", backend=name)


class _Copy:
    """One run: two stores, and the chain of each as far as they were read."""

    def __init__(self, source: EventStore, target: ReplicaStore, batch: int, batch_bytes: int, moved: Moved) -> None:
        self._source = source
        self._target = target
        self._batch = batch
        self._batch_bytes = batch_bytes
        self._moved = moved
        self._chain = self._target_chain = Chain()
        self._compared = 0

    async def compare(self) -> None:
        """Hold what the target has against the source. Nothing is written before all of it is the same."""
        head, target_head = await self._source.head(), await self._target.head()
        if target_head > head:
            raise OtherHistory(f"the target is ahead: it has {target_head} events, the source {head}", head=head)
        await self._glance(target_head)
        async for events in self._pages(target_head):
            await self._hold_against_target(events)
            self._moved(self._chain.position, target_head)
        self._compared = target_head

    async def bring_to(self, head: int) -> None:
        """Copy everything up to that position."""
        async for events in self._pages(head):
            await self._take(events)
            self._moved(self._chain.position, head)

    async def follow_until(self, stop: asyncio.Event) -> None:
        """Copy what comes, as it comes. A stop lets the batch under way come to its end."""
        stopped = asyncio.ensure_future(stop.wait())
        news = aiter(self._source.subscribe(_NOTHING, after=self._chain.position))
        try:
            while not stop.is_set():
                coming = asyncio.ensure_future(anext(news))
                await asyncio.wait((stopped, coming), return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    coming.cancel()
                    await asyncio.wait((coming,))
                    return
                async for events in self._pages((await coming).head):
                    await self._take(events)
                    self._moved(self._chain.position, None)
                    if stop.is_set():
                        break
        finally:
            stopped.cancel()

    def outcome(self) -> Replication:
        """What was done. Raises ``StoreCorrupt`` if the two chains differ after all."""
        if self._chain != self._target_chain:
            raise StoreCorrupt(f"the chains differ: {self._chain} in the source, {self._target_chain} in the target")
        return Replication(self._compared, self._chain.position - self._compared, self._chain)

    async def _glance(self, last: int) -> None:
        """The last event they should have in common tells most strangers without reading everything."""
        if last:
            ours = await self._source.read(after=last - 1, limit=1)
            theirs = await self._target.read(after=last - 1, limit=1)
            _same(ours.events, theirs.events)

    def _pages(self, until: int) -> AsyncIterator[Sequence[RecordedEvent]]:
        """The source's events from here up to that position."""
        after = self._chain.position
        return slices(self._source, after=after, until=until, size=self._batch, size_bytes=self._batch_bytes)

    async def _take(self, events: Sequence[RecordedEvent]) -> None:
        """Copy a batch and read it back."""
        await self._target.copy(events)
        await self._hold_against_target(events)

    async def _hold_against_target(self, events: Sequence[RecordedEvent]) -> None:
        """Compare these events with what the target has at their places, which may be larger and take several pages."""
        at = 0
        while at < len(events):
            after, left = events[at].position - 1, len(events) - at
            theirs = await read_page(self._target, after=after, limit=left, limit_bytes=self._batch_bytes)
            self._agree(events[at : at + max(1, len(theirs))], theirs)
            at += len(theirs)

    def _agree(self, ours: Sequence[RecordedEvent], theirs: Sequence[RecordedEvent]) -> None:
        chain, target_chain = self._chain.and_then(ours), self._target_chain.and_then(theirs)
        if chain != target_chain:
            _same(ours, theirs)
        self._chain, self._target_chain = chain, target_chain


def _same(ours: Sequence[RecordedEvent], theirs: Sequence[RecordedEvent]) -> None:
    for our, their in zip_longest(ours, theirs):
        if our != their:
            position = (our or their).position
            raise OtherHistory(f"the target has another event at {position} than the source", position=position)
