"""Checks what a store did to many writers and readers at once: record what happened, then hold it against the log.

``RecordedStore`` wraps a store and writes to a ``Journal`` what was sent, answered and seen; every process has a
journal of its own, which survives its being killed. ``check(History.load(directory), log)`` then names every broken
promise.

Read in this order: records.py, journal.py, recorder.py, checker.py, and the rules: structure.py, outcomes.py,
conditions.py, reads.py, followers.py.
"""

from __future__ import annotations

from headwater.testing.history.checker import check
from headwater.testing.history.indexed import Violation
from headwater.testing.history.journal import History, Journal
from headwater.testing.history.recorder import RecordedStore
from headwater.testing.history.records import (
    Answered,
    Applied,
    Delivered,
    Effect,
    Record,
    Seen,
    SeenEvent,
    Sent,
    SentEvent,
    Shown,
)

__all__ = [
    "Answered",
    "Applied",
    "Delivered",
    "Effect",
    "History",
    "Journal",
    "Record",
    "RecordedStore",
    "Seen",
    "SeenEvent",
    "Sent",
    "SentEvent",
    "Shown",
    "Violation",
    "check",
]
