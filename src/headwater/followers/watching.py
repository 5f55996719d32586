"""Learning how far other processes are: one look for all who wait here. Reads: progress.py, read_store/news.py.

Read next: follower.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from headwater.errors import StoreClosed, StoreError
from headwater.followers.progress import Progress
from headwater.read_store.news import News

_LOG = logging.getLogger("headwater.followers")
_TROUBLED_SECONDS = 0.25


class Watcher:
    """Looks the checkpoints up (``look_up``) when there may be news, and only while somebody waits for one."""

    def __init__(self, news: News, progress: Progress, look_up: Callable[[], Awaitable[None]]) -> None:
        self._news = news
        self._progress = progress
        self._look_up = look_up
        self._is_due = False  # there was news, and nobody has seen all of it yet

    async def run(self) -> None:
        """Keep those who wait informed, until the store is closed."""
        while True:
            await self._progress.somebody_waits()
            try:
                await self.look()
                await self._news.wait()
            except StoreClosed:
                return
            except StoreError as error:
                _LOG.warning("the read store cannot be read, trying again: %s", error)
                await asyncio.sleep(_TROUBLED_SECONDS)

    async def look(self) -> None:
        """Take over what others have committed, if there may be anything. Raises ``StoreError``."""
        if self._news.heard() or self._is_due:
            self._is_due = True
            await self._look_up()
            self._is_due = False
