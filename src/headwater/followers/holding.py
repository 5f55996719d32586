"""The ranges that this process holds: claimed, given back, joined, between two batches and never within one.

Reads: sharing.py, standing.py, running.py. Read next: follower.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile

from headwater.followers.consumer import Consumer
from headwater.followers.groups import Member
from headwater.followers.running import Runner
from headwater.followers.sharing import claims, live_workers, merged, releases
from headwater.followers.standing import Standing
from headwater.followers.worker import is_gone
from headwater.read_store.checkpoints import Checkpoint, Regrant, Share
from headwater.read_store.parking import skips_of
from headwater.read_store.protocol import ReadStore


class Holding:
    """Brings what a worker holds to what it should hold."""

    def __init__(
        self, read_store: ReadStore, consumers: Mapping[str, Consumer], standing: Standing, runner: Runner
    ) -> None:
        self._rows = read_store
        self._consumers = consumers
        self._standing = standing
        self._runner = runner
        self._me = ""

    async def agree(self, worker: str) -> None:
        """Work on what this worker holds, and on nothing else."""
        self._me = worker
        for member in self._standing.members:
            if self._standing.stored(member) is None or member.name in self._standing.fleet.paused:
                await self._runner.dismiss(member)
        mine = [share for share in self._standing.fleet.shares if share.checkpoint.owner == self._me]
        # Granted, although the answer did not arrive.
        await self._work_on([(share, share.checkpoint) for share in mine if self._standing.member_of(share) is None])

    async def move(self, versions: Mapping[str, int]) -> bool:
        """Give back what is too much, take what is free, join what belongs together; whether anything moved."""
        fleet, me = self._standing.fleet, self._me
        gone = [worker.id for worker in fleet.workers if worker.id != me and worker.is_live and is_gone(worker)]
        live = live_workers(fleet, gone) | {me}
        given = releases(fleet, me, versions, live)
        for regrant in given:
            await self._give_back(regrant)
        united = await self._unite()
        taken = await self._take(claims(fleet, me, versions, live))
        return bool(given) or united or taken

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
        kept = [each for each in made or () if each.owner == self._me]
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
        (made,) = await self._rows.regrant([merged(shares, self._me)])
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
            if each.owner == self._me
        ]
        await self._work_on(granted)
        return bool(granted)

    async def _work_on(self, granted: Sequence[tuple[Share, Checkpoint]]) -> None:
        """Go through the log with these ranges, leaving out what is parked now that they are granted."""
        wanted = [(share, at) for share, at in granted if share.projection not in self._standing.fleet.paused]
        parked = await self._rows.parked() if wanted else ()
        members: list[Member] = []
        for share, at in wanted:
            member = Member(self._consumers[share.projection].on(at.side), at)
            if not self._standing.is_beside(member):
                member.skips = skips_of(parked, share.projection, share.version)
            members.append(member)
        for member in members:
            self._standing.add(member)
        self._runner.admit(members)


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
