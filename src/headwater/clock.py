"""The only source of time. Reads: nothing. Read next: ids.py."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Protocol, TypeAlias


class _NowMarker:
    """Marks a parameter that wants the time of the decision."""


Now: TypeAlias = Annotated[datetime, _NowMarker()]
"""Annotate a decider's parameter with this to be given the time of the decision: an aware ``datetime`` in UTC."""


class Clock(Protocol):
    """Where time comes from. Give ``App.open(clock=...)`` another one to control it."""

    def now(self) -> datetime:
        """The time as an aware ``datetime`` in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The time as an aware ``datetime`` in UTC."""
        return datetime.now(UTC)
