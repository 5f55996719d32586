"""Catch up, then stay live: what a subscription does in every store. Reads: protocol.py. Read next: memory.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from headwater.event_store.protocol import Slice

PAGE = 1_000


async def following(
    read: Callable[[int], Awaitable[Slice]], grown: Callable[[int], Awaitable[None]], after: int
) -> AsyncIterator[Slice]:
    """Slices from ``after`` on, without end; see ``EventStore.subscribe``.

    ``read`` gives the matching events after a position, ``PAGE`` of them at most; ``grown`` returns once the log may go
    on after it, or the store was closed.
    """
    while True:
        page = await read(after)
        reached = page.events[-1].position if len(page.events) == PAGE else max(page.head, after)
        if reached > after:
            after = reached
            yield Slice(page.events, reached)
        else:
            await grown(after)
