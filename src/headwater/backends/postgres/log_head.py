"""How far the log is, as this process knows it: by its own appends, by what others tell, by asking.

Reads: bell.py. Read next: event_store.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from headwater.backends.postgres.bell import Bell
from headwater.backends.postgres.connection import PostgresLog, open_connection
from headwater.event_store.waiting import HeadSignal

_BEHIND_SECONDS = 0.01


class LogHead:
    """Knows how far the log is, as those who read may see it: ``head``. Waiters are woken through ``grown``.

    ``read_head`` asks the database that is read from. ``is_replica`` says that this is another one than appends go to.
    """

    def __init__(
        self, log: PostgresLog, read_head: Callable[[], Awaitable[int]], grown: HeadSignal, *, is_replica: bool
    ) -> None:
        self.head = 0
        self.bell = Bell(partial(open_connection, log), log.schema, poll=log.poll, notify=log.notify == "on")
        self._poll = log.poll
        self._read_head = read_head
        self._grown = grown
        self._is_replica = is_replica
        self._wanted = 0  # somebody said that the log is as long as this
        self._rung = 0  # this process appended up to here, and has said so
        self.told = 0
        """How long the log is at least, as the primary said to this process."""
        self._loop = asyncio.get_running_loop()

    def appended(self, head: int) -> None:
        """Events up to there were appended by this process, or it was told of them."""
        self.learned(head)
        if head > self._rung:
            self._rung = head
            self.bell.ring(str(head))

    def learned(self, head: int) -> None:
        """The primary said that the log is as long as this."""
        self._heard(head)
        self.told = max(self.told, head)

    async def wait(self, after: int, *, until: Callable[[], bool]) -> None:
        """Return when the log has grown beyond ``after``, or when ``until()`` says so. On any event loop."""
        if not self.bell.is_watched:
            self._loop.call_soon_threadsafe(self.bell.watch, self._look, self._hear, self._pause)
        await self._grown.wait(lambda: until() or self.head > after)

    async def close(self) -> None:
        """Tell of the last append if that is due, and end."""
        await self.bell.close()

    def _heard(self, head: int) -> None:
        if head > self._wanted:
            self._wanted = head
            if self._is_replica:
                self.bell.news.set()
            else:
                self._reached(head)

    def _reached(self, head: int) -> None:
        if head > self.head:
            self.head = head
            self._grown.announce()

    async def _look(self) -> None:
        self._reached(await self._read_head())

    def _hear(self, told: str) -> None:
        if told.isdecimal():
            self._heard(int(told))

    def _pause(self) -> float:
        """While a replica lags behind what was told, it is asked often."""
        return _BEHIND_SECONDS if self._wanted > self.head else self._poll
