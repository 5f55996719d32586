"""The run of members through the log: take a slice, have it folded, commit, and what to do when that fails.

Reads: batch.py, retry.py, standing.py. Read next: follower.py.

Members at the same place go together as a group: the log is read and decoded once for all of them, and one commit
stores what they make of it. One group is live. Who is far behind catches up in a group of its own and then joins it.
An event that fails is tried again after a while, by its member alone, so that the others go on; then its sequence is
parked, and the member goes on without it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import aclosing, suppress
from typing import Any

from headwater.clock import Clock
from headwater.codec import Codec
from headwater.errors import ProjectionError, ProjectionFailed, StoreBusy, StoreClosed, StoreError
from headwater.event_store.protocol import EventQuery, EventStore
from headwater.followers.batch import Batch
from headwater.followers.consumer import Fault
from headwater.followers.feed import Fact, facts_of
from headwater.followers.groups import Group, Member, Stretch, stretches_of
from headwater.followers.retry import Retry
from headwater.followers.standing import Standing
from headwater.read_store.parking import Parked, error_text, sequence_at
from headwater.read_store.protocol import Changes, ReadStore

_LOG = logging.getLogger("headwater.followers")
_BATCH = 1_000
_FAREWELL_SECONDS = 2.0
_RETIRE_AGAIN_SECONDS = 5.0


class Runner:
    """Takes the members of this process through the log. ``wake`` is called when there is something to reconcile.

    That is when ranges turn out to be lost, and when rows that were built beside can take their place.
    """

    def __init__(
        self,
        event_store: EventStore,
        read_store: ReadStore,
        codec: Codec,
        types: frozenset[str],
        standing: Standing,
        retry: Retry,
        wake: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._events = event_store
        self._rows = read_store
        self._codec = codec
        self._types = types
        self._standing = standing
        self._retry = retry
        self._wake = wake
        self._clock = clock
        self._live: Group | None = None
        self._retire_at: dict[str, float] = {}
        self._log = b""
        self.tasks: set[asyncio.Task[None]] = set()

    # -- who runs

    def admit(self, members: Iterable[Member]) -> None:
        """Take these along, each from where it stands. Who is furthest is live; the others catch up."""
        places: dict[int, list[Member]] = {}
        for member in members:
            member.settle(live=False)  # until its first look at the log: it is under way, not stopped
            places.setdefault(member.position, []).append(member)
        for position in sorted(places):
            group = Group(places[position], position)
            live = self._live
            if live is None or not live.members or position > live.position + _BATCH:
                self._live = group
            self._start(group)

    async def dismiss(self, member: Member) -> None:
        """Take it along no further, from the end of its batch."""
        await member.withdraw()
        self._standing.drop(member)

    async def stop(self) -> None:
        """Finish the batches that are under way, unless that takes long, and take nobody along any more."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_SECONDS):
                for group in {member.group for member in self._standing.members}:
                    if group is not None:
                        await group.lock.acquire()  # for good: nobody goes on with it
        tasks = list(self.tasks)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        self._live = None
        for member in self._standing.members:
            self._standing.drop(member)

    # -- groups

    def _start(self, group: Group) -> None:
        self._spawn(self._run(group))

    async def _run(self, group: Group) -> None:
        """Follow the log with a group until it has joined the live one, or for good if it is the live one."""
        failures = 0
        while group.members:  # they may all be gone before it begins
            try:
                if await self._listen(group):
                    return
                failures = 0
            except StoreClosed:
                return
            except Exception as error:  # noqa: BLE001  whatever it is, standing still unseen would be worse
                failures += 1
                is_known = isinstance(error, StoreError)
                _LOG.warning("following stumbled, trying again: %s", error, exc_info=None if is_known else error)
                group.stumble(error)
                await asyncio.sleep(self._retry.seconds(failures))

    async def _listen(self, group: Group) -> bool:
        """Take slices as they come; true if the group has come to its end, false if it must read again from before."""
        query = _query(self._types if group is self._live else group.event_types)
        async with aclosing(stretches_of(self._events, query, group.position)) as pages:
            async for page in pages:
                async with group.lock:
                    await self._take(group, page, pages)
                if group is not self._live and await self._join(group):
                    return True
                if group.must_reread:
                    group.must_reread = False
                    break
        return False

    async def _join(self, group: Group) -> bool:
        """Hand the group's members to the live one if they are about level with it."""
        if not group.members:
            return True
        live = self._live
        if live is None or not live.members:  # nobody is ahead any more
            self._live = group
            group.must_reread = True  # with the events of all, because others may join
            for member in group.members:
                member.settle(live=True)
            return False
        if group.position + _BATCH < live.position:
            return False
        async with live.lock:
            if live is not self._live or not live.members:
                return False
            await self._catch_up(group, live.position)
            live.admit(group)
        return True

    async def _catch_up(self, group: Group, position: int) -> None:
        """Take the group up to exactly that position."""
        while group.position < position and group.members:
            page = await self._events.read(_query(group.event_types), after=group.position, limit=_BATCH)
            events = [event for event in page.events if event.position <= position]
            reached = events[-1].position if len(events) == _BATCH else position
            await self._take(group, Stretch(events, reached))

    # -- one slice of the log

    async def _take(self, group: Group, page: Stretch, more: AsyncIterator[Stretch] | None = None) -> None:
        """Decode a slice once, have it folded by every member, commit it; several while more comes at once."""
        if not self._log and await self.identify():
            await self._look_again(group)
        batch = Batch(group.members)
        facts = facts_of(page.events, group.event_types, self._codec)
        try:
            await batch.fold(facts, page.head)
            while more and page.is_cut and page.head > group.one_by_one and batch.may_grow:
                page = await anext(more)
                facts = facts_of(page.events, group.event_types, self._codec)
                await batch.fold(facts, page.head)
            is_stored = await self._store(batch)
        except ProjectionError as error:
            if batch.slices > 1:
                group.must_reread, group.one_by_one = True, page.head
                return
            is_stored = await self._find_fault(batch.members, facts, page.head, error)
        if is_stored:
            group.position = page.head
            return
        await self._look_again(group)
        for member in group.regroup(_BATCH):
            self._start(Group([member], member.position))

    async def _look_again(self, group: Group) -> None:
        """Somebody moved checkpoints of this group, or took ranges away from it: see which, and go on with the rest."""
        self._standing.see(await self._rows.fleet())
        for member in list(group.members):
            stored = self._standing.stored(member)
            if stored is None:
                member.part()
                self._standing.drop(member)
                self._wake()
            else:
                member.checkpoint = stored
                self._standing.tell(member.name)

    async def _store(self, batch: Batch) -> bool:
        """Commit; false if another process was faster. Raises ``ProjectionError`` for rows that cannot be stored."""
        outcomes = batch.outcomes()
        changes = [each for _, each, _ in outcomes]
        if await self._commit(changes, batch.members):
            return False
        self._standing.note(changes)
        for member, stored, fault in outcomes:
            await self._advance(member, stored, fault)
        return True

    async def _find_fault(self, members: Sequence[Member], facts: Sequence[Fact], head: int, error: Exception) -> bool:
        """Halve the batch until one member and one event are left."""
        if len(members) > 1:
            return all([await self._process([member], facts, head) for member in members])
        if len(facts) > 1:
            half = len(facts) // 2
            is_done = await self._process(members, facts[:half], facts[half - 1].position)
            return is_done and await self._process(members, facts[half:], head)
        (member,) = members
        fault = Fault(head, error)
        if facts:
            fault = member.consumer.blame(facts[0], error, member.checkpoint)
        self._stumble(member, fault)
        return True

    async def _process(self, members: Sequence[Member], facts: Sequence[Fact], head: int) -> bool:
        """Fold and commit part of a batch; false if another process was faster."""
        batch = Batch(member for member in members if member.group is not None)
        try:
            await batch.fold(facts, head)
            return await self._store(batch)
        except ProjectionError as error:
            return await self._find_fault(batch.members, facts, head, error)

    async def _commit(self, changes: Sequence[Changes], members: Sequence[Member]) -> frozenset[str]:
        """Commit, however long the disk is full or the file is locked. Raises ``ProjectionError`` for unfit rows."""

        def failed(error: StoreError) -> None:
            _LOG.warning("the read store did not take a batch, trying again: %s", error)
            for member in members:
                member.error = error

        return await self._retry.persist(lambda: self._rows.commit(changes), failed) if changes else frozenset()

    async def _advance(self, member: Member, stored: Changes, fault: Fault | None) -> None:
        """The batch is stored: say so, and set aside who stumbled in it."""
        member.reach(stored)
        if fault is None:
            member.settle(live=member.group is self._live)
        if self._standing.others(member.name) and self._standing.position(member.name) >= await self._events.head():
            await self.retire(member.name)
        self._standing.tell(member.name)
        if self._standing.is_overtaken(member.name):
            self._wake()
        if fault is not None:
            self._stumble(member, fault)

    async def retire(self, name: str) -> None:
        """Once a projection has caught up, what older versions left behind goes, unless a process still uses it.

        A newer version may belong to a process that has just made its tables, and has yet to announce itself.
        """
        now = asyncio.get_running_loop().time()
        others = self._standing.others(name)
        if not others or max(others) > self._standing.versions[name] or now < self._retire_at.get(name, now):
            return
        if self._standing.is_alone_in_version(name):
            self._retire_at[name] = now + _RETIRE_AGAIN_SECONDS  # they may come back, or this role may not drop them
            try:
                await self._rows.retire(name)
            except StoreBusy as error:  # somebody reads it still
                _LOG.debug("the tables of older versions of %s stay a while: %s", name, error)

    # -- faults

    def _stumble(self, member: Member, fault: Fault) -> None:
        """Try the event again later, then go on without its sequence."""
        member.set_aside(fault)
        member.state = "retrying"
        is_last = member.attempts >= self._retry.tries(patient=not member.skips)
        if is_last and self._standing.is_beside(member):  # better no new rows than rows that lack something
            self._give_up(member, fault, 0)
            return
        member.waiting = self._spawn(self._park(member, fault) if is_last else self._try_again(member))

    async def _park(self, member: Member, fault: Fault) -> None:
        """Set the sequence aside that failed, and go on with the others; or give up, if there are too many."""
        version = member.consumer.version
        parked = Parked(
            projection=member.name,
            version=version,
            sequence=sequence_at(fault.key, fault.position),
            position=fault.position,
            event=fault.event,
            error=error_text(fault.cause),
            attempts=member.attempts,
            parked_at=self._clock.now(),
        )
        there = sum((each.projection, each.version) == (member.name, version) for each in await self._parked())
        member.waiting = None
        if not fault.event or there >= self._retry.most_parked:
            self._give_up(member, fault, there)
            return
        _LOG.warning(
            "%s parks %s at position %d: %s",
            *(member.name, parked.sequence, parked.position, parked.error),
            exc_info=fault.cause,
        )
        member.park(parked)
        self._start(Group([member], member.position))

    async def _parked(self) -> Sequence[Parked]:
        """What is parked, however long the read store cannot be read."""

        def failed(error: StoreError) -> None:
            _LOG.warning("the read store cannot be read, trying again: %s", error)

        try:
            return await self._retry.persist(self._rows.parked, failed)
        except StoreClosed:
            return ()

    def _give_up(self, member: Member, fault: Fault, parked: int) -> None:
        failed = ProjectionFailed(
            f"{member.name} stopped at position {fault.position}"
            f"{f' with {parked:,} sequences parked' if parked else ''}: {error_text(fault.cause)}",
            remedy=f"correct it, then open the application again, or rebuild {member.name}",
            projection=member.name,
            position=fault.position,
        )
        failed.__cause__ = fault.cause
        member.error, member.state = failed, "failed"
        _LOG.error("%s", failed, exc_info=fault.cause)
        self._standing.tell(member.name)

    async def _try_again(self, member: Member) -> None:
        await asyncio.sleep(self._retry.seconds(member.attempts))
        member.waiting = None
        self._start(Group([member], member.position))

    # -- the log

    async def identify(self) -> bool:
        """Make sure that the rows come from this log and no other; says whether everything is to be built anew."""
        first = await self._events.read(limit=1)
        self._log = first.events[0].raw_id if first.events else b""
        is_other = await self._rows.identify(self._log)
        if is_other:
            _LOG.warning("the read store was filled from another log: building everything anew")
        return is_other

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task


def _query(types: frozenset[str]) -> EventQuery:
    return EventQuery.of(types=sorted(types))
