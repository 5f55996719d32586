"""Tells other processes that the log has grown, and hears it from them. Reads: connection.py.

Read next: event_store.py.

A notification in the transaction of an append would make all commits of the server queue up, so the bell rings after
commits, on a connection of its own, at most once an interval however many there were. Notifications can be lost: with
their connection, or in a pooler. So the head is also polled, and read again whenever the connection was made anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from zlib import crc32

from headwater.backends.postgres.connection import PostgresLog, open_connection, say_goodbye
from headwater.backends.postgres.driver import Connection
from headwater.errors import StoreError
from headwater.event_store.waiting import HeadSignal

_RING_SECONDS = 0.02
_BEHIND_SECONDS = 0.01
_RING = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)"


class Bell:
    """Knows how far the log is, as those who read may see it: ``head``. Waiters are woken through ``grown``.

    ``read_head`` asks the database that is read from. ``is_replica`` says that this is another one than appends go to.
    """

    def __init__(
        self, log: PostgresLog, read_head: Callable[[], Awaitable[int]], grown: HeadSignal, *, is_replica: bool
    ) -> None:
        self.head = 0
        self._log = log
        self._read_head = read_head
        self._grown = grown
        self._is_replica = is_replica
        self._wanted = 0  # somebody said that the log is as long as this
        self._rung = 0  # others were told that it is as long as this
        self._own = 0  # this process appended up to here
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()  # wakes who watches
        self._due = asyncio.Event()  # wakes who rings
        self._channel = f"headwater_{crc32(log.schema.encode()):08x}"  # names of channels are short
        self._ringing: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def told(self) -> int:
        """How long the log is at least, as the primary said to this process."""
        return self._own

    def appended(self, head: int) -> None:
        """Events up to there were appended by this process, or it was told of them."""
        self.heard(head)
        if head > self._own:
            self._own = head
            self._due.set()
            if self._log.notify == "on" and self._ringing is None and not self._closed:
                self._ringing = self._loop.create_task(self._ring(), name="headwater bell")

    def heard(self, head: int) -> None:
        """Somebody says that the log is as long as that."""
        if head > self._wanted:
            self._wanted = head
            if self._is_replica:
                self._news.set()
            else:
                self._reached(head)

    async def wait(self, after: int, *, until: Callable[[], bool]) -> None:
        """Return when the log has grown beyond ``after``, or when ``until()`` says so. On any event loop."""
        if self._watching is None:
            self._loop.call_soon_threadsafe(self._watch_from_now_on)
        await self._grown.wait(lambda: until() or self.head > after)

    async def close(self) -> None:
        """Ring once more if that is due, and end."""
        self._closed = True
        self._due.set()
        self._news.set()
        if self._ringing is not None:
            await asyncio.wait({self._ringing}, timeout=self._log.poll)
        for task in (self._ringing, self._watching):
            if task is not None:
                task.cancel()
                await asyncio.wait({task})

    def _reached(self, head: int) -> None:
        if head > self.head:
            self.head = head
            self._grown.announce()

    async def _ring(self) -> None:
        """Tell others as long as there is something new to tell. What fails they find out by polling."""
        with suppress(Exception):
            connection = await open_connection(self._log)
            try:
                while not self._closed or self._rung < self._own:
                    if self._rung < self._own:
                        self._rung = self._own
                        await connection.execute(_RING, self._channel, str(self._rung))
                    self._due.clear()
                    await asyncio.sleep(_RING_SECONDS)
                    if self._rung == self._own and not self._closed:
                        await self._due.wait()
            finally:
                await say_goodbye(connection)
        self._ringing = None

    def _watch_from_now_on(self) -> None:
        if self._watching is None and not self._closed:
            self._watching = self._loop.create_task(self._watch(), name="headwater watch")

    async def _watch(self) -> None:
        """Ask for the head: after each new connection that listens, every ``poll`` seconds, while a replica lags."""
        listening: Connection | None = None
        try:
            while not self._closed:
                if self._log.notify == "on" and (listening is None or listening.is_closed()):
                    listening = await self._listen()
                with suppress(StoreError):
                    self._reached(await self._read_head())
                self._news.clear()
                pause = _BEHIND_SECONDS if self._wanted > self.head else self._log.poll
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):  # `wait_for` of Python 3.11 may lose a cancellation
                        await self._news.wait()
        finally:
            if listening is not None:
                await say_goodbye(listening)

    async def _listen(self) -> Connection | None:
        """A connection that hears the bell; ``None`` if it cannot be made now."""
        try:
            connection = await open_connection(self._log)
        except StoreError:
            return None
        try:
            connection.add_termination_listener(lambda *_: self._news.set())
            await connection.add_listener(self._channel, self._hear)
        except Exception:  # noqa: BLE001  the head is polled, and the next turn tries again
            connection.terminate()
            return None
        return connection

    def _hear(self, *told: Any) -> None:
        payload = told[-1]
        if isinstance(payload, str) and payload.isdecimal():
            self.heard(int(payload))
