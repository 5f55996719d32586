"""Reads of many commands as few reads of the store: what is asked for while the store is busy goes there together.

Reads: event_store/protocol.py. Read next: idempotency.py, loading.py (whose first reads go through here).

Each command that carries an idempotency key, and each that meets a boundary for the first time, begins with a read of
a few events. Over a network the way there and back takes far longer than the read. A store that answers at once, as a
file does, is never busy, so there each read goes by itself.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TypeAlias

from headwater.errors import StoreError
from headwater.event_store.primary import Primary
from headwater.event_store.protocol import EventQuery, EventStore, QueryItem, RecordedEvent, Slice

_UNDER_WAY = 2
_LONGEST_WAIT_SECONDS = 0.005
_QUERIES_A_READ = 128
_EVENTS_A_READ = 4096

_Waiting: TypeAlias = "tuple[QueryItem, int | None, asyncio.Future[Slice | None]]"


class GatheredReads:
    """Reads of one store, for the commands of one event loop."""

    def __init__(self, store: EventStore) -> None:
        self._read = store.read_primary if isinstance(store, Primary) else store.read
        self._under_way = 0
        self._waiting: list[_Waiting] = []
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def read(self, query: EventQuery, *, after: int = 0, limit: int | None = None) -> Slice:
        """As ``EventStore.read``. Reads of one tag from the beginning may be gathered; all others go directly."""
        if self._under_way >= _UNDER_WAY and after == 0 and (item := _only_tag(query)) is not None:
            future: asyncio.Future[Slice | None] = asyncio.get_running_loop().create_future()
            if not self._waiting:  # slow reads under way hold up nobody for long
                self._timer = asyncio.get_running_loop().call_later(_LONGEST_WAIT_SECONDS, self._go)
            self._waiting.append((item, limit, future))
            found = await future
            if found is not None:
                return found
        self._under_way += 1
        try:
            return await self._read(query, after=after, limit=limit)
        finally:
            self._done()

    def _done(self) -> None:
        """One read less: who waits may go."""
        self._under_way -= 1
        if self._waiting and self._under_way < _UNDER_WAY:
            self._go()

    def _go(self) -> None:
        """Whoever waits goes, all together."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), _QUERIES_A_READ):
            self._under_way += 1
            task = asyncio.get_running_loop().create_task(self._read_for(waiting[start : start + _QUERIES_A_READ]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _read_for(self, batch: list[_Waiting]) -> None:
        """One read for all of them. If it fails, or finds too much, each is told to read for itself."""
        found: Slice | None = None
        query = EventQuery(tuple(dict.fromkeys(item for item, _, _ in batch)))
        try:
            with suppress(StoreError):  # each that reads for itself meets it, if it is still there
                found = await self._read(query, limit=_EVENTS_A_READ)
        finally:
            self._done()
            _share(batch, found)


def _only_tag(query: EventQuery) -> QueryItem | None:
    """The one item of a query, if it has one tag."""
    if len(query.items) == 1 and len(query.items[0].tags) == 1:
        return query.items[0]
    return None


def _share(batch: list[_Waiting], found: Slice | None) -> None:
    """Give each what it asked for, as far as that was read."""
    if found is not None and len(found.events) >= _EVENTS_A_READ:
        found = None
    by_tag: dict[str, list[RecordedEvent]] = {item.tags[0]: [] for item, _, _ in batch}
    for event in found.events if found is not None else ():
        for tag in event.tags:
            if tag in by_tag:
                by_tag[tag].append(event)
    for item, limit, future in batch:
        if future.done():  # its command was given up
            continue
        if found is None:
            future.set_result(None)
            continue
        events = by_tag[item.tags[0]]
        if item.types:
            events = [event for event in events if event.type in item.types]
        future.set_result(Slice(events[:limit], found.head))
