"""Indexes that are filled some events behind the log: what is asked of them stays exact."""

from __future__ import annotations

import asyncio
from contextlib import closing
from uuid import uuid4

import apsw
import msgspec
import pytest

from headwater.backends.sqlite.connection import SqliteFile, connect
from headwater.backends.sqlite.late_indexes import EVENTS_BEHIND
from headwater.backends.sqlite.schema import prepare
from headwater.backends.sqlite.writer import EVENT_LOG_SCHEMA
from headwater.errors import DuplicateEventId
from headwater.event_store import AppendCondition, Appended, Conflict, EventQuery, NewEvent, open_store

of = EventQuery.of
TYPES = ("A", "B", "C")
ENOUGH = EVENTS_BEHIND * 5 // 2
"""So many events that some are indexed and some are not."""


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'log.db'}"


def new(number):
    return NewEvent(TYPES[number * number % 3], b"%d" % number, (f"n:{number % 5}",))


async def fill(store, count=ENOUGH):
    """Append events one by one, and return them."""
    events = [new(number) for number in range(count)]
    for event in events:
        await store.append([event])
    return events


def indexed(tmp_path):
    """How far the indexes are, and how many entries each has."""
    with closing(apsw.Connection(str(tmp_path / "log.db"))) as connection:
        counts = (
            "SELECT position, (SELECT count(*) FROM event_ids), (SELECT count(*) FROM event_types) FROM indexed_up_to"
        )
        return connection.execute(counts).get


async def test_one_append_in_many_fills_them(url, tmp_path):
    """What is behind is less than that many events."""
    async with open_store(url) as store:
        await fill(store, EVENTS_BEHIND - 1)
        assert indexed(tmp_path) == (0, 0, 0)
        await store.append([new(1)])
        assert indexed(tmp_path) == (EVENTS_BEHIND,) * 3
        await store.append([new(number) for number in range(ENOUGH)])
        assert indexed(tmp_path) == (EVENTS_BEHIND + ENOUGH,) * 3


@pytest.mark.parametrize("types", [("A",), ("B", "C"), ("A", "D")])
@pytest.mark.parametrize("backwards", [False, True])
async def test_reads_by_type_see_both_parts_once_and_in_order(url, types, backwards):
    """Wherever they begin, and wherever a limit ends them."""
    async with open_store(url) as store:
        await store.append([NewEvent("A", b"first")])
        await fill(store)
        everything = (await store.read()).events
        mark = EVENTS_BEHIND * 2
        for after in (0, mark - 3, mark, mark + 3, len(everything)):
            wanted = [event for event in everything if event.type in types and event.position > after]
            for limit in (1, 7, None):
                found = await store.read(of(types=types), after=after, limit=limit, backwards=backwards)
                assert found.events == (wanted[::-1] if backwards else wanted)[:limit]


@pytest.mark.parametrize("at", [0, EVENTS_BEHIND, ENOUGH - 1])
async def test_a_repeated_append_gets_its_first_outcome(url, at):
    """Indexed or not, by this store, by another one on the file, and after it was opened again."""
    async with open_store(url) as store, open_store(url) as other:
        events = await fill(store)
        for asked in (store, other):
            again = await asked.append([events[at]], AppendCondition(of(types=TYPES)))
            assert again == Appended(at + 1, at + 1, replayed=True)
    async with open_store(url) as store:
        assert (await store.append([events[at]])).replayed
        with pytest.raises(DuplicateEventId):
            await store.append([new(1), events[at]])
        assert await store.head() == ENOUGH


async def test_the_same_append_twice_in_one_batch_is_stored_once(url):
    """The second of them is the repeat."""
    event = NewEvent("A", b"")
    async with open_store(url) as store:
        first, second, _ = await asyncio.gather(*(store.append([given]) for given in (event, event, new(1))))
    assert (first, second) == (Appended(1, 1), Appended(1, 1, replayed=True))


async def test_ids_in_no_order_are_told_apart(url):
    """An id below the greatest is looked up, and found only if it is there."""
    events = [NewEvent("A", b"", id=uuid4()) for _ in range(ENOUGH)]
    async with open_store(url) as store, open_store(url) as other:
        for number, event in enumerate(events, start=1):
            assert await (store, other)[number % 2].append([event]) == Appended(number, number)
        for number, event in enumerate(events, start=1):
            assert await store.append([event]) == Appended(number, number, replayed=True)


async def test_a_condition_by_type_sees_what_another_store_appended(url):
    """Before and after that was indexed."""
    async with open_store(url) as store, open_store(url) as other:
        for number in range(1, ENOUGH):
            await other.append([NewEvent("A", b"")])
            condition = AppendCondition(of(types=("A",)), after=number - 1)
            assert await store.append([NewEvent("B", b"")], condition) == Conflict(number)


def of_version_1(tmp_path, count):
    """A file as version 1 left it, and the SQL of that version for one more event."""
    file = SqliteFile(path=str(tmp_path / "log.db"))
    connection = connect(file)
    prepare(connection, msgspec.structs.replace(EVENT_LOG_SCHEMA, version=1), file)
    insert = "INSERT INTO events (position, recorded_us, type, version, id, tags, metadata, data) VALUES"
    connection.execute("INSERT INTO types VALUES (1, 'A'), (2, 'B')")
    for position in range(1, count + 1):
        values = (position, 1 + position % 2, position.to_bytes(16, "big"))
        connection.execute(f"{insert} (?, 0, ?, 1, ?, '', x'7b7d', x'')", values)
    return connection, f"{insert} ({count + 1}, 0, 1, 1, x'00', '', x'7b7d', x'')"


async def test_a_log_of_version_1_is_indexed_when_it_is_migrated(url, tmp_path):
    """Its events are found by type, and its ids are known."""
    of_version_1(tmp_path, 9)[0].close()
    async with open_store(url) as store:
        assert indexed(tmp_path) == (9, 9, 9)
        found = await store.read(of(types=("A",)))
        assert [event.position for event in found.events] == [2, 4, 6, 8]
        assert await store.append([NewEvent("A", b"", id=found.events[1].id)]) == Appended(4, 4, replayed=True)
        assert await store.append([NewEvent("B", b"")]) == Appended(10, 10)


async def test_who_has_version_1_open_can_no_longer_append(url, tmp_path):
    """It trusts that an index refuses an id that is stored already, and there is none any more."""
    connection, insert = of_version_1(tmp_path, 3)
    async with open_store(url) as store:
        with pytest.raises(apsw.SQLError, match="no column named id"):
            connection.execute(insert)
        connection.close()
        assert await store.head() == 3
