"""Pages of a log that are bounded in bytes, and the port that says how large events are before they are read.

It is apart from ``EventStore``: only who reads a whole log, whatever is in it, has to ask. Reads: protocol.py,
checking.py. Read next: integration/chain.py.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Protocol, runtime_checkable

from headwater.event_store.checking import BYTES_BESIDES_PAYLOAD
from headwater.event_store.protocol import EventStore, RecordedEvent

PAGE_BYTES = 16 << 20


@runtime_checkable
class Measured(Protocol):
    """A store whose events lie elsewhere than in memory, and that knows how large they are without reading them."""

    async def sizes(self, after: int, limit: int) -> Sequence[int]:
        """The bytes of data, metadata and tags of each event after that position, of at most ``limit`` events."""
        ...


async def read_page(
    store: EventStore, *, after: int, limit: int, limit_bytes: int = PAGE_BYTES
) -> Sequence[RecordedEvent]:
    """The events after that position, at most ``limit`` and together ``limit_bytes``; a larger one comes alone.

    Of a store that does not measure them, only ``limit`` counts.
    """
    if isinstance(store, Measured):
        ends = accumulate(size + BYTES_BESIDES_PAYLOAD for size in await store.sizes(after, limit))
        limit = max(1, bisect_right(list(ends), limit_bytes))
    return (await store.read(after=after, limit=limit)).events
