"""The port of a store whose readers may be behind: a decision is made on what is read where its append is checked.

A condition catches what is appended on an old state, but a refusal appends nothing. Reads: protocol.py. Read next:
commands/gathering.py.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from headwater.event_store.protocol import EventQuery, Slice


@runtime_checkable
class Primary(Protocol):
    """A store that may have a replica for its readers."""

    async def read_primary(self, query: EventQuery, *, after: int = 0, limit: int | None = None) -> Slice:
        """As ``EventStore.read``, with everything in it that was acknowledged before to anybody."""
        ...
