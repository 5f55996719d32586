"""Whether other processes may have moved a checkpoint: a port of the read store. Reads: nothing. Read next: memory.py.

Who waits for rows must learn that somebody else committed some. Asking for the checkpoints again and again would do,
but each store has something cheaper to look at first, or is told.
"""

from __future__ import annotations

import asyncio
from typing import Protocol


class News(Protocol):
    """Belongs to one event loop."""

    def heard(self) -> bool:
        """Whether somebody may have committed since this last said so; true the first time. It does not wait."""
        ...

    async def wait(self) -> None:
        """Return when ``heard`` may say yes, or after a moment, so that it is asked again."""
        ...


class Stirred:
    """News that somebody brings: ``stir`` says that there are some."""

    def __init__(self) -> None:
        self._stirred = asyncio.Event()
        self._stirred.set()

    def stir(self) -> None:
        """There may be something new."""
        self._stirred.set()

    def heard(self) -> bool:
        """See ``News.heard``."""
        was_stirred = self._stirred.is_set()
        self._stirred.clear()
        return was_stirred

    async def wait(self) -> None:
        """See ``News.wait``."""
        await self._stirred.wait()
