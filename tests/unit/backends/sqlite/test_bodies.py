"""Bodies: what a state is folded from, read at once or not at all, from one snapshot a turn."""

from __future__ import annotations

import asyncio
import threading

import apsw
import pytest

from headwater.backends.sqlite import bodies, lanes
from headwater.backends.sqlite.event_store import open_sqlite
from headwater.errors import StoreCorrupt, StoreIOError
from headwater.event_store import EventQuery, NewEvent, open_store
from headwater.event_store.protocol import ALL, AppendCondition, Conflict

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


@pytest.mark.parametrize("query", [of(types=("A",), tags=("all",)), of(tags=("rare",)), of(types=("A", "B")), ALL])
async def test_bodies_are_what_a_read_finds_without_the_envelope(store, query):
    """Same events, same order, same head; a type stands there by number and has its name beside."""
    await fill(store, 100, rare=(3, 77))
    await store.append([NewEvent("B", b"b", ("all",), version=2), NewEvent("C", b"c", ("rare",))])
    for after in (0, 50, 102):
        found, expected = store.read_bodies(query, after), await store.read(query, after=after)
        rows = [(position, *found.form(form), data) for position, form, data in found.rows]
        assert rows == [(event.position, event.type, event.version, event.data) for event in expected.events]
        assert found.head == expected.head == 102


async def test_bodies_come_at_once_or_not_at_all(store, monkeypatch):
    """Too many events, or too much to look at, are left to a read."""
    await fill(store, 300, rare=(299,))
    assert store.read_bodies(of(tags=("all",)), 0) is None
    assert len(store.read_bodies(of(tags=("all",)), 44).rows) == 256
    monkeypatch.setattr(lanes, "_INLINE_STEPS", 10)
    await asyncio.sleep(0)
    store._lanes._idle.clear()
    assert store.read_bodies(of(types=("A",), tags=("all", "rare")), 0) is None
    assert len((await store.read(of(tags=("all", "rare")))).events) == 1


