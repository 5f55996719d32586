"""The event log: the one source of truth.

Read in this order: protocol.py, checking.py, replica.py, memory.py, opening.py.
"""

from __future__ import annotations

from headwater.event_store.opening import open_store
from headwater.event_store.protocol import (
    ALL,
    AppendCondition,
    Appended,
    Conflict,
    EventQuery,
    EventStore,
    NewEvent,
    RecordedEvent,
    Slice,
)

__all__ = [
    "ALL",
    "AppendCondition",
    "Appended",
    "Conflict",
    "EventQuery",
    "EventStore",
    "NewEvent",
    "RecordedEvent",
    "Slice",
    "open_store",
]
