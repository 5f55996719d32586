"""Waiting for the log to grow, on any number of event loops. Reads: nothing. Read next: memory.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Lock


class HeadSignal:
    """Wakes who waits for the log to grow. ``announce`` may be called on any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}

    def announce(self) -> None:
        """Wake everybody: the log grew, or the store was closed."""
        if not self._waiting:
            return
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for loop, futures in waiting.items():
            try:
                loop.call_soon_threadsafe(_wake, futures)
            except RuntimeError:  # the loop was closed, and with it whoever waited there
                continue

    async def wait(self, is_there: Callable[[], bool], *, poll_seconds: float | None = None) -> None:
        """Return when ``is_there()`` says so: asked now, after each announcement, and every ``poll_seconds``.

        The waiter signs up before it asks, so that growth between the two is not missed.
        """
        loop = asyncio.get_running_loop()
        while True:
            future: asyncio.Future[None] = loop.create_future()
            with self._lock:
                self._waiting.setdefault(loop, []).append(future)
            timer = loop.call_later(poll_seconds, _wake, [future]) if poll_seconds is not None else None
            try:
                if is_there():
                    return
                await future
            finally:
                if timer is not None:
                    timer.cancel()
                self._forget(loop, future)

    def _forget(self, loop: asyncio.AbstractEventLoop, future: asyncio.Future[None]) -> None:
        with self._lock:
            futures = self._waiting.get(loop)
            if futures is not None and future in futures:
                futures.remove(future)
                if not futures:
                    del self._waiting[loop]


def _wake(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
