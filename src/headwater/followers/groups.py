"""Who goes together through the log, and how far each of them is. Reads: consumer.py. Read next: follower.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress

import msgspec

from headwater.event_store.protocol import EventQuery, EventStore, Slice
from headwater.followers.consumer import Consumer, Fault, State, Work
from headwater.read_store.checkpoints import Checkpoint, slice_of
from headwater.read_store.parking import NOTHING_SKIPPED, Parked, Skips
from headwater.read_store.protocol import Changes

_LONG_SLICE = 8_000


class Member:
    """A range of a consumer's slices on its way: its checkpoint, its state, and what it stumbled over.

    A process has one for each range it holds; that of all slices does what a consumer alone would do. ``skips`` is what
    it leaves out because it is parked.
    """

    def __init__(self, consumer: Consumer, checkpoint: Checkpoint, skips: Skips = NOTHING_SKIPPED) -> None:
        self.consumer = consumer
        self.name = consumer.name
        self.checkpoint = checkpoint
        self.state: State = "catching-up"
        self.error: Exception | None = None
        self.group: Group | None = None
        self.waiting: asyncio.Task[None] | None = None
        self.attempts = 0
        self._stumbled_at = 0
        self._work: Work | None = None
        self.skips = skips
        self._pending: list[Parked] = []  # parked here, and to be stored with the batch that goes over it

    @property
    def position(self) -> int:
        """Up to where its rows include the log."""
        return self.checkpoint.position

    def begin(self) -> Work:
        """What it has in hand, if that is exactly what is stored at its checkpoint; otherwise nothing yet.

        The checkpoint is another one as soon as the range moves, is built anew, or is held by somebody else meanwhile.
        """
        work, at = self._work, self.checkpoint
        if work is None or work.start != at or work.position != at.position:
            work = self._work = self.consumer.begin(at)
        return work

    def reach(self, changes: Changes) -> None:
        """These changes are stored: the rows include the log up to there now."""
        self.checkpoint = msgspec.structs.replace(
            self.checkpoint, position=changes.position, changed_at=changes.changed_at
        )
        if self._work is not None:
            self._work.stored(self.checkpoint)
        if changes.position >= self._stumbled_at:
            self.attempts = 0
        self._pending = [parked for parked in self._pending if parked not in changes.parks]

    def settle(self, *, live: bool) -> None:
        """It goes well."""
        self.state = "live" if live else "catching-up"
        self.error = None

    def set_aside(self, fault: Fault) -> None:
        """Leave the group because of a faulty event; count how often it was this one."""
        self.attempts = self.attempts + 1 if fault.position == self._stumbled_at else 1
        self._stumbled_at = fault.position
        self.error = fault.cause
        self._work = None  # who failed half way may have left something in a row
        self.part()

    def park(self, parked: Parked) -> None:
        """Leave a sequence out from now on; that is stored with the next batch."""
        self.skips = self.skips.with_(parked.sequence)
        self._pending.append(parked)
        self.attempts, self.error = 0, None

    def with_parked(self, changes: Changes) -> Changes:
        """These changes with what was parked on the way, as far as it belongs to this range still."""
        if not self._pending:
            return changes
        reached = [each for each in self._pending if each.position <= changes.position and self.holds(each)]
        return msgspec.structs.replace(changes, parks=tuple(reached))

    def holds(self, parked: Parked) -> bool:
        """Whether that sequence is in the member's range."""
        return parked.is_alone or self.checkpoint.low <= slice_of(parked.key) <= self.checkpoint.high

    def join(self, other: Member) -> None:
        """Take over what another range, which is one with this from now on, leaves out."""
        self.skips = Skips(self.skips.keys | other.skips.keys, self.skips.positions | other.skips.positions)
        self._pending += other._pending

    def part(self) -> None:
        """Go no further with the group."""
        if self.group is not None:
            self.group.members.remove(self)
            self.group = None

    async def withdraw(self) -> None:
        """Leave the group between two of its batches, and give up waiting for another try."""
        if self.waiting is not None:
            self.waiting.cancel()
            with suppress(asyncio.CancelledError):
                await self.waiting
            self.waiting = None
        if self.group is not None:
            async with self.group.lock:
                self.part()
        self.attempts, self._stumbled_at = 0, 0

    @asynccontextmanager
    async def at_rest(self) -> AsyncGenerator[None, None]:
        """Between two batches, for as long as the block takes."""
        group = self.group
        if group is None:
            yield
            return
        async with group.lock:
            yield


class Group:
    """Members that read the log together from ``position`` on. ``lock`` is held while a batch is worked on.

    ``must_reread`` says that it has to read again from its position, because another process moved a checkpoint, or
    because slices that were taken together are to be taken one by one: those up to ``one_by_one``.
    """

    def __init__(self, members: list[Member], position: int) -> None:
        self.members = members
        self.position = position
        self.lock = asyncio.Lock()
        self.must_reread = False
        self.one_by_one = 0
        for member in members:
            member.group = self

    @property
    def event_types(self) -> frozenset[str]:
        """The stored names of the events that somebody here wants."""
        return frozenset(name for member in self.members for name in member.consumer.event_types)

    def admit(self, other: Group) -> None:
        """Take over the members of another group."""
        for member in list(other.members):
            member.part()
            member.group = self
            member.settle(live=True)
            self.members.append(member)

    def stumble(self, error: Exception) -> None:
        """Following failed: perhaps nobody's fault here, but to be seen."""
        for member in self.members:
            member.error = error

    def regroup(self, distance: int) -> list[Member]:
        """After checkpoints moved: go on from the lowest place, but part with who is more than ``distance`` behind."""
        furthest = max((member.position for member in self.members), default=self.position)
        stragglers = [member for member in self.members if member.position + distance < furthest]
        for member in stragglers:
            member.part()
        self.position = min((member.position for member in self.members), default=self.position)
        self.must_reread = True
        return stragglers


class Stretch(Slice, frozen=True):
    """A slice of the log on its way through a group. After one that ``is_cut`` another comes at once, be it empty."""

    is_cut: bool = False


async def stretches_of(events: EventStore, query: EventQuery, position: int) -> AsyncGenerator[Stretch, None]:
    """The log from there on: in long slices while there is much to catch up with, then as it grows."""
    was_cut = False
    while True:
        page = await events.read(query, after=position, limit=_LONG_SLICE)
        is_cut = len(page.events) == _LONG_SLICE
        reached = page.events[-1].position if is_cut else max(page.head, position)
        if reached > position or was_cut:
            position = reached
            yield Stretch(page.events, reached, is_cut)
        if not is_cut:
            break
        was_cut = True
    slices: AsyncIterator[Slice] = events.subscribe(query, after=position)
    try:
        async for page in slices:
            yield Stretch(page.events, page.head)
    finally:  # when the caller stops listening
        if isinstance(slices, AsyncGenerator):
            await slices.aclose()