async def test_a_type_that_is_new_to_the_log_is_in_the_bodies_or_after_their_head(store, monkeypatch):
    """Another process stores the first event of a type after the reader looked that type up."""
    await fill(store, 1)
    made = bodies.bodies_plan

    async def elsewhere():
        async with open_store(f"sqlite:///{store.file.path}") as other:
            await other.append([NewEvent("New", b"", ("all",))])

    def meanwhile(*arguments):
        thread = threading.Thread(target=asyncio.run, args=(elsewhere(),))
        thread.start()
        thread.join()
        return made(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(bodies, "bodies_plan", meanwhile)
        found = store.read_bodies(of(types=("New",), tags=("all",)), 0)
    assert (list(found.rows), found.head) == ([], 1)
    found = store.read_bodies(of(types=("New",), tags=("all",)), 0)
    assert ([row[0] for row in found.rows], found.head) == ([2], 2)


async def test_bodies_of_a_damaged_file_are_a_typed_error(store, monkeypatch):
    """As for a read."""

    def broken(*_arguments, **_columns):
        raise apsw.exception_for(apsw.SQLITE_CORRUPT)

    monkeypatch.setattr(bodies, "bodies_plan", broken)
    with pytest.raises(StoreCorrupt):
        store.read_bodies(ALL, 0)


async def test_reads_of_one_turn_share_a_snapshot_and_the_next_turn_sees_what_was_appended(store):
    """Each append is seen by whoever heard of it; the log can start over, because no snapshot is held on to."""
    await fill(store, 1)
    query = of(types=("A",), tags=("all",))
    for head in range(1, 6):
        found = [store.read_bodies(query, 0) for _ in range(4)]
        assert [(len(one.rows), one.head) for one in found] == [(head, head)] * 4
        await store.append([NewEvent("A", b"", ("all",))])
    await asyncio.sleep(0)
    assert not store._bodies._turns
    assert not any(lane.connection.in_transaction for lane in store._lanes._idle)


async def test_a_turn_that_met_an_error_is_over(store):
    """The next read takes another connection, in the same turn."""
    await fill(store, 3)
    query = of(types=("A",), tags=("all",))
    for _ in range(2):
        store.read_bodies(query, 0)
    store._bodies._turns[asyncio.get_running_loop()].lane.connection.close()
    with pytest.raises(StoreIOError):
        store.read_bodies(query, 0)
    assert len(store.read_bodies(query, 0).rows) == 3


@pytest.fixture
async def known(store):
    """A query whose statement was made before, and an append after that."""
    query = of(types=("A",), tags=("all",))
    await fill(store, 1)
    for _ in range(2):
        store.read_bodies(query, 0)
    await asyncio.sleep(0)
    await fill(store, 1)
    return query


def heads(store, query):
    """What two reads of one turn see, and how many of them were on a reading connection."""
    found = [store.read_bodies(query, 0).head for _ in range(2)]
    turn = store._bodies._turns.get(asyncio.get_running_loop())
    return found, turn.reads if turn else 0


async def test_the_first_read_after_a_commit_is_on_the_connection_that_made_it(store, known):
    """Further ones are not, until the next commit, which may be another store's as well."""
    assert heads(store, known) == ([2, 2], 1)
    await asyncio.sleep(0)
    async with open_store(f"sqlite:///{store.file.path}") as other:
        await other.append([NewEvent("A", b"", ("all",))])
        assert heads(store, known) == ([3, 3], 2)
        await store.append([NewEvent("A", b"", ("all",))])
        await other.append([NewEvent("A", b"", ("all",))])
        await asyncio.sleep(0)
        assert heads(store, known) == ([5, 5], 1)


async def test_the_first_read_after_a_commit_has_what_others_stored_since_that_commit(store, known):
    """Its head is the last event that is sure to be in it, so an append on that condition misses nothing."""
    async with open_store(f"sqlite:///{store.file.path}") as other:
        await other.append([NewEvent("A", b"theirs", ("all",)), NewEvent("A", b"", ("else",))])
    found = store.read_bodies(known, 0)
    assert ([row[0] for row in found.rows], found.head) == ([1, 2, 3], 3)
    async with open_store(f"sqlite:///{store.file.path}") as other:
        await other.append([NewEvent("A", b"theirs", ("all",))])
    assert await store.append([NewEvent("A", b"")], AppendCondition(known, found.head)) == Conflict(5)


async def test_a_writing_connection_that_is_in_use_is_not_waited_for(store, known):
    """Nor one that was dropped after an error."""
    with store._writer._serving:
        assert heads(store, known) == ([2, 2], 2)
    await asyncio.sleep(0)
    await fill(store, 1)
    store._writer._drop()
    assert heads(store, known) == ([3, 3], 2)


async def test_an_error_on_the_writing_connection_is_left_to_the_writer(store, known):
    """Another connection says whether the file can be read."""
    store._writer.ledger.connection.close(force=True)
    assert heads(store, known) == ([2, 2], 2)


async def test_a_long_read_on_the_writing_connection_is_broken_off(store, known, monkeypatch):
    """It goes on in a thread; appends have no such limit."""
    monkeypatch.setattr(lanes, "_INLINE_STEPS", 1)
    async with open_store(f"sqlite:///{store.file.path}") as other:
        await other.append([NewEvent("A", b"", ("all",))])
        monkeypatch.setattr(lanes, "_INLINE_STEPS", 100_000)
        other._bodies._plans = store._bodies._plans
        assert other.read_bodies(known, 0) is None
        assert (await other.append([NewEvent("A", b"", ("all",))])).first == 4


def test_loops_that_ended_in_the_middle_of_a_turn_are_forgotten(tmp_path):
    """Their snapshot would keep the write-ahead log from starting over."""

    async def two_reads(store):
        assert [store.read_bodies(ALL, 0).head for _ in range(2)] == [0, 0]

    ended, last = asyncio.new_event_loop(), asyncio.new_event_loop()
    opened = last.run_until_complete(open_sqlite(f"sqlite:///{tmp_path / 'log.db'}"))
    left = ended.create_task(two_reads(opened))
    left.add_done_callback(lambda _: ended.stop())
    ended.call_soon(ended.stop)
    ended.run_forever()
    ended.close()
    last.run_until_complete(two_reads(opened))
    assert ended not in opened._bodies._turns
    last.run_until_complete(opened.close())
    last.close()
