"""Writers and readers that do everything a store allows, recorded. Read next: bad_histories.py, recorded.py.

Run as a program it is a victim: ``python histories.py URL DIRECTORY WRITERS SEED`` works until it is killed.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from random import Random

from headwater.errors import StoreError
from headwater.event_store import ALL, AppendCondition, EventQuery, EventStore, NewEvent, open_store
from headwater.testing.history import Journal, RecordedStore

ACCOUNTS = 4
_PAUSE_SECONDS = 0.004
_LOOK_BACK = 100
Pause = Callable[[], Awaitable[None]]


class Writer:
    """Reads, decides, appends on condition; sometimes it repeats, gives up waiting, or sends what must be refused."""

    def __init__(self, store: EventStore, name: str, chance: Random, pause: Pause) -> None:
        self._store = store
        self._name = name
        self._chance = chance
        self._pause = pause
        self._turn = self._head = 0
        self._last: NewEvent | None = None

    async def work(self, turns: int | None = None) -> None:
        """So many turns, or for ever."""
        with suppress(StoreError):
            self._head = await self._store.head()
        while turns is None or self._turn < turns:
            self._turn += 1
            await self._pause()
            with suppress(StoreError):  # a read that failed is no evidence of anything
                await self._take_turn()

    async def _take_turn(self) -> None:
        query = self._query()
        if self._chance.random() < 0.2:
            await self._try(self._events(), None)
            return
        seen = await self._read(query)
        await self._pause()
        await self._try(self._events(), AppendCondition(query, seen))

    async def _read(self, query: EventQuery) -> int:
        """Read what is new, with some that is not, or the last few; all of a long log would fill the journal."""
        if self._chance.random() < 0.5:
            found = await self._store.read(query, after=max(0, self._head - _LOOK_BACK))
        else:
            found = await self._store.read(query, backwards=True, limit=self._chance.randint(1, 3))
        self._head = found.head
        return found.head

    async def _try(self, events: list[NewEvent], condition: AppendCondition | None) -> None:
        trick = self._chance.random()
        if trick < 0.05 and self._last is not None:
            events = [self._last, *events]  # an id that is stored already, in another append: refused
        with suppress(StoreError):
            if trick > 0.85:
                await self._give_up_on(events, condition)
            else:
                await self._store.append(events, condition)
                self._last = events[-1]
            if trick > 0.9 or 0.05 < trick < 0.1:
                await self._store.append(events, condition)

    async def _give_up_on(self, events: list[NewEvent], condition: AppendCondition | None) -> None:
        """Stop waiting for the answer: whether it was stored is unknown."""
        waiting = asyncio.ensure_future(self._store.append(events, condition))
        await asyncio.sleep(0)
        await self._pause()
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting

    def _events(self) -> list[NewEvent]:
        account = f"account:{self._chance.randrange(ACCOUNTS)}"
        tags = (account, f"idempotency:{self._name}-{self._turn}")
        kinds = self._chance.choices(("Paid", "Received"), k=self._chance.randint(1, 4))
        return [NewEvent(kind, b'{"by":"%s"}' % self._name.encode(), tags) for kind in kinds]

    def _query(self) -> EventQuery:
        one, other = self._chance.sample(range(ACCOUNTS), 2)
        query = EventQuery.of(tags=(f"account:{one}",))
        shape = self._chance.random()
        if shape < 0.1:
            return ALL
        if shape < 0.4:
            return query | EventQuery.of(types=("Paid",), tags=(f"account:{other}",))
        return EventQuery.of(types=("Received",)) if shape < 0.45 else query


async def follow(store: EventStore, query: EventQuery = ALL) -> None:
    """Be a subscriber, until cancelled; what breaks off is begun anew from where it was."""
    after = None
    while True:
        with suppress(StoreError):
            after = await store.head() if after is None else after
            async for news in store.subscribe(query, after=after):
                after = news.head
        await asyncio.sleep(_PAUSE_SECONDS)


async def _work_for_ever(url: str, directory: Path, writers: int, seed: int) -> None:
    chance = Random(seed)
    journal = Journal(directory)

    async def pause() -> None:
        await asyncio.sleep(chance.random() * _PAUSE_SECONDS)

    while True:
        with suppress(StoreError):  # whoever disturbs may cut the connection that is just being opened, too
            async with open_store(url) as opened:
                store = RecordedStore(opened, journal)
                await asyncio.gather(
                    follow(store, EventQuery.of(tags=("account:0",))),
                    *(Writer(store, f"{journal.name}-{number}", chance, pause).work() for number in range(writers)),
                )
        await asyncio.sleep(_PAUSE_SECONDS)


if __name__ == "__main__":
    asyncio.run(_work_for_ever(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
