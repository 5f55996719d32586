"""Following the log. Read in this order: progress.py, feed.py, consumer.py, groups.py, follower.py."""

from __future__ import annotations

from headwater.followers.consumer import Consumer, Fault, Folded, ProjectionStatus
from headwater.followers.follower import Follower, Retry
from headwater.followers.progress import Progress

__all__ = ["Consumer", "Fault", "Folded", "Follower", "Progress", "ProjectionStatus", "Retry"]
