"""Time in your hand. Reads: clock.py (the port). Read next: facts.py (events as a log holds them), scenarios.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from headwater.errors import ContractError

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""The time of a test that does not say one: noon on the first of January 2026, UTC."""


class ControlledClock:
    """A ``Clock`` that stands still until it is moved: ``clock.advance(timedelta(hours=1))``.

    Times are aware ``datetime`` values, kept in UTC; one without a time zone raises ``ContractError``.
    """

    def __init__(self, now: datetime = START) -> None:
        self._now = in_utc(now)

    def now(self) -> datetime:
        """The time, as an aware ``datetime`` in UTC."""
        return self._now

    def advance(self, by: timedelta) -> datetime:
        """Move forward and return the new time. Raises ``ContractError`` for a step back: use ``set`` for that."""
        given: Any = by
        if not isinstance(given, timedelta):
            raise ContractError(
                f"a clock advances by a timedelta, not by {by!r}", remedy="write timedelta(seconds=...)"
            )
        if by < timedelta():
            raise ContractError(f"a clock does not advance by {by}", remedy="use set() to go back")
        self._now += by
        return self._now

    def set(self, now: datetime) -> None:
        """Put the clock to any time, also to an earlier one, as machines do when they are corrected."""
        self._now = in_utc(now)


def in_utc(moment: datetime) -> datetime:
    """The same moment in UTC. Raises ``ContractError`` if it has no time zone, because then it is no moment."""
    given: Any = moment
    if not isinstance(given, datetime):
        raise ContractError(f"{moment!r} is no datetime", remedy="write datetime(..., tzinfo=UTC)")
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise ContractError(f"{moment!r} has no time zone", remedy="write datetime(..., tzinfo=UTC)", moment=moment)
    return moment.astimezone(UTC)
