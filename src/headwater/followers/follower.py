"""The follower: this process's part in keeping consumers up to date, alone or beside other processes.

Reads: sharing.py, standing.py, running.py. Read next: projections/projector.py.

It announces itself, takes its share of each consumer's slices, and gives back what others should have. Nobody tells it
to: it compares what should be with what it sees, again and again, so that it comes right after any failure. A range
that it lost without noticing stores nothing (see ``ReadStore.commit``).
"""

from __future__ import annotations

import asyncio
import difflib
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import takewhile

from headwater.clock import Clock, SystemClock
from headwater.codec import Codec
from headwater.errors import StoreClosed, StoreError, StoreReadOnly, UnknownMessage
from headwater.event_store.protocol import EventStore
from headwater.followers.consumer import Consumer, ProjectionStatus
from headwater.followers.groups import Member
from headwater.followers.parking import Parking
from headwater.followers.progress import Progress
from headwater.followers.running import Retry, Runner
from headwater.followers.sharing import claims, live_workers, merged, releases
from headwater.followers.standing import Standing, paused
from headwater.followers.watching import Watcher
from headwater.followers.worker import is_gone, this_worker
from headwater.read_store.checkpoints import Checkpoint, Regrant, Share, Worker
from headwater.read_store.parking import Pause, skips_of
from headwater.read_store.protocol import ReadStore

