"""Appends that come one by one, which are committed in the call: what they promise is what every append does."""

from __future__ import annotations

import asyncio

import apsw
import pytest
from tests.unit.backends.sqlite.test_writer import event, faults, interrupted  # noqa: F401  a fixture among them

from headwater.backends.sqlite import ledger, pace, writer
from headwater.commands.appending import Appends
from headwater.errors import InvalidAppend, OutcomeUnknown, StoreBusy, StoreClosed, StoreFull, StoreIOError
from headwater.event_store import AppendCondition, Appended, Conflict, EventQuery, group_commit, open_store
from headwater.event_store.protocol import ALL

_TAGGED = AppendCondition(EventQuery.of(tags=("t",)))


@pytest.fixture
async def store(tmp_path, monkeypatch, faults):  # noqa: F811
    """A log on a disk that is taken for quick, with two appends in it that came alone."""
    monkeypatch.setattr(group_commit, "_ALONE_BEFORE", 2)
    monkeypatch.setattr(pace, "_QUICK_SECONDS", 60.0)
    async with open_store(f"sqlite:///{tmp_path / 'log.db'}?busy_timeout=0.05") as opened:
        for _ in range(2):
            await opened.append([event("t")])
        yield opened


async def test_the_outcome_is_there_with_the_call(store):
    """Positions, a conflict, a repeat, and what is wrong with the events."""
    new = [event("u")]
    assert store.append_at_once(new, None) == Appended(3, 3)
    await asyncio.sleep(0)
    assert store.append_at_once(new, None) == Appended(3, 3, replayed=True)
    await asyncio.sleep(0)
    assert store.append_at_once([event()], _TAGGED) == Conflict(2)
    with pytest.raises(InvalidAppend):
        store.append_at_once([], None)
    assert await store.head() == 3


async def test_a_task_that_appends_and_appends_lets_others_have_their_turns(store):
    """One turn of the loop for each append."""
    turns = 0

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    for _ in range(20):
        await store.append([event()])
    task.cancel()
    assert store._commits.desk_of_one() is not None
    assert turns >= 20


async def test_tasks_that_come_together_share_their_commits_again(store):
    """The first of them goes alone, all others wait for each other."""
    writer.Writer._attempt, real, sizes = _counted(writer.Writer._attempt)
    try:
        await asyncio.gather(*(store.append([event()]) for _ in range(50)))
    finally:
        writer.Writer._attempt = real
    assert sizes == [1, 49]


def _counted(real):
    sizes = []

    def attempt(self, works, *, patient):
        sizes.append(len(works))
        return real(self, works, patient=patient)

    return attempt, real, sizes


@pytest.mark.parametrize(
    ("at", "code", "expected"),
    [
        ("BEGIN", apsw.SQLITE_IOERR_READ, StoreIOError),
        ("INSERT INTO events", apsw.SQLITE_FULL, StoreFull),
        ("COMMIT", apsw.SQLITE_IOERR_FSYNC, OutcomeUnknown),
    ],
)
async def test_an_error_of_the_disk_is_told_and_survived(store, faults, at, code, expected):  # noqa: F811
    """Nothing is stored, and the next append goes through."""
    faults[at] = code
    with pytest.raises(expected):
        await store.append([event()])
    assert await store.append([event()]) == Appended(3, 3)


async def test_a_lock_held_elsewhere_is_waited_for_by_the_thread(store, tmp_path):
    """The loop does not wait for it, and says what lasts too long."""
    holder = apsw.Connection(str(tmp_path / "log.db"))
    holder.execute("BEGIN IMMEDIATE")
    assert store.append_at_once([event()], None) is None
    with pytest.raises(StoreBusy):
        await store.append([event()])
    holder.execute("ROLLBACK")
    holder.close()
    assert await store.append([event()]) == Appended(3, 3)


async def test_conditions_hold_against_another_writer_of_the_file(store, tmp_path):
    """Both append alone, in turn, and each sees what the other stored."""
    async with open_store(f"sqlite:///{tmp_path / 'log.db'}") as other:
        for each in (other, other, other):
            await each.append([event("o")])
        assert await store.append([event("t")], AppendCondition(_TAGGED.fail_if, 2)) == Appended(6, 6)
        assert await other.append([event("t")], AppendCondition(_TAGGED.fail_if, 5)) == Conflict(6)
        assert await store.append([event()], AppendCondition(ALL, 6)) == Appended(7, 7)


async def test_a_caller_that_is_cancelled_takes_nothing_back(store):
    """The append is done when it begins to wait for its turn."""
    task = asyncio.create_task(store.append([event("u")]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await store.head() == 3


async def test_a_store_that_is_closed_takes_nothing(store):
    """However its appends came before."""
    await store.close()
    assert store.append_at_once([event()], None) is None
    with pytest.raises(StoreClosed):
        await store.append([event()])


async def test_an_interrupt_in_the_middle_leaves_nobody_waiting(store, monkeypatch):
    """Who cannot be raised to is told that the outcome is unknown; the interrupt goes on, and the store too."""
    told = []
    with monkeypatch.context() as patch:
        patch.setattr(ledger.Ledger, "end", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Appends(store).begin(([event()], None), told.append)
    assert [type(outcome) for outcome in told] == [OutcomeUnknown]
    assert await store.append([event()]) == Appended(3, 3)


async def test_slow_flushes_are_left_to_the_thread(store, monkeypatch):
    """Two of them, and no append waits for the disk on the loop."""
    monkeypatch.setattr(pace, "_QUICK_SECONDS", 0.0)
    monkeypatch.setattr(pace, "_SECONDS_BETWEEN_PROBES", 60.0)
    for _ in range(2):
        assert store.append_at_once([event()], None) is not None
        await asyncio.sleep(0)
    assert store.append_at_once([event()], None) is None
    assert await store.append([event()]) == Appended(5, 5)
