"""The follower: takes events from the log, has them folded, commits what comes out with the checkpoints.

Reads: feed.py, consumer.py, progress.py. Read next: groups.py, projections/projector.py.

Consumers at the same place go together as a group: the log is read and decoded once for all of them, and one commit
stores what they make of it. One group is live. Who is far behind catches up in a group of its own and then joins it.
An event that fails is tried again after a while, by its consumer alone, so that the others go on.
"""

from __future__ import annotations

import asyncio
import difflib
import logging
import random
from collections.abc import Coroutine, Iterable, Sequence
from contextlib import aclosing, suppress
from typing import Any

import msgspec

from headwater.codec import Codec
from headwater.errors import ProjectionError, ProjectionFailed, StoreClosed, StoreError, UnknownMessage
from headwater.event_store.protocol import EventQuery, EventStore, Slice
from headwater.followers.consumer import Consumer, Fault, Folded, ProjectionStatus
from headwater.followers.feed import Fact, after, facts_of
from headwater.followers.groups import Group, Member, slices_of
from headwater.followers.progress import Progress
from headwater.followers.watching import Watcher
from headwater.read_store.protocol import Changes, ReadStore

_LOG = logging.getLogger("headwater.followers")
_BATCH = 1_000


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """How often an event is tried, and how long to wait before each further try: doubled each time, with jitter."""

    attempts: int = 5
    first_seconds: float = 0.05
    longest_seconds: float = 5.0

    def seconds(self, attempt: int) -> float:
        """How long to wait after that many failures."""
        return min(self.longest_seconds, self.first_seconds * 2.0 ** min(attempt - 1, 30)) * random.uniform(0.5, 1.0)


