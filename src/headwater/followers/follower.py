"""The follower: this process's part in keeping consumers up to date, alone or beside other processes.

Reads: holding.py, rebuilding.py, watching.py. Read next: projections/projector.py.

It announces itself, takes its share of each consumer's slices, and gives back what others should have. Nobody tells it
to: it compares what should be with what it sees, again and again, so that it comes right after any failure. A range
that it lost without noticing stores nothing (see ``ReadStore.commit``).
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic

import msgspec

from headwater.catalogue import named
from headwater.clock import Clock, SystemClock
from headwater.codec import Codec
from headwater.errors import StoreClosed, StoreError, StoreReadOnly
from headwater.event_store.protocol import EventStore
from headwater.followers.consumer import Consumer, ProjectionStatus
from headwater.followers.holding import Holding
from headwater.followers.parking import Parking
from headwater.followers.progress import Progress
from headwater.followers.rebuilding import Rebuilding
from headwater.followers.retry import Retry
from headwater.followers.running import Runner
from headwater.followers.standing import Standing, paused
from headwater.followers.watching import Watcher
from headwater.followers.worker import this_worker
from headwater.read_store.checkpoints import LEASE_SECONDS, Worker
from headwater.read_store.parking import Pause
from headwater.read_store.protocol import ReadStore

_LOG = logging.getLogger("headwater.followers")
_UNSETTLED_SECONDS = 0.1
_ROUND_SECONDS = 0.5
_GLANCE_SECONDS = 0.05
_RENEWALS = 3


class Follower:
    """Runs consumers on one log and one read store. Belongs to one event loop.

    What a process holds is its own as long as it renews its lease, which ends ``lease_seconds`` after it is heard of
    last: so long a killed process delays what it worked on, unless another one on the same machine sees that it is
    gone.
    """

    def __init__(
        self,
        event_store: EventStore,
        read_store: ReadStore,
        codec: Codec,
        consumers: Sequence[Consumer],
        *,
        progress: Progress,
        retry: Retry | None = None,
        lease_seconds: float = LEASE_SECONDS,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self._events = event_store
        self._clock = clock
        self._rows = read_store
        self._consumers = {consumer.name: consumer for consumer in consumers}
        self._progress = progress
        self._lease_seconds = lease_seconds
        self._standing = Standing(consumers, progress, read_store.serve)
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        types = frozenset(name for consumer in consumers for name in consumer.event_types)
        self._runner = Runner(
            event_store, read_store, codec, types, self._standing, retry or Retry(), self._wake.set, clock
        )
        self._holding = Holding(read_store, self._consumers, self._standing, self._runner)
        self._rebuilding = Rebuilding(read_store, self._standing, self._look, lease_seconds)
        self.parking = Parking(event_store, read_store, codec, self._consumers, clock)
        self._worker = this_worker(self._standing.versions, follows=False)
        self._is_announced = False
        self._attending: asyncio.Task[None] | None = None
        self._shared: Mapping[str, int] = {}
        self._sharing: list[asyncio.Task[None]] = []
        self._watching: asyncio.Task[None] | None = None

    @property
    def worker(self) -> Worker:
        """What this process is to the others."""
        return self._worker

    # -- the life of a follower

    async def prepare(self) -> None:
        """Make room for the rows, find out where everybody stands. Raises ``ContractChanged``, ``StoreError``.

        Whoever follows another version hears of this process first, so that it does not take these rows for left over.
        """
        with suppress(StoreReadOnly):  # it only reads what others have made
            await self._announce()
        await self._rows.prepare([table for consumer in self._consumers.values() for table in consumer.tables])
        is_other = await self._runner.identify()
        fleet = await self._rows.fleet()
        head = await self._events.head()
        await self._rebuilding.learn_versions(fleet, head=0 if is_other else head)
        await self._look()
        for name in self._consumers:
            furthest = self._standing.furthest(name)
            if furthest > head:  # the log lost events that these rows include, at a power cut for example
                _LOG.warning("%s is ahead of the log (%d > %d): building it anew", name, furthest, head)
                await self._rows.reset(name)
        await self._look()

    async def start(self, *, stand_in: bool = False) -> None:
        """Follow the log from now on, in the background, with a fair share of every consumer.

        A ``stand_in`` works only on what no other process follows, so that a moment's visit moves nothing. Where this
        process may not write to the read store, it only watches, and says so.
        """
        try:
            await self._share(self._standing.versions, stand_in=stand_in)
        except StoreReadOnly as error:
            _LOG.warning("this process cannot project, and waits for others to do so: %s", error)
            self._shared = {}
            await self.watch()

    async def watch(self) -> None:
        """Follow nothing, but notice in the background how far other processes are with the same read store."""
        watcher = Watcher(self._rows.news, self._progress, self._look_at_others)

        async def learn() -> None:
            if not self._is_alone():
                await watcher.look()

        self._progress.learn_from(learn)
        self._watching = asyncio.create_task(watcher.run())
        if not self._shared:
            self._attending = asyncio.create_task(self._renew())

    async def stop(self) -> None:
        """Finish the batch, stop following, and hand over at once: what is committed is committed."""
        await self._stop_sharing()
        await _cancelled(self._watching, self._attending)
        self._watching = self._attending = None
        if self._is_announced:
            await self._leave()

    async def caught_up(self, position: int, timeout: float | None = None) -> None:
        """Wait until all consumers include that position, in the version they have here.

        Raises ``ProjectionBehind``, ``ProjectionFailed``.
        """
        began = monotonic()
        await self._progress.wait_for(self._consumers, position, timeout)
        while switching := [name for name in self._consumers if self._standing.is_switching(name)]:
            if timeout is not None and monotonic() - began > timeout:
                raise self._progress.behind(switching, position)
            await asyncio.sleep(_GLANCE_SECONDS)
            await self._look_at_others()

    async def status(self) -> list[ProjectionStatus]:
        """How far each consumer is."""
        head = await self._events.head()
        if not self._shared:
            await self._look()
        parked = Counter((each.projection, each.version) for each in await self._rows.parked())
        versions = self._standing.versions
        return [self._standing.status(name, head, parked[name, versions[name]]) for name in self._consumers]

    async def pause(self, name: str, by: str = "") -> None:
        """Let nobody take a consumer further, until it is resumed. Raises ``UnknownMessage``."""
        self._known(name)
        await self._rows.pause(Pause(projection=name, paused_at=self._clock.now(), paused_by=by))
        await self._notice()

    async def resume(self, name: str) -> None:
        """Let a paused consumer go on. Raises ``UnknownMessage``."""
        self._known(name)
        await self._rows.resume(name)
        await self._notice()

    async def _notice(self) -> None:
        """See at once what was just changed."""
        await (self._reconcile() if self._shared else self._look())

    def _known(self, name: str) -> Consumer:
        return named("projection", name, self._consumers)

    async def rebuild(self, name: str) -> None:
        """Drop what a consumer made and make it anew from the whole log; returns once it includes today's head.

        Raises ``UnknownMessage`` for a name nobody has, ``ProjectionPaused``, and ``ProjectionFailed`` if it stops.
        """
        consumer = self._known(name)
        if name in (await self._rows.fleet()).paused:
            raise paused(name, self._standing.position(name))
        head = await self._events.head()
        epoch = await self._rebuilding.begin(name)
        is_idle = not self._shared
        if is_idle:
            await self._share({name: consumer.version}, stand_in=True)
        else:
            await self._reconcile()
        try:
            await self._rebuilding.switched(name, epoch)
            await self._progress.wait_for([name], head)
        finally:
            if is_idle:
                await self._stop_sharing()

    # -- sharing the work

    async def _share(self, versions: Mapping[str, int], *, stand_in: bool) -> None:
        """Announce this process as a worker on these consumers, and take what it should have."""
        self._worker = msgspec.structs.replace(self._worker, versions=dict(versions), follows=not stand_in)
        self._shared = versions
        await self._announce()
        await self._reconcile()
        self._sharing = [asyncio.create_task(self._renew()), asyncio.create_task(self._keep_sharing())]
        if self._watching is None:
            await self.watch()

    async def _stop_sharing(self) -> None:
        await _cancelled(*self._sharing)
        await self._runner.stop()
        self._shared = {}
        if self._is_announced:
            await self._leave()

    async def _announce(self) -> None:
        await self._rows.announce(self._worker, self._lease_seconds)
        self._is_announced = True

    async def _leave(self) -> None:
        self._is_announced = False
        try:
            await self._rows.leave(self._worker.id)
        except StoreError as error:  # its lease will end by itself
            _LOG.debug("could not say goodbye: %s", error)

    async def _renew(self) -> None:
        """Say again and again that this process lives: one small transaction, whatever it holds.

        One that only watches says so, too: as long as it reads the rows of its version, these stay.
        """
        while True:
            await asyncio.sleep(self._lease_seconds / _RENEWALS)
            try:
                await self._announce()
            except (StoreClosed, StoreReadOnly):
                return
            except StoreError as error:
                _LOG.warning("the lease could not be renewed, trying again: %s", error)

    async def _keep_sharing(self) -> None:
        """Compare what should be with what is, until the store is closed."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_ROUND_SECONDS if self._is_alone() else _UNSETTLED_SECONDS):
                    await self._wake.wait()
            self._wake.clear()
            try:
                await self._reconcile()
            except StoreClosed:
                return
            except StoreError as error:
                _LOG.warning("the read store cannot be read, trying again: %s", error)

    async def _look_at_others(self) -> None:
        """Learn how far they are, if there are any."""
        if not self._is_alone():
            await self._look()

    def _is_alone(self) -> bool:
        """Whether everything is done here, in one piece."""
        return bool(self._shared) and self._standing.is_settled()

    async def _look(self) -> None:
        self._standing.see(await self._rows.fleet())

    async def _reconcile(self) -> None:
        """One comparison, and what follows from it."""
        async with self._turn:
            await self._look()
            await self._holding.agree(self._worker.id)
            if await self._holding.move(self._shared):
                await self._look()
            await self._rebuilding.tidy()
            for name in self._shared:
                await self._rebuilding.give_up(name)
                await self._rebuilding.switch(name)
                if self._standing.position(name) >= await self._events.head():
                    await self._runner.retire(name)


async def _cancelled(*tasks: asyncio.Task[None] | None) -> None:
    for task in filter(None, tasks):
        task.cancel()
    for task in filter(None, tasks):
        with suppress(asyncio.CancelledError):
            await task
