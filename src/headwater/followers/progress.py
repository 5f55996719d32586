"""How far each follower is, and waking who waits for it. Reads: errors.py. Read next: feed.py.

A waiter costs one future: it is woken by the commit that reaches its position, not by asking again and again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from heapq import heappop, heappush
from itertools import count

from headwater.error_root import again
from headwater.errors import ProjectionBehind, ProjectionError
from headwater.followers.journal import Journal

_Waiting = tuple[int, int, "asyncio.Future[None]"]


class Progress:
    """The positions of all followers of one process. Belongs to one event loop."""

    def __init__(self) -> None:
        self._positions: dict[str, int] = {}
        self._failures: dict[str, ProjectionError] = {}
        self._waiting: dict[str, list[_Waiting]] = {}
        self._turn = count()
        self.building: dict[str, int] = {}
        """Up to where rows include the log that are being built, and are not read yet."""
        self.unready: dict[str, int] = {}
        """Up to where a follower must come before its rows can be read at all."""
        self._waiters = 0
        self._somebody = asyncio.Event()
        self._look: Callable[[], Awaitable[None]] | None = None
        self.journal = Journal()
        self._watching: list[Callable[[str], None]] = []

    # -- for followers

    def advance(self, name: str, position: int) -> None:
        """That follower includes everything up to that position now, and goes on."""
        self._positions[name] = position
        self._failures.pop(name, None)
        waiting = self._waiting.get(name)
        while waiting and waiting[0][0] <= position:
            _wake(heappop(waiting)[2])
        for tell in self._watching:
            tell(name)

    def fail(self, name: str, error: ProjectionError) -> None:
        """That follower has stopped: whoever waits for it learns so at once."""
        self._failures[name] = error
        for _, _, future in self._waiting.pop(name, ()):
            _wake(future)

    def learn_from(self, look: Callable[[], Awaitable[None]]) -> None:
        """Others move these positions: ``look`` takes over how far they are."""
        self._look = look

    async def somebody_waits(self) -> None:
        """Return when there is somebody who waits."""
        await self._somebody.wait()

    # -- for those who wait

    def watch(self, tell: Callable[[str], None]) -> None:
        """Have everything that is learnt of a follower told, with its name: perhaps a part of it moved."""
        self._watching.append(tell)
        self._wait(1)

    def unwatch(self, tell: Callable[[str], None]) -> None:
        """Have it told no longer."""
        self._watching.remove(tell)
        self._wait(-1)

    async def look(self) -> None:
        """Learn how far others are, where nobody follows the log here. Raises ``StoreError``."""
        if self._look is not None:
            await self._look()

    def position(self, names: Iterable[str]) -> int:
        """Up to which position all of them include the log; 0 for no names."""
        return min(map(self._positions.__getitem__, names), default=0)

    def reached(self, names: Iterable[str]) -> int:
        """Like ``position``, of the rows that are being built where there are any."""
        return min((self.building.get(name, self._positions.get(name, 0)) for name in names), default=0)

    def wanted(self, names: Iterable[str], position: int | None) -> int | None:
        """What to wait for before these can be read: that position, or more if one is not ready yet."""
        goals = [self.unready[name] for name in names if name in self.unready] if self.unready else []
        return max((*goals, position or 0)) if goals else position

    def failure(self, name: str) -> ProjectionError | None:
        """Why that follower has stopped, if it has."""
        return self._failures.get(name)

    async def wait_for(self, names: Iterable[str], position: int, timeout: float | None = None) -> None:
        """Return once all of them include that position.

        Raises ``ProjectionBehind`` after ``timeout`` seconds, ``ProjectionFailed`` as soon as one has stopped short.
        """
        behind = [name for name in names if self._positions.get(name, 0) < position]
        if not behind:
            return
        try:
            async with asyncio.timeout(timeout):
                for name in behind:
                    await self._wait_for_one(name, position)
        except TimeoutError:
            raise self.behind(behind, position) from None

    async def _wait_for_one(self, name: str, position: int) -> None:
        while self._positions.get(name, 0) < position:
            if name in self._failures:
                raise again(self._failures[name])
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heappush(self._waiting.setdefault(name, []), (position, next(self._turn), future))
            self._wait(1)
            try:
                await future
            finally:
                self._forget(name, future)
                self._wait(-1)

    def _wait(self, more: int) -> None:
        """So many more wait now."""
        self._waiters += more
        if self._waiters:
            self._somebody.set()
        else:
            self._somebody.clear()

    def _forget(self, name: str, future: asyncio.Future[None]) -> None:
        """Who gave up leaves the heap when its turn comes, or when half of it has given up."""
        waiting = self._waiting.get(name)
        if waiting and future.cancelled() and sum(f.cancelled() for _, _, f in waiting) * 2 > len(waiting):
            self._waiting[name] = sorted(entry for entry in waiting if not entry[2].cancelled())

    def behind(self, names: Sequence[str], wanted: int) -> ProjectionBehind:
        """The error that says how far the hindmost of them is."""
        slowest = min(names, key=lambda name: self._positions.get(name, 0))
        reached = self._positions.get(slowest, 0)
        what = f"{slowest} is at position {reached}, {wanted - reached} behind the wanted {wanted}"
        if slowest in self.building:
            what += f"; it is being built, and has come to {self.building[slowest]}"
        return ProjectionBehind(
            what,
            projection=slowest,
            wanted=wanted,
            reached=reached,
        )


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
