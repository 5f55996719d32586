"""A batch: what members of a group make of the log's next slices, to be committed at once. Reads: groups.py, feed.py.

Read next: running.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from headwater.followers.consumer import Fault
from headwater.followers.feed import Fact, after
from headwater.followers.groups import Member
from headwater.read_store.protocol import Changes

_LONGEST_SECONDS = 0.1
_ENOUGH_ROWS = 8_000


class Batch:
    """Goes on from where its members are. What is not committed is nobody's: the next batch begins there again.

    While there is more to catch up with, it may take several ``slices``, so that more events meet in a row.
    """

    def __init__(self, members: Iterable[Member]) -> None:
        self.members = list(members)
        self.slices = 0
        self._works = [member.begin() for member in self.members]
        self._faults: list[Fault | None] = [None for _ in self.members]
        self._ends_at = asyncio.get_running_loop().time() + _LONGEST_SECONDS

    async def fold(self, facts: Sequence[Fact], position: int) -> None:
        """Have every member fold the next slice, which ends at that position; one that is further already waits."""
        self.slices += 1
        for number, (member, work) in enumerate(zip(self.members, self._works, strict=True)):
            if work.position >= position:
                continue
            self._faults[number] = await work.fold(after(facts, work.position), position, member.skips)
            await asyncio.sleep(0)  # a slice takes milliseconds; others want the loop too

    @property
    def may_grow(self) -> bool:
        """Whether another slice should be folded before it is committed."""
        return (
            not any(self._faults)
            and all(work.size < _ENOUGH_ROWS for work in self._works)
            and asyncio.get_running_loop().time() < self._ends_at
        )

    def outcomes(self) -> list[tuple[Member, Changes, Fault | None]]:
        """What there is to store of each member, and what it stumbled over. Raises ``ProjectionError``."""
        return [
            (member, member.with_parked(work.changes()), fault)
            for member, work, fault in zip(self.members, self._works, self._faults, strict=True)
            if fault is not None or work.position > work.start.position
        ]
