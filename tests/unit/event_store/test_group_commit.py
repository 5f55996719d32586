"""The queue between event loops and the writer thread."""

from __future__ import annotations

import asyncio

import pytest

from headwater.errors import OutcomeUnknown, StoreClosed
from headwater.event_store.group_commit import GroupCommit


def serve(commits, outcome=lambda work: work):
    """Answer one batch, as a writer thread would."""
    batch = commits.take()
    commits.answer(batch, [outcome(pending[0]) for pending in batch])
    return [pending[0] for pending in batch]


async def test_requests_of_one_turn_are_handed_over_together():
    """One batch holds them all, in the order of their submission."""
    commits = GroupCommit()
    tasks = [asyncio.ensure_future(commits.submit(number, 1)) for number in range(5)]
    assert await asyncio.to_thread(serve, commits) == [0, 1, 2, 3, 4]
    assert await asyncio.gather(*tasks) == [0, 1, 2, 3, 4]


async def test_whatever_is_there_is_taken_without_waiting():
    """Requests of later turns join the batch while the writer is busy."""
    commits = GroupCommit()
    first = asyncio.ensure_future(commits.submit("first", 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second = asyncio.ensure_future(commits.submit("second", 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await asyncio.to_thread(serve, commits) == ["first", "second"]
    assert await asyncio.gather(first, second) == ["first", "second"]


async def test_an_exception_is_raised_where_its_request_waits():
    """The others of the batch get their results."""
    commits = GroupCommit()
    tasks = [asyncio.ensure_future(commits.submit(number, 1)) for number in range(3)]
    await asyncio.to_thread(serve, commits, lambda work: KeyError(work) if work == 1 else work)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [outcomes[0], type(outcomes[1]), outcomes[2]] == [0, KeyError, 2]


@pytest.mark.parametrize(("requests", "payload_bytes"), [(2, 1 << 20), (100, 2)])
async def test_submitting_waits_while_the_queue_is_full(requests, payload_bytes):
    """Neither more requests nor more bytes than the bounds are in flight; who waits is let in, in order."""
    commits = GroupCommit(requests=requests, payload_bytes=payload_bytes)
    tasks = [asyncio.ensure_future(commits.submit(number, 1)) for number in range(5)]
    taken = []
    while len(taken) < 5:
        batch = await asyncio.to_thread(serve, commits)
        assert len(batch) <= 2
        taken += batch
    assert taken == await asyncio.gather(*tasks) == [0, 1, 2, 3, 4]


async def test_who_gives_up_waiting_in_line_lets_the_next_one_in():
    """Room that was offered to a cancelled request is not lost."""
    commits = GroupCommit(requests=1)
    tasks = [asyncio.ensure_future(commits.submit(number, 1)) for number in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    assert await asyncio.to_thread(serve, commits) == [0]
    await asyncio.sleep(0)
    tasks[2].cancel()
    taken = await asyncio.to_thread(serve, commits)
    while 3 not in taken:
        taken += await asyncio.to_thread(serve, commits)
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert (outcomes[0], outcomes[3]) == (0, 3)


async def test_a_cancelled_request_is_answered_into_the_void():
    """Its batch is served, and the others are told."""
    commits = GroupCommit()
    tasks = [asyncio.ensure_future(commits.submit(number, 1)) for number in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    assert await asyncio.to_thread(serve, commits) == [0, 1, 2]
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [outcomes[0], type(outcomes[1]), outcomes[2]] == [0, asyncio.CancelledError, 2]


async def test_closing_finishes_what_was_gathered_and_then_ends():
    """The writer gets the last batch, then ``None``; later requests are refused."""
    commits = GroupCommit()
    last = asyncio.ensure_future(commits.submit("last", 1))
    await asyncio.sleep(0)
    commits.close()
    commits.close()
    assert await asyncio.to_thread(serve, commits) == ["last"]
    assert commits.take() is None
    assert await last == "last"
    with pytest.raises(StoreClosed):
        await commits.submit("late", 1)


async def test_who_waits_for_room_is_turned_away_at_closing():
    """Nothing of it was handed over, and the error says so."""
    commits = GroupCommit(requests=1)
    first, second = (asyncio.ensure_future(commits.submit(number, 1)) for number in range(2))
    await asyncio.sleep(0)
    commits.close()
    await asyncio.to_thread(serve, commits)
    assert await first == 0
    with pytest.raises(StoreClosed):
        await second


def test_loops_that_come_and_go_are_served_apart():
    """Each loop gets its own answers; one that ended in between is nobody's problem."""
    commits = GroupCommit()

    async def ask(work):
        task = asyncio.ensure_future(commits.submit(work, 1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return task

    abandoned = asyncio.new_event_loop()
    abandoned.run_until_complete(ask("abandoned")).cancel()
    abandoned.run_until_complete(asyncio.sleep(0))
    abandoned.close()

    async def main():
        task = await ask("kept")
        assert await asyncio.to_thread(serve, commits) == ["abandoned", "kept"]
        return await task

    assert asyncio.run(main()) == "kept"


async def test_a_writer_that_is_a_task_takes_the_same_batches():
    """It waits without blocking the loop whose requests it takes, and is told of the end."""
    commits = GroupCommit()
    taking = asyncio.ensure_future(commits.taken())
    await asyncio.sleep(0)
    assert not taking.done()
    tasks = [asyncio.ensure_future(commits.submit(number, 1)) for number in range(5)]
    batch = await taking
    commits.answer(batch, [pending[0] for pending in batch])
    assert await asyncio.gather(*tasks) == [0, 1, 2, 3, 4]
    ending = asyncio.ensure_future(commits.taken())
    await asyncio.sleep(0)
    commits.close()
    assert await ending is None


async def test_a_batch_may_be_answered_in_parts():
    """Who is answered first goes on first, and its room is free."""
    commits = GroupCommit(requests=4)
    tasks = [asyncio.ensure_future(commits.submit(number, 1)) for number in range(5)]
    batch = await commits.taken()
    commits.answer(batch[:3], [pending[0] for pending in batch[:3]])
    assert await asyncio.gather(*tasks[:3]) == [0, 1, 2]
    assert not tasks[3].done()
    commits.answer(batch[3:], [3])
    batch = await commits.taken()
    commits.answer(batch, [4])
    assert await asyncio.gather(*tasks[3:]) == [3, 4]


async def test_turns_that_bring_more_are_gathered_until_one_does_not():
    """Who comes a turn later, as the next readable connections do, is in the same batch."""
    commits = GroupCommit()
    batches = []
    commits.serve_here = lambda works, _size: batches.append(list(works)) or works

    async def late(number):
        for _ in range(number):
            await asyncio.sleep(0)
        return await commits.submit(number, 1)

    assert await asyncio.gather(*(late(number) for number in (0, 0, 1, 2))) == [0, 0, 1, 2]
    assert await commits.submit("alone", 1) == "alone"
    assert batches == [[0, 0, 1, 2], ["alone"]]


async def test_requests_are_served_on_the_loop_if_the_writer_can():
    """Outcomes and exceptions come back as from the thread, and the room is free again."""
    commits = GroupCommit(requests=2)
    sizes = []
    commits.serve_here = lambda works, size: sizes.append(size) or [KeyError(w) if w == 1 else w for w in works]
    outcomes = await asyncio.gather(*(commits.submit(number, 10) for number in range(5)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [int, KeyError, int, int, int]
    assert sum(sizes) == 50


async def test_what_the_writer_leaves_is_queued_and_nobody_overtakes_it():
    """While something is in the queue, the loop does not ask to serve ahead of it."""
    commits = GroupCommit()
    asked = []
    commits.serve_here = lambda works, _size: asked.append(list(works))
    first = asyncio.ensure_future(commits.submit("first", 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    second = asyncio.ensure_future(commits.submit("second", 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await asyncio.to_thread(serve, commits) == ["first", "second"]
    assert await asyncio.gather(first, second) == ["first", "second"]
    assert asked == [["first"]]


async def test_an_interrupt_while_serving_leaves_nobody_waiting():
    """The callers are told that the outcome is unknown, and the interrupt goes on."""
    commits = GroupCommit()

    def interrupted(_works, _size):
        raise KeyboardInterrupt

    commits.serve_here = interrupted
    waiting = commits.submit("work", 1)
    with pytest.raises(KeyboardInterrupt):
        commits.close()
    with pytest.raises(OutcomeUnknown):
        await waiting


async def test_who_has_no_task_is_called_with_the_outcome():
    """A result or an exception, once the turn is over; the call that hands it over tells nothing yet."""
    commits = GroupCommit()
    commits.serve_here = lambda works, _size: [KeyError(work) if work == 1 else work for work in works]
    told = []
    assert all(commits.begin(number, 1, told.append) for number in range(3))
    assert told == []
    assert await commits.submit("last", 1) == "last"
    assert [told[0], type(told[1]), told[2]] == [0, KeyError, 2]


async def test_who_has_no_task_cannot_wait_for_room():
    """Then nothing is handed over; once the store is closed, that is said instead."""
    commits = GroupCommit(requests=1)
    told = []
    assert commits.begin("first", 1, told.append)
    assert not commits.begin("second", 1, told.append)
    assert await asyncio.to_thread(serve, commits) == ["first"]
    await asyncio.sleep(0)
    assert commits.begin("third", 1, told.append)
    commits.close()
    await asyncio.to_thread(serve, commits)
    await asyncio.sleep(0)
    with pytest.raises(StoreClosed):
        commits.begin("late", 1, told.append)
    assert told == ["first", "third"]


async def test_a_call_that_fails_keeps_no_outcome_from_the_others(caplog):
    """It breaks its own promise only, and that is logged."""
    commits = GroupCommit()
    commits.serve_here = lambda works, _size: works
    told = []
    commits.begin("first", 1, lambda _outcome: 1 / 0)
    commits.begin("second", 1, told.append)
    await commits.submit("last", 1)
    assert told == ["second"]
    assert "ZeroDivisionError" in caplog.text
