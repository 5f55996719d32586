"""Pages that are bounded in bytes: in every store whose events lie elsewhere than in memory."""

from __future__ import annotations

import pytest

from headwater.errors import StoreClosed
from headwater.event_store import NewEvent, open_store
from headwater.event_store.checking import BYTES_BESIDES_PAYLOAD
from headwater.event_store.memory import MemoryEventStore
from headwater.event_store.paging import Measured, read_page

SIZES = [10, 3_000, 20, 50_000, 0, 2_000_000, 30]


@pytest.fixture(params=["sqlite", "postgres"])
async def store(request, tmp_path):
    """A log with events of very different sizes."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else f"sqlite:///{tmp_path}/log.db"
    async with open_store(url) as opened:
        await fill(opened)
        yield opened


async def fill(store):
    """Append the events, each by itself."""
    for size in SIZES:
        await store.append([NewEvent("Sized", bytes([7]) * size, ("n:1", "ü:2"), metadata=b'{"a":1}')])


async def pages(store, **bounds):
    """The positions of each page, from the first to the last."""
    found, after = [], 0
    while events := await read_page(store, after=after, **bounds):
        found.append([event.position for event in events])
        after = events[-1].position
    return found


async def test_a_store_says_how_large_events_are(store):
    """Data, metadata and tags in bytes, of so many events, from any place on."""
    besides = len(b'{"a":1}') + len("n:1\x1fü:2".encode())
    assert isinstance(store, Measured)
    assert await store.sizes(0, 100) == [size + besides for size in SIZES]
    assert await store.sizes(3, 2) == [size + besides for size in SIZES[3:5]]
    assert await store.sizes(7, 5) == []


async def test_a_page_ends_before_it_is_too_large(store):
    """What is larger than a page comes alone; a page in which nothing is left out is as long as it may be."""
    assert await pages(store, limit=100) == [[1, 2, 3, 4, 5, 6, 7]]
    assert await pages(store, limit=3) == [[1, 2, 3], [4, 5, 6], [7]]
    assert await pages(store, limit=100, limit_bytes=60_000) == [[1, 2, 3, 4, 5], [6], [7]]
    assert await pages(store, limit=100, limit_bytes=1) == [[1], [2], [3], [4], [5], [6], [7]]


async def test_many_small_events_are_not_taken_for_little(store):
    """Each costs something besides what it says."""
    said = sum(await store.sizes(0, 2))
    assert (await pages(store, limit=2, limit_bytes=said))[0] == [1]
    assert (await pages(store, limit=2, limit_bytes=said + 2 * BYTES_BESIDES_PAYLOAD))[0] == [1, 2]


async def test_events_in_memory_are_not_measured():
    """They are there already, and a page of them takes nothing."""
    store = MemoryEventStore()
    await fill(store)
    assert await pages(store, limit=100, limit_bytes=1) == [[1, 2, 3, 4, 5, 6, 7]]


async def test_a_closed_store_measures_nothing(store):
    """As it reads nothing."""
    await store.close()
    with pytest.raises(StoreClosed):
        await store.sizes(0, 1)
