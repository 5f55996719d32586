"""Tells other processes that something is new, and hears it from them: one channel of a database.

Reads: connection.py. Read next: log_head.py (news of the event log), row_news.py (news of a read store).

A notification in the transaction that makes the news would make all commits of the server queue up, so the bell rings
after commits, on a connection of its own, at most once an interval however many there were. Notifications can be lost:
with their connection, or in a pooler. So who watches also looks each ``poll`` seconds, and whenever the connection was
made anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from zlib import crc32

from headwater.backends.postgres.connection import say_goodbye
from headwater.backends.postgres.driver import Connection

_RING_SECONDS = 0.02
_RING = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)"


class Bell:
    """Belongs to the event loop it is made on. ``connect`` opens its connections; without ``notify`` it is silent."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], schema: str, *, poll: float, notify: bool) -> None:
        self.channel = f"headwater_{crc32(schema.encode()):08x}"  # names of channels are short
        self.news = asyncio.Event()  # wakes who watches
        self._connect = connect
        self._poll = poll
        self._notify = notify
        self._loop = asyncio.get_running_loop()
        self._due = asyncio.Event()  # wakes who rings
        self._wanted = self._rung = ""
        self._ringing: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def is_watched(self) -> bool:
        """Whether somebody watches."""
        return self._watching is not None

    def ring(self, news: str) -> None:
        """Tell it to others, soon, unless there are newer news by then."""
        self._wanted = news
        self._due.set()
        if self._notify and self._ringing is None and not self._closed:
            self._ringing = self._loop.create_task(self._ring(), name="headwater bell")

    def watch(
        self, look: Callable[[], Awaitable[None]], hear: Callable[[str], None], pause: Callable[[], float] | None = None
    ) -> None:
        """From now on ``hear`` what others tell, and ``look`` after each new connection and each ``pause()`` seconds.

        Setting ``news`` makes it look at once.
        """
        if self._watching is None and not self._closed:
            watch = self._watch(look, hear, pause or (lambda: self._poll))
            self._watching = self._loop.create_task(watch, name="headwater watch")

    async def close(self) -> None:
        """Ring once more if that is due, and end."""
        self._closed = True
        self._due.set()
        self.news.set()
        if self._ringing is not None:
            await asyncio.wait({self._ringing}, timeout=self._poll)
        for task in (self._ringing, self._watching):
            if task is not None:
                task.cancel()
                await asyncio.wait({task})

    async def _ring(self) -> None:
        """Tell others as long as there is something new to tell. What fails they find out by polling."""
        with suppress(Exception):
            connection = await self._connect()
            try:
                while not self._closed or self._rung != self._wanted:
                    if self._rung != self._wanted:
                        self._rung = self._wanted
                        await connection.execute(_RING, self.channel, self._rung)
                    self._due.clear()
                    await asyncio.sleep(_RING_SECONDS)
                    if self._rung == self._wanted and not self._closed:
                        await self._due.wait()
            finally:
                await say_goodbye(connection)
        self._ringing = None

    async def _watch(
        self, look: Callable[[], Awaitable[None]], hear: Callable[[str], None], pause: Callable[[], float]
    ) -> None:
        listening: Connection | None = None
        try:
            while not self._closed:
                if self._notify and (listening is None or listening.is_closed()):
                    listening = await self._listen(hear)
                self.news.clear()  # before the look, which may miss what comes meanwhile
                with suppress(Exception):  # who waits depends on this task: whatever fails, it looks again
                    await look()
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause()):  # `wait_for` of Python 3.11 may lose a cancellation
                        await self.news.wait()
        finally:
            if listening is not None:
                await say_goodbye(listening)

    async def _listen(self, hear: Callable[[str], None]) -> Connection | None:
        """A connection that hears the bell; ``None`` if it cannot be made now: the next turn tries again."""
        try:
            connection = await self._connect()
        except Exception:  # noqa: BLE001  whatever it is, looking goes on without it
            return None

        def heard(*told: Any) -> None:
            hear(str(told[-1]))

        try:
            connection.add_termination_listener(lambda *_: self.news.set())
            await connection.add_listener(self.channel, heard)
        except BaseException as error:
            connection.terminate()
            if isinstance(error, Exception):  # as above
                return None
            raise
        return connection
