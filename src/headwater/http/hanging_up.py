"""Clients that go away before they are answered: what is done for them stops. Reads: exchange.py.

Most answers are there before anybody could look for the client, so nobody looks at first. Read next: queries.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from headwater.http.exchange import Disconnected, Receive

T = TypeVar("T")

_PATIENCE_SECONDS = 0.02


async def unless_gone(receive: Receive, work: Awaitable[T]) -> T:
    """The result of the work. If the client goes away before, the work is cancelled. Raises ``Disconnected``.

    The body of the request has been read: what ``receive`` gives from now on is only that the client is gone.
    """
    watch = _Watch(receive)
    later = asyncio.get_running_loop().call_later(_PATIENCE_SECONDS, watch.begin)
    try:
        done = await work
        if watch.is_gone:  # the cancellation comes with the next turn of the loop; nothing else should meet it
            await asyncio.sleep(0)
        return done
    except asyncio.CancelledError:
        if watch.is_gone and watch.asker.uncancel() == 0:
            raise Disconnected from None
        raise
    finally:
        later.cancel()
        watch.end()


class _Watch:
    """Cancels the task that asks when its client goes away."""

    def __init__(self, receive: Receive) -> None:
        task = asyncio.current_task()
        if task is None:
            msg = "a request is answered in a task"
            raise RuntimeError(msg)
        self.asker = task
        self.is_gone = False
        self._receive = receive
        self._looking: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Look for the client from now on."""
        self._looking = self.asker.get_loop().create_task(self._look())

    def end(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()

    async def _look(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.is_gone = True
        self.asker.cancel()
