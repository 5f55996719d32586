"""Whether work goes on: a follower that has work and does not get further is stalled. Reads: consumer.py.

It compares what it is shown with what it was shown before, so that it costs nothing between two looks.
"""

from __future__ import annotations

from collections.abc import Iterable

from headwater.errors import ProjectionStalled
from headwater.followers.consumer import ProjectionStatus


class Pulse:
    """Remembers where each projection was, and since when it has had work there."""

    def __init__(self, patience_seconds: float) -> None:
        self.patience_seconds = patience_seconds
        self._seen: dict[str, tuple[int, float]] = {}

    def check(self, statuses: Iterable[ProjectionStatus], now: float) -> None:
        """Raises ``ProjectionStalled`` for who has stood before the same work for longer than that; ``now`` in seconds.

        Who has no work, is paused, or has got further since the last look (also back, for a rebuild), begins anew.
        """
        stalled = [each for each in statuses if self._stands(each, now) >= self.patience_seconds and each.lag_positions]
        if not stalled:
            return
        worst = max(stalled, key=lambda each: each.lag_positions)
        raise ProjectionStalled(
            f"{worst.name} stands at position {worst.position}, {worst.lag_positions} behind the log"
            + (f": {worst.error}" if worst.error else ""),
            projection=worst.name,
            position=worst.position,
            head=worst.head,
            lag_positions=worst.lag_positions,
            state=worst.state,
            stalled=[each.name for each in stalled],
        )

    def _stands(self, status: ProjectionStatus, now: float) -> float:
        """For how many seconds it has had work and not gone on."""
        if not status.lag_positions or status.state == "paused":
            self._seen.pop(status.name, None)
            return 0.0
        position, since = self._seen.get(status.name, (status.position, now))
        self._seen[status.name] = status.position, since if position == status.position else now
        return now - self._seen[status.name][1]
