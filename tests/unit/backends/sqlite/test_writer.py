"""The writer: group commit, several writers on a file, and failing disks."""

from __future__ import annotations

import asyncio
import threading

import apsw
import pytest

from headwater.backends.sqlite import ledger, writer
from headwater.errors import OutcomeUnknown, StoreBusy, StoreFull, StoreIOError
from headwater.event_store import AppendCondition, Appended, Conflict, EventQuery, NewEvent, open_store
from headwater.event_store.protocol import ALL

of = EventQuery.of


def event(*tags):
    return NewEvent("A", b"", tags)


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'log.db'}"


class Faulty:
    """A connection that fails once at a chosen statement."""

    faults: dict[str, int] = {}
    seen: list[str] = []

    def __init__(self, connection):
        self._connection = connection

    def __getattr__(self, name):
        return getattr(self._connection, name)

    def cursor(self):
        return Faulty(self._connection.cursor())

    def execute(self, statements, *bindings):
        self.seen.append(statements)
        for start, code in list(self.faults.items()):
            if statements.startswith(start):
                del self.faults[start]
                raise apsw.exception_for(code)
        return self._connection.execute(statements, *bindings)


@pytest.fixture
def faults(monkeypatch):
    """Statements that will fail once, by their first words, with a result code."""
    real = writer.connect
    monkeypatch.setattr(writer, "connect", lambda file: Faulty(real(file)))
    monkeypatch.setattr(Faulty, "faults", {})
    monkeypatch.setattr(Faulty, "seen", [])
    return Faulty.faults


async def test_appends_of_one_turn_are_one_transaction(url, faults):
    """A hundred callers, one commit."""
    async with open_store(url) as store:
        await store.append([event()])
        Faulty.seen.clear()
        await asyncio.gather(*(store.append([event(f"n:{number}")]) for number in range(100)))
        assert Faulty.seen.count("COMMIT") == 1


@pytest.mark.parametrize(
    ("at", "code", "expected"),
    [
        ("INSERT INTO events", apsw.SQLITE_FULL, StoreFull),
        ("INSERT INTO events", apsw.SQLITE_IOERR_WRITE, StoreIOError),
        ("COMMIT", apsw.SQLITE_FULL, StoreFull),
        ("COMMIT", apsw.SQLITE_IOERR_FSYNC, OutcomeUnknown),
        ("BEGIN", apsw.SQLITE_BUSY, StoreBusy),
        ("BEGIN", apsw.SQLITE_IOERR_READ, StoreIOError),
    ],
)
async def test_an_error_of_the_disk_fails_the_batch_and_not_the_store(url, faults, at, code, expected):
    """Each caller is told, nothing is stored, and the next append goes through without opening the store again."""
    async with open_store(url) as store:
        await store.append([event("x")])
        faults[at] = code
        condition = AppendCondition(of(tags=("y",)))
        tasks = (store.append([event("y")], condition), store.append([event("z")]))
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [expected, expected]
        assert outcomes[0] is not outcomes[1]
        assert await store.head() == 1
        assert await store.append([event("y")], condition) == Appended(2, 2)
        assert await store.append([event("y")], condition) == Conflict(2)


async def test_an_outcome_left_open_is_settled_by_repeating(url, faults):
    """Whether or not the commit happened, the repeat stores the events once."""
    new = [event("x")]
    async with open_store(url) as store:
        faults["COMMIT"] = apsw.SQLITE_IOERR_FSYNC
        with pytest.raises(OutcomeUnknown) as unknown:
            await store.append(new)
        assert "same event ids" in unknown.value.remedy
        assert (await store.append(new)).first == 1
        assert await store.head() == 1


async def test_a_file_that_cannot_be_opened_again_is_tried_with_each_append(url, faults, monkeypatch):
    """The store works again when the cause is gone."""
    async with open_store(url) as store:
        real, faults["COMMIT"] = writer.connect, apsw.SQLITE_IOERR_WRITE

        def gone(file):
            raise StoreIOError("the disk is not there", remedy="plug it in", path=file.path)

        monkeypatch.setattr(writer, "connect", gone)
        with pytest.raises(OutcomeUnknown):
            await store.append([event()])
        for _ in range(2):
            with pytest.raises(StoreIOError) as refusal:
                await store.append([event()])
            assert refusal.value.remedy == "plug it in"
        monkeypatch.setattr(writer, "connect", real)
        assert await store.append([event()]) == Appended(1, 1)


async def test_a_fault_of_the_writer_itself_is_told_and_survived(url, monkeypatch):
    """The thread lives on, whatever was raised in it."""
    async with open_store(url) as store:
        with monkeypatch.context() as patch:
            patch.setattr(ledger.Ledger, "append", lambda *_: 1 / 0)
            with pytest.raises(StoreIOError) as refusal:
                await store.append([event()])
        assert isinstance(refusal.value.__cause__, ZeroDivisionError)
        assert await store.append([event()]) == Appended(1, 1)


async def test_a_lock_held_elsewhere_is_waited_for_and_then_reported(url, tmp_path):
    """Nothing is stored, and the next append goes through."""
    async with open_store(f"{url}?busy_timeout=0.05") as store:
        await store.append([event()])
        holder = apsw.Connection(str(tmp_path / "log.db"))
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            await store.append([event()])
        holder.execute("ROLLBACK")
        holder.close()
        assert await store.append([event()]) == Appended(2, 2)


async def test_closing_leaves_one_file_and_no_thread(url, tmp_path):
    """The write-ahead log is folded in, and the writer is gone."""
    async with open_store(url) as store:
        await store.append([event()])
        await store.read(ALL)
    assert [path.name for path in tmp_path.iterdir()] == ["log.db"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("headwater-writer")]


async def test_tags_that_fell_out_of_memory_are_looked_up_again(url, monkeypatch):
    """Conditions stay exact with a ledger that remembers next to nothing."""
    monkeypatch.setattr(ledger, "_TAGS_KEPT", 4)
    async with open_store(url) as store:
        for number in range(30):
            tag = f"n:{number}"
            assert isinstance(await store.append([event(tag)], AppendCondition(of(tags=(tag,)))), Appended)
        for number in range(30):
            outcome = await store.append([event()], AppendCondition(of(tags=(f"n:{number}",))))
            assert outcome == Conflict(number + 1)


async def test_much_news_from_another_writer_is_caught_up_with(url, monkeypatch):
    """Few events are read one by one; after many, memory starts afresh."""
    monkeypatch.setattr(ledger, "_NEWS_READ", 3)
    async with open_store(url) as store, open_store(url) as other:
        for count in (1, 2, 3, 4, 9):
            head = (await other.append([event("theirs") for _ in range(count)])).last
            condition = AppendCondition(of(tags=("theirs",)), head - 1)
            assert await store.append([event("mine")], condition) == Conflict(head)
            assert isinstance(
                await store.append([event("mine")], AppendCondition(of(tags=("theirs",)), head)), Appended
            )


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 255, 256, 257, 1_000])
def test_batches_are_cut_into_few_sizes(rows):
    """Powers of two, the largest first, so that statements stay prepared."""
    sizes = ledger._sizes(rows)
    assert sum(sizes) == rows
    assert all(size & (size - 1) == 0 and size <= 256 for size in sizes)
    assert sizes == sorted(sizes, reverse=True)
