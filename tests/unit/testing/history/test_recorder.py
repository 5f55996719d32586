from __future__ import annotations

import asyncio
from itertools import count
from uuid import uuid4

import pytest

from headwater.errors import InvalidAppend, OutcomeUnknown, StoreBusy, StoreClosed
from headwater.event_store import ALL, AppendCondition, EventQuery, NewEvent
from headwater.event_store.memory import MemoryEventStore
from headwater.event_store.protocol import Snapshot
from headwater.testing.history import Answered, Delivered, History, Journal, RecordedStore, Seen, Sent, check
from headwater.testing.history.recorder import outcome_of
from headwater.testing.history.records import seen_event, sent_event


@pytest.fixture
def journal(tmp_path):
    """An open journal whose clock counts."""
    ticks = count(1)
    journal = Journal(tmp_path, clock=lambda: next(ticks))
    yield journal
    journal.close()


@pytest.fixture
def store(journal):
    """A recorded store in memory."""
    return RecordedStore(MemoryEventStore(), journal)


def kinds(tmp_path):
    """What was recorded, by name."""
    return [type(record).__name__ for record in History.load(tmp_path).records]


async def test_what_is_sent_answered_and_seen_is_recorded(store, tmp_path):
    """In its order, with times that rise, and the log passes the check."""
    event = NewEvent("Paid", b"{}", ("a:1", "a:1"))
    await store.append([event])
    await store.append([NewEvent("Paid", b"{}")], AppendCondition(EventQuery.of(tags=("a:1",))))
    await store.append([event])
    found = await store.read(EventQuery.of(tags=("a:1",)))
    assert await store.head() == 1
    await anext(aiter(store.subscribe(ALL)))

    history = History.load(tmp_path)
    sent, conflicting, again = history.of(Sent)
    assert sent.events == again.events == (sent_event(event),)
    assert (conflicting.fail_if, conflicting.after) == (EventQuery.of(tags=("a:1",)), 0)
    assert [(a.outcome, a.first, a.last, a.replayed) for a in history.of(Answered)] == [
        ("stored", 1, 1, False),
        ("conflict", 1, 0, False),
        ("stored", 1, 1, True),
    ]
    read, head = history.of(Seen)
    assert read.events == tuple(seen_event(recorded) for recorded in found.events)
    assert (head.head, head.limit, history.of(Delivered)[0].head) == (1, 0, 1)
    times = [record.at for record in history.records]
    assert times == sorted(times)
    assert check(history, found.events) == []


async def test_an_event_is_the_same_sent_and_seen():
    """A tag given twice is stored once; all else counts, the version and the metadata, too."""
    store, event = MemoryEventStore(), NewEvent("Paid", b"{}", ("t", "t", "s"), uuid4(), 3, b"{1}")
    await store.append([event])
    seen = seen_event((await store.read()).events[0])
    assert (seen.id, seen.digest) == (event.id.hex, sent_event(event).digest)
    assert sent_event(NewEvent("Paid", b"{}", ("t", "s"), event.id, 4, b"{1}")).digest != seen.digest


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (InvalidAppend("no"), "refused"),
        (StoreBusy("no"), "refused"),
        (StoreClosed("no"), "refused"),
        (OutcomeUnknown("who knows"), "unknown"),
        (asyncio.CancelledError(), "unknown"),
        (RuntimeError("a bug"), "unknown"),
    ],
)
async def test_an_error_is_recorded_as_what_it_says(journal, tmp_path, error, outcome):
    """Only a typed error that means it says that nothing was stored."""

    class Failing(MemoryEventStore):
        async def append(self, *_):
            raise error

    with pytest.raises(type(error)):
        await RecordedStore(Failing(), journal).append([NewEvent("Paid", b"{}")])
    (answer,) = History.load(tmp_path).of(Answered)
    assert (answer.outcome, answer.error) == (outcome_of(error), type(error).__name__)
    assert answer.outcome == outcome


async def test_word_is_left_before_the_append_is_called(journal, tmp_path):
    """A process that dies in the call has said what it wanted."""

    class Dying(MemoryEventStore):
        async def append(self, *_):
            assert kinds(tmp_path) == ["Sent"]
            raise StoreClosed("dead")

    with pytest.raises(StoreClosed):
        await RecordedStore(Dying(), journal).append([NewEvent("Paid", b"{}")])
    assert kinds(tmp_path) == ["Sent", "Answered"]


async def test_what_is_no_history_is_passed_through(store, tmp_path):
    """Snapshots, capabilities and the end."""
    snapshot = Snapshot(1, "f", b"state")
    await store.save_snapshot("k", snapshot)
    assert await store.load_snapshot("k") == snapshot
    assert store.capabilities == MemoryEventStore.capabilities
    await store.close()
    with pytest.raises(StoreClosed):
        await store.head()
    assert kinds(tmp_path) == []


def test_journals_of_one_directory_are_one_history(tmp_path):
    """Each has its own file and names; a line that a killed process did not finish counts as not written."""
    one, other = Journal(tmp_path), Journal(tmp_path)
    assert one.name != other.name
    assert len({one.fresh("append"), one.fresh("append"), other.fresh("append")}) == 3
    for journal in (one, other):
        journal.write(Answered(journal.fresh("append"), journal.now(), "unknown"))
        journal.close()
    with next(tmp_path.glob("*.jsonl")).open("ab") as file:
        file.write(b'{"type":"answered","operation":"x')
    assert kinds(tmp_path) == ["Answered", "Answered"]
