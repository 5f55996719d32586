"""Following the log, alone or beside other processes.

Read in this order: progress.py, journal.py, feed.py, consumer.py, groups.py, worker.py, sharing.py, serving.py,
standing.py, batch.py, retry.py, running.py, holding.py, rebuilding.py, parking.py, watching.py, follower.py.
"""

from __future__ import annotations

from headwater.followers.consumer import Consumer, Fault, ProjectionStatus, Work
from headwater.followers.follower import Follower
from headwater.followers.journal import Journal
from headwater.followers.progress import Progress
from headwater.followers.retry import Retry

__all__ = [
    "Consumer",
    "Fault",
    "Follower",
    "Journal",
    "Progress",
    "ProjectionStatus",
    "Retry",
    "Work",
]
