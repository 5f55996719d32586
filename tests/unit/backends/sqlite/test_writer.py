"""The writer: group commit, several writers on a file, and failing disks."""

from __future__ import annotations

import asyncio
import threading

import apsw
import pytest

from headwater.backends.sqlite import event_store as sqlite_event_store
from headwater.backends.sqlite import ledger, pace, writer
from headwater.errors import OutcomeUnknown, StoreBusy, StoreFull, StoreIOError
from headwater.event_store import AppendCondition, Appended, Conflict, EventQuery, NewEvent, open_store
from headwater.event_store.protocol import ALL

of = EventQuery.of


def event(*tags):
    return NewEvent("A", b"", tags)


@pytest.fixture(params=["auto", "thread"])
def url(tmp_path, request):
    """A log whose commits are waited for by the event loop while that is quick, or always by the writer's thread."""
    return f"sqlite:///{tmp_path / 'log.db'}?commits={request.param}"


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
    async with open_store(f"{url}&busy_timeout=0.05") as store:
        await store.append([event()])
        holder = apsw.Connection(str(tmp_path / "log.db"))
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy):
            await store.append([event()])
        holder.execute("ROLLBACK")
        holder.close()
        assert await store.append([event()]) == Appended(2, 2)


async def test_a_loop_leaves_it_to_the_thread_to_wait_for_a_lock(url, faults):
    """Held for a moment, the file costs the caller nothing but that moment; the loop is not blocked."""
    async with open_store(url) as store:
        await store.append([event()])
        if "commits=auto" in url:
            faults["BEGIN"] = apsw.SQLITE_BUSY
        assert await store.append([event()]) == Appended(2, 2)
        assert not faults


async def test_an_interrupt_in_the_middle_leaves_the_store_usable(tmp_path, monkeypatch):
    """Who waits is told that the outcome is unknown; the next append opens the file anew."""
    async with open_store(f"sqlite:///{tmp_path / 'log.db'}") as store:
        with monkeypatch.context() as patch:
            patch.setattr(ledger.Ledger, "end", interrupted)
            commits = store._commits
            waiting = commits.submit(([event()], None), 0)
            with pytest.raises(KeyboardInterrupt):
                commits._desks[asyncio.get_running_loop()].pass_on()
            with pytest.raises(OutcomeUnknown):
                await waiting
        assert await store.append([event()]) == Appended(1, 1)


def interrupted(_ledger):
    """What a second Ctrl-C does."""
    raise KeyboardInterrupt


async def test_slow_flushes_are_left_to_the_thread(tmp_path, monkeypatch):
    """After two of them no loop waits for the disk, until it is quick again."""
    seen = []
    real = writer.Writer._attempt

    def attempt(self, works, *, patient):
        outcomes = real(self, works, patient=patient)
        seen.append((patient, threading.current_thread() is not threading.main_thread()))
        self._pace.flushed(0.002, here=not patient)
        return outcomes

    monkeypatch.setattr(writer.Writer, "_attempt", attempt)
    monkeypatch.setattr(pace, "_QUICK_SECONDS", 0.0)
    monkeypatch.setattr(pace, "_SECONDS_BETWEEN_PROBES", 60.0)
    async with open_store(f"sqlite:///{tmp_path / 'log.db'}") as store:
        for _ in range(4):
            await store.append([event()])
    assert seen == [(False, False), *[(True, True)] * 3]


async def test_much_at_once_is_left_to_the_thread(tmp_path, monkeypatch):
    """Many events in one append, however small, or many bytes: no loop stands still for them."""
    here = []
    real = writer.Writer._attempt

    def attempt(self, works, *, patient):
        here.append(threading.current_thread() is threading.main_thread())
        return real(self, works, patient=patient)

    monkeypatch.setattr(writer.Writer, "_attempt", attempt)
    async with open_store(f"sqlite:///{tmp_path / 'log.db'}") as store:
        await store.append([event() for _ in range(3_000)])
        await store.append([NewEvent("A", bytes(300_000))])
        await store.append([event() for _ in range(30)])
    assert here == [False, False, True]


def test_loops_in_several_threads_share_one_store(tmp_path):
    """Whoever finds the writer at work elsewhere hands over to the thread; every append stands once."""
    opened = asyncio.new_event_loop()
    store = opened.run_until_complete(sqlite_event_store.open_sqlite(f"sqlite:///{tmp_path / 'log.db'}"))
    firsts = []

    async def appends():
        firsts.extend([(await store.append([event()])).first for _ in range(50)])

    threads = [threading.Thread(target=asyncio.run, args=(appends(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    opened.run_until_complete(store.close())
    opened.close()
    assert sorted(firsts) == list(range(1, 201))


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