class Follower:
    """Runs consumers on one log and one read store. Belongs to one event loop."""

    def __init__(
        self,
        event_store: EventStore,
        read_store: ReadStore,
        codec: Codec,
        consumers: Sequence[Consumer],
        *,
        progress: Progress,
        retry: Retry | None = None,
    ) -> None:
        self._events = event_store
        self._rows = read_store
        self._codec = codec
        self._progress = progress
        self._retry = retry or Retry()
        self._members = {consumer.name: Member(consumer) for consumer in consumers}
        self._types = frozenset(name for consumer in consumers for name in consumer.event_types)
        self._live: Group | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = b""

    # -- the life of a follower

    async def prepare(self) -> None:
        """Make room for the rows, find out where everybody stands. Raises ``ContractChanged``, ``StoreError``."""
        await self._rows.prepare([table for m in self._members.values() for table in m.consumer.tables])
        await self._identify()
        await self._look_up(self._members.values())
        head = await self._events.head()
        for member in self._members.values():
            if member.position > head:  # the log lost events that these rows include, at a power cut for example
                _LOG.warning("%s is ahead of the log (%d > %d): building it anew", member.name, member.position, head)
                await self._rows.reset(member.name)
        await self._look_up(self._members.values())

    async def start(self) -> None:
        """Follow the log from now on, in the background."""
        places: dict[int, list[Member]] = {}
        for member in self._members.values():
            member.settle(live=False)  # until its first look at the log: it is under way, not stopped
            places.setdefault(member.position, []).append(member)
        for position in sorted(places):
            group = Group(places[position], position)
            self._live = group
            self._spawn(self._run(group))

    async def watch(self) -> None:
        """Follow nothing, but notice in the background how far another process has come with the same read store."""
        watcher = Watcher(self._rows.news, self._progress, lambda: self._look_up(self._members.values()))
        self._progress.learn_from(watcher.look)
        self._spawn(watcher.run())

    async def stop(self) -> None:
        """Stop following. What is committed is committed; the rest is taken up at the next start."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._live = None
        for member in self._members.values():
            member.state = "stopped"

    async def caught_up(self, position: int, timeout: float | None = None) -> None:
        """Wait until all consumers include that position. Raises ``ProjectionBehind``, ``ProjectionFailed``."""
        await self._progress.wait_for(self._members, position, timeout)

    async def status(self) -> list[ProjectionStatus]:
        """How far each consumer is."""
        head = await self._events.head()
        if self._live is None:
            await self._look_up(self._members.values())
        return [member.status(head) for member in self._members.values()]

    async def rebuild(self, name: str) -> None:
        """Drop what a consumer made and make it anew from the whole log; returns once it includes today's head.

        Raises ``UnknownMessage`` for a name nobody has, ``ProjectionFailed`` if it stops on an event.
        """
        member = self._members.get(name)
        if member is None:
            raise UnknownMessage("projection", name, *difflib.get_close_matches(name, self._members, 1))
        head = await self._events.head()
        await member.withdraw()
        await self._rows.reset(name)
        await self._look_up([member])
        group = Group([member], 0)
        if self._live is None:
            await self._catch_up(group, head)
        else:
            self._spawn(self._run(group))
        await self._progress.wait_for([name], head)

    # -- groups

    async def _run(self, group: Group) -> None:
        """Follow the log with a group until it has joined the live one, or for good if it is the live one."""
        failures = 0
        while True:
            try:
                if await self._listen(group):
                    return
                failures = 0
            except StoreClosed:
                return
            except Exception as error:  # noqa: BLE001  whatever it is, standing still unseen would be worse
                failures += 1
                _LOG.warning("following stumbled, trying again: %r", error, exc_info=error)
                group.stumble(error)
                await asyncio.sleep(self._retry.seconds(failures))

    async def _listen(self, group: Group) -> bool:
        """Take slices as they come; true if the group has come to its end, false if it must read again from before."""
        query = _query(self._types if group is self._live else group.event_types)
        async with aclosing(slices_of(self._events, query, group.position)) as pages:
            async for page in pages:
                async with group.lock:
                    await self._take(group, page)
                if group is not self._live and await self._join(group):
                    return True
                if group.must_reread:
                    group.must_reread = False
                    break
        return False

    async def _join(self, group: Group) -> bool:
        """Hand the group's members to the live one if they are about level with it."""
        live = self._live
        if live is None or not group.members:
            return True
        if group.position + _BATCH < live.position:
            return False
        async with live.lock:
            await self._catch_up(group, live.position)
            live.admit(group)
        return True

    async def _catch_up(self, group: Group, position: int) -> None:
        """Take the group up to exactly that position."""
        while group.position < position and group.members:
            page = await self._events.read(_query(group.event_types), after=group.position, limit=_BATCH)
            events = [event for event in page.events if event.position <= position]
            reached = events[-1].position if len(events) == _BATCH else position
            await self._take(group, Slice(events, reached))

    # -- one slice

    async def _take(self, group: Group, page: Slice) -> None:
        """Decode a slice once, have it folded by every member, commit it."""
        if not self._log:
            await self._identify()
        facts = facts_of(page.events, group.event_types, self._codec)
        members = [member for member in group.members if member.position < page.head]
        if await self._process(members, facts, page.head):
            group.position = page.head
            return
        await self._look_up(group.members)
        for member in group.regroup(_BATCH):
            self._spawn(self._run(Group([member], member.position)))

    async def _process(self, members: Sequence[Member], facts: Sequence[Fact], head: int) -> bool:
        """Fold and commit; false if another process was faster. If rows are refused, find the event to blame."""
        folded: list[tuple[Member, Folded]] = []
        try:
            for member in members:
                if member.group is not None:
                    mine = after(facts, member.position)
                    folded.append((member, await member.consumer.fold(mine, member.checkpoint, head)))
                    await asyncio.sleep(0)  # a batch takes milliseconds; others want the loop too
            moved = await self._commit([each.changes for _, each in folded])
        except ProjectionError as error:
            return await self._find_fault(members, facts, head, error)
        if moved:
            return False
        for member, each in folded:
            await self._advance(member, each)
        return True

    async def _find_fault(self, members: Sequence[Member], facts: Sequence[Fact], head: int, error: Exception) -> bool:
        """Halve the batch until one member and one event are left."""
        if len(members) > 1:
            return all([await self._process([member], facts, head) for member in members])
        if len(facts) > 1:
            half = len(facts) // 2
            is_done = await self._process(members, facts[:half], facts[half - 1].position)
            return is_done and await self._process(members, facts[half:], head)
        self._stumble(members[0], Fault(facts[0].position if facts else head, error))
        return True

    async def _commit(self, changes: Sequence[Changes]) -> frozenset[str]:
        """Commit, however long the disk is full or the file is locked. Raises ``ProjectionError`` for unfit rows."""
        failures = 0
        while changes:
            try:
                return await self._rows.commit(changes)
            except StoreClosed:
                raise
            except StoreError as error:
                failures += 1
                _LOG.warning("the read store did not take a batch, trying again: %s", error)
                for each in changes:
                    self._members[each.projection].error = error
                await asyncio.sleep(self._retry.seconds(failures))
        return frozenset()

    async def _advance(self, member: Member, folded: Folded) -> None:
        """The batch is stored: say so, and set aside who stumbled in it."""
        member.reach(folded.changes.position)
        if folded.fault is None:
            if not member.is_current and member.position >= await self._events.head():
                await self._rows.retire(member.name)
                member.is_current = True
            member.settle(live=member.group is self._live)
        self._progress.advance(member.name, member.position)
        if folded.fault is not None:
            self._stumble(member, folded.fault)

    # -- faults

    def _stumble(self, member: Member, fault: Fault) -> None:
        """Try the event again later, or give up."""
        member.set_aside(fault)
        if member.attempts < self._retry.attempts:
            member.state = "retrying"
            member.waiting = self._spawn(self._try_again(member))
            return
        failed = ProjectionFailed(
            f"{member.name} stopped at position {fault.position}: {type(fault.cause).__name__}: {fault.cause}",
            remedy=f"correct it, then open the application again, or rebuild {member.name}",
            projection=member.name,
            position=fault.position,
        )
        failed.__cause__ = fault.cause
        member.error, member.state = failed, "failed"
        _LOG.error("%s", failed, exc_info=fault.cause)
        self._progress.fail(member.name, failed)

    async def _try_again(self, member: Member) -> None:
        await asyncio.sleep(self._retry.seconds(member.attempts))
        member.waiting = None
        group = Group([member], member.position)
        if self._live is not None:
            self._spawn(self._run(group))
        else:  # rebuilding, while nobody follows
            await self._catch_up(group, await self._events.head())

    # -- where everybody stands

    async def _look_up(self, members: Iterable[Member]) -> None:
        """Take over the stored checkpoints, which another process may have moved."""
        stored = await self._rows.checkpoints()
        for member in members:
            member.checkpoint = stored[member.name]
            self._progress.advance(member.name, member.position)

    async def _identify(self) -> None:
        """Make sure that the rows come from this log and no other."""
        first = await self._events.read(limit=1)
        self._log = first.events[0].raw_id if first.events else b""
        if await self._rows.identify(self._log):
            _LOG.warning("the read store was filled from another log: building everything anew")
            await self._look_up(self._members.values())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _query(types: frozenset[str]) -> EventQuery:
    return EventQuery.of(types=sorted(types))
