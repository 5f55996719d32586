"""Waiting for the log to grow."""

from __future__ import annotations

import asyncio
import threading

import pytest

from headwater.event_store.waiting import HeadSignal


async def test_who_waits_is_woken_by_an_announcement():
    """The condition is asked again after each announcement, until it holds."""
    signal, head = HeadSignal(), [0]
    waiting = asyncio.ensure_future(signal.wait(lambda: head[0] >= 2))
    for grown in (1, 2):
        await asyncio.sleep(0)
        assert not waiting.done()
        head[0] = grown
        signal.announce()
    await waiting


async def test_what_is_there_already_is_not_waited_for():
    """The condition is asked before waiting."""
    await HeadSignal().wait(lambda: True)


async def test_growth_between_signing_up_and_asking_is_not_missed():
    """The waiter signs up first, so an announcement while it asks wakes it."""
    signal, answers = HeadSignal(), iter((False, True))

    def ask():
        answer = next(answers)
        if not answer:
            signal.announce()
        return answer

    await asyncio.wait_for(signal.wait(ask), 20)


async def test_it_polls_for_what_nobody_announces():
    """Another process announces nothing here."""
    answers = iter((False, False, True))
    await asyncio.wait_for(HeadSignal().wait(lambda: next(answers), poll_seconds=0.001), 20)


async def test_a_cancelled_waiter_is_forgotten():
    """Nothing is kept of who went away."""
    signal = HeadSignal()
    waiting = asyncio.ensure_future(signal.wait(lambda: False, poll_seconds=10))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert signal._waiting == {}


async def test_announcements_come_from_any_thread():
    """A writer thread wakes a loop that sleeps."""
    signal, grown = HeadSignal(), threading.Event()
    waiting = asyncio.ensure_future(signal.wait(grown.is_set))
    await asyncio.sleep(0)

    def write():
        grown.set()
        signal.announce()

    await asyncio.to_thread(write)
    await asyncio.wait_for(waiting, 20)


def test_a_closed_loop_is_skipped():
    """Whoever waited there is gone with it."""
    signal = HeadSignal()
    gone = asyncio.new_event_loop()
    future = gone.create_future()
    signal._waiting[gone] = [future]
    gone.close()
    signal.announce()
    assert not future.done()