_LOG = logging.getLogger("headwater.followers")
_UNSETTLED_SECONDS = 0.1
_ROUND_SECONDS = 0.5
_RENEWALS = 3
LEASE_SECONDS = 5.0


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
        self._standing = Standing(consumers, progress)
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        types = frozenset(name for consumer in consumers for name in consumer.event_types)
        self._runner = Runner(
            event_store, read_store, codec, types, self._standing, retry or Retry(), self._wake.set, clock
        )
        self.parking = Parking(event_store, read_store, codec, self._consumers, clock)
        self._worker = this_worker(self._standing.versions, follows=True)
        self._shared: Mapping[str, int] = {}
        self._sharing: list[asyncio.Task[None]] = []
        self._watching: asyncio.Task[None] | None = None

    @property
    def worker(self) -> Worker:
        """What this process is to the others."""
        return self._worker

    # -- the life of a follower

    async def prepare(self) -> None:
        """Make room for the rows, find out where everybody stands. Raises ``ContractChanged``, ``StoreError``."""
        await self._rows.prepare([table for consumer in self._consumers.values() for table in consumer.tables])
        await self._runner.identify()
        await self._look()
        head = await self._events.head()
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

    async def stop(self) -> None:
        """Finish the batch, stop following, and hand over at once: what is committed is committed."""
        await self._stop_sharing()
        await _cancelled(self._watching)
        self._watching = None

    async def caught_up(self, position: int, timeout: float | None = None) -> None:
        """Wait until all consumers include that position. Raises ``ProjectionBehind``, ``ProjectionFailed``."""
        await self._progress.wait_for(self._consumers, position, timeout)

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
        consumer = self._consumers.get(name)
        if consumer is None:
            raise UnknownMessage("projection", name, *difflib.get_close_matches(name, self._consumers, 1))
        return consumer

    async def rebuild(self, name: str) -> None:
        """Drop what a consumer made and make it anew from the whole log; returns once it includes today's head.

        Raises ``UnknownMessage`` for a name nobody has, ``ProjectionPaused``, and ``ProjectionFailed`` if it stops.
        """
        consumer = self._known(name)
        if name in (await self._rows.fleet()).paused:
            raise paused(name, self._standing.position(name))
        head = await self._events.head()
        await self._rows.reset(name)
        is_idle = not self._shared
        if is_idle:
            await self._share({name: consumer.version}, stand_in=True)
        else:
            await self._reconcile()
        try:
            await self._progress.wait_for([name], head)
        finally:
            if is_idle:
                await self._stop_sharing()

    # -- sharing the work

    async def _share(self, versions: Mapping[str, int], *, stand_in: bool) -> None:
        """Announce this process as a worker on these consumers, and take what it should have."""
        self._worker = this_worker(versions, follows=not stand_in)
        self._shared = versions
        await self._rows.announce(self._worker, self._lease_seconds)
        await self._reconcile()
        self._sharing = [asyncio.create_task(self._renew()), asyncio.create_task(self._keep_sharing())]
        if self._watching is None:
            await self.watch()

    async def _stop_sharing(self) -> None:
        await _cancelled(*self._sharing)
        await self._runner.stop()
        if self._shared:
            self._shared = {}
            try:
                await self._rows.leave(self._worker.id)
            except StoreError as error:  # its lease will end by itself
                _LOG.debug("could not say goodbye: %s", error)

    async def _renew(self) -> None:
        """Say again and again that this process lives: one small transaction, whatever it holds."""
        while True:
            await asyncio.sleep(self._lease_seconds / _RENEWALS)
            try:
                await self._rows.announce(self._worker, self._lease_seconds)
            except StoreClosed:
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
            await self._agree()
            await self._move()
            for name in self._shared:
                if self._standing.position(name) >= await self._events.head():
                    await self._runner.retire(name)

    async def _agree(self) -> None:
        """Work on what this process holds, and on nothing else."""
        for member in self._standing.members:
            if self._standing.stored(member) is None or member.name in self._standing.fleet.paused:
                await self._runner.dismiss(member)
        mine = [share for share in self._standing.fleet.shares if share.checkpoint.owner == self._worker.id]
        # Granted, although the answer did not arrive.
        await self._work_on([(share, share.checkpoint) for share in mine if self._standing.member_of(share) is None])

    async def _move(self) -> None:
        """Give back what is too much, take what is free, join what belongs together."""
        fleet = self._standing.fleet
        me = self._worker.id
        gone = [worker.id for worker in fleet.workers if worker.id != me and worker.is_live and is_gone(worker)]
        live = live_workers(fleet, gone) | {me}
        given = releases(fleet, me, self._shared, live)
        for regrant in given:
            await self._give_back(regrant)
        united = await self._unite()
        taken = await self._take(claims(fleet, me, self._shared, live))
        if given or united or taken:
            await self._look()

    async def _give_back(self, regrant: Regrant) -> None:
        """Release a range or its top, between two batches."""
        member = self._standing.member_of(regrant.before[0])
        if member is None:
            return
        if member.group is None:  # it waits to try an event again, or has given up: it begins anew with what it keeps
            await member.withdraw()
            kept = await self._regranted(member, regrant)
            self._runner.admit([member] if kept else [])
            return
        async with member.at_rest():
            if not await self._regranted(member, regrant):
                member.part()

    async def _regranted(self, member: Member, regrant: Regrant) -> bool:
        """Store a regrant of a member's range; whether some of it is left to the member."""
        (made,) = await self._rows.regrant([regrant])
        kept = [each for each in made or () if each.owner == self._worker.id]
        if kept:
            member.checkpoint = kept[0]
        else:
            self._standing.drop(member)
        return bool(kept)

    async def _unite(self) -> bool:
        """Make neighbouring ranges one that go through the log together, at the same place."""
        is_done = False
        for first, *others in _neighbours(self._standing.members):
            async with first.at_rest():
                level = [first, *takewhile(lambda each: _is_level(each, first), others)]  # noqa: B023  used at once
                is_done |= len(level) > 1 and await self._united(level)
        return is_done

    async def _united(self, members: Sequence[Member]) -> bool:
        shares = [Share(member.name, member.consumer.version, member.checkpoint) for member in members]
        (made,) = await self._rows.regrant([merged(shares, self._worker.id)])
        if made:
            members[0].checkpoint = made[0]
            for member in members[1:]:
                members[0].join(member)
                member.part()
                self._standing.drop(member)
        return bool(made)

    async def _take(self, regrants: Sequence[Regrant]) -> bool:
        """Claim ranges, and go through the log with those that were granted."""
        made = await self._rows.regrant(regrants) if regrants else ()
        granted = [
            (regrant.before[0], each)
            for regrant, parts in zip(regrants, made, strict=True)
            for each in parts or ()
            if each.owner == self._worker.id
        ]
        await self._work_on(granted)
        return bool(granted)

    async def _work_on(self, granted: Sequence[tuple[Share, Checkpoint]]) -> None:
        """Go through the log with these ranges, leaving out what is parked now that they are granted."""
        wanted = [(share, at) for share, at in granted if share.projection not in self._standing.fleet.paused]
        parked = await self._rows.parked() if wanted else ()
        members = [
            Member(self._consumers[share.projection], at, skips_of(parked, share.projection, share.version))
            for share, at in wanted
        ]
        for member in members:
            self._standing.add(member)
        self._runner.admit(members)


async def _cancelled(*tasks: asyncio.Task[None] | None) -> None:
    for task in filter(None, tasks):
        task.cancel()
    for task in filter(None, tasks):
        with suppress(asyncio.CancelledError):
            await task


def _neighbours(members: Sequence[Member]) -> list[list[Member]]:
    """Ranges of one consumer and epoch, of which each begins where the one before it ends."""
    found: list[list[Member]] = []
    for member in sorted(members, key=lambda each: (each.name, each.checkpoint.epoch, each.checkpoint.low)):
        if found and _touch(found[-1][-1], member):
            found[-1].append(member)
        else:
            found.append([member])
    return found


def _touch(lower: Member, upper: Member) -> bool:
    one, other = lower.checkpoint, upper.checkpoint
    return (lower.name, one.epoch, one.high + 1) == (upper.name, other.epoch, other.low)


def _is_level(one: Member, other: Member) -> bool:
    return one.group is not None and one.group is other.group and one.position == other.position
