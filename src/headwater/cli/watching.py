"""Shows how far projections are while something else is awaited. Reads: screen.py, runtime.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from headwater.cli.screen import Screen
from headwater.runtime import Runtime

_GLANCE_SECONDS = 0.1


@asynccontextmanager
async def watched(screen: Screen, what: str, runtime: Runtime, names: Sequence[str], head: int) -> AsyncIterator[None]:
    """Show a bar from the slowest of these projections to ``head`` for as long as the block takes."""
    with screen.progress(what) as moved:
        glances = asyncio.create_task(_glance(runtime, names, head, moved))
        try:
            yield
        finally:
            glances.cancel()


async def _glance(runtime: Runtime, names: Sequence[str], head: int, moved: Callable[[int, int | None], None]) -> None:
    while True:
        await asyncio.sleep(_GLANCE_SECONDS)
        moved(min(runtime.progress.reached(names), head), head)
