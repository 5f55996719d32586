"""Building rows beside those that are served, and letting them take their place. Reads: standing.py, serving.py.

Read next: follower.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from headwater.errors import ProjectionFailed, StoreBusy, StoreReadOnly
from headwater.followers.standing import Standing, paused
from headwater.read_store.checkpoints import Fleet
from headwater.read_store.protocol import ReadStore

_LOG = logging.getLogger("headwater.followers")
_GLANCE_SECONDS = 0.05


class Rebuilding:
    """What a process does about rows that are built beside. ``look`` has ``standing`` see how the fleet is now."""

    def __init__(
        self, read_store: ReadStore, standing: Standing, look: Callable[[], Awaitable[None]], lease_seconds: float
    ) -> None:
        self._rows = read_store
        self._standing = standing
        self._look = look
        self._lease_seconds = lease_seconds
        self._tidy_at: dict[str, float] = {}
        self._given_up: dict[str, Exception] = {}
        self._turned = asyncio.Event()

    async def learn_versions(self, fleet: Fleet, head: int) -> None:
        """Find out which other versions' rows can be read while those of this one are not complete."""
        for name, version in self._standing.versions.items():
            known = [share for share in fleet.shares if share.projection == name]
            others = {share.version for share in known} - {version}
            if not others or any(share.checkpoint.position > head for share in known):
                self._standing.serving.read_own(name)  # rows of another log, or of one that lost its end, help nobody
            readable = [other for other in others if await self._rows.can_serve(name, other)]
            self._standing.serving.may_read(name, frozenset(readable))

    async def begin(self, name: str) -> int:
        """Begin to build beside what is served, or in its place where that cannot be; gives the epoch."""
        self._given_up.pop(name, None)
        await self._look()
        parked = any(each.projection == name for each in await self._rows.parked())
        try:
            if not parked and self._standing.position(name):  # else what is served is not worth keeping
                return await self._rows.build_beside(name)
        except StoreReadOnly as error:
            _LOG.warning("%s is built anew in its place: %s", name, error)
        await self._rows.reset(name)
        return 0

    async def switched(self, name: str, epoch: int) -> None:
        """Wait until that epoch is served.

        Raises ``ProjectionFailed`` if it is given up, here or in another process, and ``ProjectionPaused`` if the
        projection is to stand still: then it goes on when that is over.
        """
        while self._standing.epoch(name) < epoch:
            await self.give_up(name)
            if not self._standing.is_building(name):
                raise self._given_up.pop(name, None) or _given_up_elsewhere(name, self._standing.position(name))
            if name in self._standing.fleet.paused:
                raise paused(name, self._standing.position(name))
            self._turned.clear()
            with suppress(TimeoutError):  # another process may be the one that switches
                async with asyncio.timeout(_GLANCE_SECONDS):
                    await self._turned.wait()
            await self._look()

    async def give_up(self, name: str) -> None:
        """Forget what is built beside if an event fails here for good, so that all who wait for it hear of that."""
        failure = self._standing.failure_beside(name)
        if failure is not None:
            self._given_up[name] = failure
            await self._rows.abandon(name)
            await self._look()
            self._turned.set()

    async def switch(self, name: str) -> None:
        """Let rows that were built beside take their place, once they are as far as those before."""
        if not self._standing.is_overtaken(name):
            return
        if await self._rows.switch(name):
            await self._look()
            self._turned.set()
            self._tidy_at[name] = asyncio.get_running_loop().time() + 2 * self._lease_seconds

    async def tidy(self) -> None:
        """Drop rows that were replaced, when everybody must have noticed that they were."""
        now = asyncio.get_running_loop().time()
        for name in [name for name, at in self._tidy_at.items() if at <= now]:
            del self._tidy_at[name]
            try:
                await self._rows.tidy(name)
            except StoreBusy as error:  # somebody reads them still
                _LOG.debug("the rows of %s from before stay a while: %s", name, error)
                self._tidy_at[name] = now + self._lease_seconds


def _given_up_elsewhere(name: str, position: int) -> ProjectionFailed:
    return ProjectionFailed(
        f"{name} is not built anew: an event failed again and again in another process, and the rows from before stay",
        remedy=f"read the log of that process, correct what it says, then rebuild {name}",
        projection=name,
        position=position,
    )
