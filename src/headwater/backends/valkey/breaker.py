"""Leaves alone what does not work. Reads: nothing. Read next: cache.py."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

_PATIENCE = 3
_FIRST_SECONDS = 0.5
_LONGEST_SECONDS = 30.0


class Breaker:
    """Open after some failures in a row, for longer each time; then one may try, and a success closes it."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._failures = 0
        self._closed_at = 0.0

    def refuses(self) -> bool:
        """Whether to leave it alone now. Who is not refused tries it for all who come meanwhile."""
        if self._failures < _PATIENCE:
            return False
        if self._now() < self._closed_at:
            return True
        self._rest()
        return False

    def succeeded(self) -> None:
        """It works."""
        self._failures = 0

    def failed(self) -> bool:
        """It does not; says whether that has opened the breaker just now."""
        self._failures += 1
        self._rest()
        return self._failures == _PATIENCE

    def _rest(self) -> None:
        tries = min(self._failures - _PATIENCE, 16)
        self._closed_at = self._now() + min(_LONGEST_SECONDS, _FIRST_SECONDS * 2.0 ** max(tries, 0))
