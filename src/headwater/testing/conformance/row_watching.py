"""Others learn of commits, and cheaply of none. Reads: read_backend.py. Read next: row_finding.py."""

from __future__ import annotations

import asyncio

import pytest

from headwater.errors import StoreClosed
from headwater.read_store import ReadStore
from headwater.testing.conformance.read_backend import ReadBackend
from headwater.testing.conformance.read_samples import ARTICLES, SEATS, Article, put

_PATIENCE_SECONDS = 20


async def told(store: ReadStore) -> None:
    """Return when the store says that there may be news."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while not store.news.heard():
            await store.news.wait()


class RowWatching(ReadBackend):
    """``ReadStore.news``, and ``ranges_at_hand``."""

    async def test_the_first_time_there_is_something_new(self, store: ReadStore) -> None:
        """Nobody knows what was committed before."""
        assert store.news.heard()

    async def test_each_commit_is_news(self, store: ReadStore) -> None:
        """Also one of the same process, and a reset."""
        for number in range(3):
            await told(store)
            await put(store, ARTICLES, Article(code=f"a{number}"))
        await told(store)
        await store.reset("Articles")
        await told(store)

    async def test_a_commit_by_another_store_is_news(self, location: str, store: ReadStore) -> None:
        """In this process or in another: it is heard while one waits for it."""
        self.needs("multi_process")
        await told(store)
        async with self.open(location) as other:
            await other.prepare([ARTICLES, SEATS])
            for number in range(3):
                waiting = asyncio.create_task(self._position_beyond(store, number))
                await put(other, ARTICLES, Article(code=f"a{number}"))
                await waiting

    async def test_ranges_at_hand_are_never_older_than_a_look(self, location: str, store: ReadStore) -> None:
        """A store that cannot tell without waiting says so; whoever committed, and whatever is read from then on."""
        self.needs("multi_process")
        async with self.open(location) as other:
            await other.prepare([ARTICLES, SEATS])
            for number in range(3):
                assert store.ranges_at_hand() in (None, await store.ranges())
                await put((store, other)[number % 2], ARTICLES, Article(code=f"a{number}"))
                assert store.ranges_at_hand() in (None, await other.ranges())
        store.serve(ARTICLES.projection, ARTICLES.version, 1)
        assert store.ranges_at_hand() in (None, await store.ranges())

    async def _position_beyond(self, store: ReadStore, position: int) -> None:
        while (await store.checkpoints())["Articles"].position <= position:
            await told(store)

    async def test_who_watches_is_woken_when_the_store_is_closed(self, store: ReadStore) -> None:
        """And learns at its next look at rows, if not before, that it is."""
        await told(store)
        waiting = asyncio.create_task(_told_and_looking(store))
        await asyncio.sleep(0)
        await store.close()
        with pytest.raises(StoreClosed):
            await waiting


async def _told_and_looking(store: ReadStore) -> None:
    await told(store)
    await store.checkpoints()
