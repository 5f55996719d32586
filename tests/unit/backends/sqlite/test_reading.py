"""Reads of the event log: short ones in place, long ones elsewhere, each from one snapshot."""

from __future__ import annotations

import asyncio
import threading

import apsw
import pytest

from headwater.backends.sqlite import lanes, reading
from headwater.errors import StoreCorrupt, StoreIOError
from headwater.event_store import EventQuery, NewEvent, open_store
from headwater.event_store.protocol import ALL

of = EventQuery.of


@pytest.fixture
async def store(tmp_path):
    async with open_store(f"sqlite:///{tmp_path / 'log.db'}") as opened:
        yield opened


async def fill(store, count, *, rare=()):
    """Events tagged ``all``, and those at the rare positions ``rare`` too."""
    await store.append(
        [NewEvent("A", b"", ("all", "rare") if number in rare else ("all",)) for number in range(1, count + 1)]
    )


@pytest.fixture
def threads(monkeypatch):
    """The names of the threads that made events."""
    names, make = [], reading.EventReader._events

    def noting(self, lane, rows):
        names.append(threading.current_thread() is threading.main_thread())
        return make(self, lane, rows)

    monkeypatch.setattr(reading.EventReader, "_events", noting)
    return names


async def test_a_short_read_stays_on_the_loops_thread(store, threads):
    """No hop to another thread for a handful of events, nor for a limit that was reached."""
    await fill(store, 300)
    await store.read(of(tags=("all",)), limit=256)
    await store.read(of(tags=("all",)), after=200)
    assert threads == [True, True]


async def test_a_long_read_goes_on_in_a_worker_thread(store, threads):
    """The first events are made in place, the rest elsewhere, and all arrive."""
    await fill(store, 1_000)
    found = await store.read(of(tags=("all",)))
    assert [event.position for event in found.events] == list(range(1, 1_001))
    assert threads == [True, False]


async def test_a_read_that_finds_little_in_much_is_moved_to_a_worker_thread(store, threads, monkeypatch):
    """It is broken off when its budget of steps is spent, and its answer is the same."""
    monkeypatch.setattr(lanes, "_INLINE_STEPS", 100)
    await fill(store, 3_000, rare={2_999})
    found = await store.read(of(tags=("all", "rare")))
    assert [event.position for event in found.events] == [2_999]
    assert threads[-1] is False


async def test_a_long_read_is_of_one_snapshot(store):
    """What is appended while it goes on is not in it, and not in its head."""
    await fill(store, 2_000)
    reading_all = asyncio.ensure_future(store.read(ALL))
    await asyncio.sleep(0)
    await fill(store, 500)
    found = await reading_all
    assert found.events[-1].position == found.head
    assert (await store.read(ALL)).head == 2_500


async def test_a_cancelled_long_read_leaves_the_store_well(store):
    """Its connection comes back when the thread is done."""
    await fill(store, 3_000)
    for _ in range(20):
        task = asyncio.ensure_future(store.read(ALL))
        await asyncio.sleep(0)
        task.cancel()
    assert len((await store.read(ALL)).events) == 3_000
    assert len(store._lanes._idle) <= 8


async def test_a_type_that_another_store_made_is_learned(store, tmp_path):
    """Names are looked up in the snapshot that is read."""
    await fill(store, 1)
    await store.read(ALL)
    async with open_store(f"sqlite:///{tmp_path / 'log.db'}") as other:
        await other.append([NewEvent("New", b"")])
    assert [event.type for event in (await store.read(ALL)).events] == ["A", "New"]
    assert [event.position for event in (await store.read(of(types=("New",)))).events] == [2]


@pytest.mark.parametrize(("code", "expected"), [(apsw.SQLITE_CORRUPT, StoreCorrupt), (apsw.SQLITE_IOERR, StoreIOError)])
async def test_an_error_of_the_driver_is_typed_and_its_connection_dropped(store, monkeypatch, code, expected):
    """The next read opens a new one."""
    await fill(store, 1)
    await store.head()

    class Broken:
        def execute(self, *_):
            raise apsw.exception_for(code)

        def close(self, **_):
            pass

    for verb in (lambda: store.read(ALL), store.head, lambda: store.load_snapshot("k")):
        store._lanes._idle[-1].connection.close()
        store._lanes._idle[-1].connection = Broken()
        with pytest.raises(expected):
            await verb()
        assert await store.head() == 1
