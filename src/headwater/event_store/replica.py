"""The port that takes a log's events as they stand elsewhere. Reads: protocol.py. Read next: memory.py.

It is apart from ``EventStore``: applications append, only replication copies. Whoever copies must be the only one who
writes to the log, which is why every copy says where it goes on.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Protocol, runtime_checkable

from headwater.errors import DuplicateEventId, InvalidAppend, OtherHistory
from headwater.event_store.protocol import RecordedEvent


@runtime_checkable
class Replica(Protocol):
    """A store that can hold a copy of another log."""

    async def copy(self, events: Sequence[RecordedEvent]) -> int:
        """Store recorded events verbatim, at their positions, all or none; return the head once they are durable.

        Nothing changes on the way: ids, times, names and bytes stay as they are, also of types that nobody here knows.
        Raises ``OtherHistory`` unless they go on from this log's head, ``InvalidAppend`` if they have gaps,
        ``DuplicateEventId`` if an id would stand in the log twice.
        """
        ...


def check_goes_on(events: Sequence[RecordedEvent], head: int, stored: Container[bytes] = ()) -> None:
    """Refuse events that do not go on from ``head``, have gaps, or repeat an id, their own or one that is ``stored``.

    Raises ``OtherHistory``, ``InvalidAppend``, ``DuplicateEventId``.
    """
    if not events:
        return
    first = events[0].position
    if first != head + 1:
        raise OtherHistory(
            f"the copy goes on at {first}, but this log's head is {head}",
            remedy="let nobody else write to a replica, and start the replication again",
            position=first,
            head=head,
        )
    for place, event in enumerate(events, first):
        if event.position != place:
            raise InvalidAppend(f"event {event.position} stands where {place} must", remedy="copy without gaps")
    ids = {event.raw_id for event in events}
    if len(ids) < len(events) or any(raw_id in stored for raw_id in ids):
        raise twice()


def twice() -> DuplicateEventId:
    """The error for a copy by which an id would stand in the log twice."""
    remedy = "run `headwater verify` on the source"
    return DuplicateEventId("an event id of the copy is stored already, at another position", remedy=remedy)
