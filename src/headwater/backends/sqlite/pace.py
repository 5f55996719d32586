"""Whether the disk is so quick that an event loop may wait for it itself. Reads: nothing. Read next: writer.py.

The way to a thread and back costs a lone append some 60 microseconds, and many appends the quarrel of two threads over
one interpreter lock. A flush that takes less than a millisecond is cheaper waited for where one stands.
"""

from __future__ import annotations

from time import monotonic

_QUICK_SECONDS = 0.001
_HOPELESS_SECONDS = 0.01
_SLOW_IN_A_ROW = 2
_SECONDS_BETWEEN_PROBES = 1.0


class Pace:
    """What the last flushes took. Starts hopeful.

    A loop waits for at most two slow flushes in a row; then the thread takes over. It goes back when a flush of the
    thread was quick. The thread's own measure has the wait for the interpreter lock in it, so that a quick disk may
    look slow from there: once a second a flush is tried on the loop, unless it took the thread ten times too long.
    """

    def __init__(self) -> None:
        self._slow = 0
        self._last_seconds = 0.0
        self._probe_at = 0.0

    def is_quick(self) -> bool:
        """Whether the next flush may be waited for on a loop."""
        if self._slow < _SLOW_IN_A_ROW:
            return True
        if self._last_seconds > _HOPELESS_SECONDS or (now := monotonic()) < self._probe_at:
            return False
        self._probe_at = now + _SECONDS_BETWEEN_PROBES
        return True

    def flushed(self, seconds: float, *, here: bool) -> None:
        """Learn what a flush took. The thread's may be slow because it was large; a loop's are not."""
        self._last_seconds = seconds
        if seconds < _QUICK_SECONDS:
            self._slow = 0
        elif here:
            self._slow += 1
            if self._slow == _SLOW_IN_A_ROW:
                self._probe_at = monotonic() + _SECONDS_BETWEEN_PROBES
