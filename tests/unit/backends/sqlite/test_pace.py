"""When an event loop waits for the disk itself."""

from __future__ import annotations

import pytest

from headwater.backends.sqlite import pace
from headwater.backends.sqlite.pace import Pace

SLOW, QUICK = 0.003, 0.0001


@pytest.fixture
def clock(monkeypatch):
    """The time that a pace sees, in seconds."""
    now = [100.0]
    monkeypatch.setattr(pace, "monotonic", lambda: now[0])
    return now


def test_one_slow_flush_is_forgiven_and_two_in_a_row_are_not(clock):
    """A checkpoint now and then is no reason to go to the thread; a slow disk is."""
    seen = Pace()
    for seconds in (SLOW, QUICK, SLOW):
        seen.flushed(seconds, here=True)
        assert seen.is_quick()
    seen.flushed(SLOW, here=True)
    assert not seen.is_quick()


def test_a_quick_flush_by_the_thread_brings_the_loop_back(clock):
    """Whoever waited for it."""
    seen = Pace()
    seen.flushed(SLOW, here=True)
    seen.flushed(SLOW, here=True)
    seen.flushed(QUICK, here=False)
    assert seen.is_quick()


def test_what_is_slow_on_the_thread_says_nothing_against_the_disk(clock):
    """What goes there is large, or waited for the interpreter."""
    seen = Pace()
    for _ in range(5):
        seen.flushed(SLOW, here=False)
    assert seen.is_quick()


def test_a_loop_tries_once_a_second_whether_the_disk_is_quick_after_all(clock):
    """The thread's measure includes the wait for the interpreter lock."""
    seen = Pace()
    seen.flushed(SLOW, here=True)
    seen.flushed(SLOW, here=True)
    clock[0] += 1.1
    assert [seen.is_quick(), seen.is_quick()] == [True, False]
    seen.flushed(SLOW, here=True)
    clock[0] += 1.1
    assert seen.is_quick()


def test_a_disk_that_is_slow_beyond_doubt_is_not_tried(clock):
    """No loop stands still for it, however much time passes."""
    seen = Pace()
    for here in (True, True, False):
        seen.flushed(0.05, here=here)
    clock[0] += 1000.0
    assert not seen.is_quick()
