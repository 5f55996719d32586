"""Who should work on what: pure decisions on a picture of the fleet. Reads: read_store/checkpoints.py, worker.py.

Each worker decides for itself, and moves only what must move. Of a projection's 1024 slices a fair share is
``ceil(1024 / workers)``. Who holds more gives back the rest; who holds less takes what nobody holds. Whether a claim
succeeds the store says, so that it does no harm if two have the same idea. Read next: standing.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from headwater.read_store.checkpoints import NOBODY, SLICES, Checkpoint, Fleet, Regrant, Share


def releases(fleet: Fleet, me: str, versions: Mapping[str, int], live: frozenset[str]) -> list[Regrant]:
    """What to give back of what I hold beyond my fair share: small ranges whole, then the top of a larger one."""
    made: list[Regrant] = []
    for shares, fair in _projections(fleet, me, versions, live):
        mine = [share for share in shares if share.checkpoint.owner == me]
        surplus = sum(share.checkpoint.slices for share in mine) - fair
        for share in sorted(mine, key=lambda share: share.checkpoint.slices):
            if surplus <= 0:
                break
            given = min(surplus, share.checkpoint.slices)
            made.append(split(share, share.checkpoint.slices - given, me, NOBODY))
            surplus -= given
    return made


def claims(fleet: Fleet, me: str, versions: Mapping[str, int], live: frozenset[str]) -> list[Regrant]:
    """What to take of what nobody holds, or a worker that is no more, up to my fair share: next to mine first."""
    made: list[Regrant] = []
    for shares, fair in _projections(fleet, me, versions, live):
        mine = [share.checkpoint for share in shares if share.checkpoint.owner == me]
        wanted = fair - sum(each.slices for each in mine)
        free = [share for share in shares if share.checkpoint.owner not in live]
        for share in sorted(free, key=lambda share: (not _touches(share.checkpoint, mine), share.checkpoint.low)):
            if wanted <= 0:
                break
            taken = min(wanted, share.checkpoint.slices)
            if _touches_top_only(share.checkpoint, mine):
                made.append(split(share, share.checkpoint.slices - taken, NOBODY, me))
            else:
                made.append(split(share, taken, me, NOBODY))
            wanted -= taken
    return made


def split(share: Share, kept: int, low_owner: str, high_owner: str) -> Regrant:
    """Grant the lowest ``kept`` slices of a range to one, and the rest to another."""
    low, high = share.checkpoint.low, share.checkpoint.high
    parts = ((low, low + kept - 1, low_owner), (low + kept, high, high_owner))
    return Regrant((share,), tuple(part for part in parts if part[0] <= part[1]))


def merged(shares: Sequence[Share], owner: str) -> Regrant:
    """Make neighbouring ranges one."""
    first, last = shares[0].checkpoint, shares[-1].checkpoint
    return Regrant(tuple(shares), ((first.low, last.high, owner),))


def live_workers(fleet: Fleet, gone: Iterable[str]) -> frozenset[str]:
    """Those whose lease runs, without those that are known to be gone."""
    return frozenset(worker.id for worker in fleet.workers if worker.is_live) - frozenset(gone)


def _projections(
    fleet: Fleet, me: str, versions: Mapping[str, int], live: frozenset[str]
) -> Iterable[tuple[list[Share], int]]:
    """The ranges of each of these projections, and how many slices are a fair share of it for me.

    Who does not count as a follower stands in for those that do, where there are none.
    """
    for name, version in versions.items():
        able = {w.id for w in fleet.workers if w.id in live and w.follows and w.versions.get(name) == version}
        fair = -(-SLICES // max(1, len(able))) if me in able or not able else 0
        own = [share for share in fleet.shares if (share.projection, share.version) == (name, version)]
        for epoch in sorted({share.checkpoint.epoch for share in own}):  # two, while one is built beside
            yield [share for share in own if share.checkpoint.epoch == epoch], fair


def _touches(free: Checkpoint, mine: Sequence[Checkpoint]) -> bool:
    return any(free.low == each.high + 1 or free.high + 1 == each.low for each in mine)


def _touches_top_only(free: Checkpoint, mine: Sequence[Checkpoint]) -> bool:
    return _touches(free, mine) and not any(free.low == each.high + 1 for each in mine)
