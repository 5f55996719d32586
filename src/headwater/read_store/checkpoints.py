"""How far a projection is, slice by slice, and who works on it. Reads: nothing here. Read next: protocol.py.

Every row belongs to one of 1024 slices, by its key. A checkpoint says how far a range of slices is; a projection begins
as one range and is split among workers. Who works on a range holds it: each grant, release, split and merge gives a
greater ``token``, and a commit names the token it was made under, so that whoever lost a range stores nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zlib import crc32

import msgspec

SLICES = 1024
LEASE_SECONDS = 5.0
FORGOTTEN_SECONDS = 3600.0
"""After so long a worker that has not been heard of is not even listed."""
LAST_SLICE = SLICES - 1
NOBODY = ""

_packed = msgspec.msgpack.Encoder().encode


class Checkpoint(msgspec.Struct, frozen=True):
    """Up to which ``position`` the rows of the slices ``low`` to ``high`` include the log.

    ``epoch`` grows when they are built anew, ``changed_at`` is the last position at which a commit changed one of them.
    ``owner`` is the worker that holds the range (empty: nobody), ``token`` tells one grant of it from all others.
    ``side`` says in which of a projection's two tables the rows stand: one may be built anew while the other is read.
    """

    position: int
    epoch: int
    changed_at: int = 0
    low: int = 0
    high: int = LAST_SLICE
    token: int = 0
    owner: str = NOBODY
    side: int = 0

    @property
    def slices(self) -> int:
        """How many slices it is about."""
        return self.high - self.low + 1

    @property
    def is_whole(self) -> bool:
        """Whether it is about all slices."""
        return self.low == 0 and self.high == LAST_SLICE

    def is_grant_of(self, other: Checkpoint) -> bool:
        """Whether both are the same grant of the same range, however far."""
        return (self.low, self.high, self.epoch, self.token) == (other.low, other.high, other.epoch, other.token)


class Share(msgspec.Struct, frozen=True):
    """A range of one version of a projection, as it is stored."""

    projection: str
    version: int
    checkpoint: Checkpoint


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A process that has a read store open: where it runs, and which projections it knows, with their versions.

    ``started`` tells it from a later process with the same ``pid``. One that ``follows`` takes its part of the work,
    another may stand in while there is no such worker. ``is_live`` says whether it has renewed its lease in time, by
    the clock of the store.
    """

    id: str
    host: str
    pid: int
    started: str
    versions: Mapping[str, int]
    follows: bool = True
    is_live: bool = True


class Fleet(msgspec.Struct, frozen=True):
    """All workers and all ranges. Who held a range at that moment is among the workers, unless it left since.

    ``paused`` are the projections that stand still by order.
    """

    workers: tuple[Worker, ...] = ()
    shares: tuple[Share, ...] = ()
    paused: frozenset[str] = frozenset()


class Regrant(msgspec.Struct, frozen=True):
    """Neighbouring ranges of one projection, and what they become: ``(low, high, owner)`` each, over the same slices.

    One verb claims, releases, splits and merges.
    """

    before: tuple[Share, ...]
    after: tuple[tuple[int, int, str], ...]

    @property
    def key(self) -> tuple[str, int, int, int]:
        """Which ranges it is about: projection, version, epoch, lowest slice."""
        first = self.before[0]
        return first.projection, first.version, first.checkpoint.epoch, first.checkpoint.low


def regranted(regrant: Regrant, stored: Iterable[Checkpoint]) -> tuple[Checkpoint, ...] | None:
    """What to store in place of the ranges before, or ``None`` if one of them is not as it was seen.

    Positions are those that are stored, which may have moved meanwhile; only ranges at one position become one.
    """
    found = {each.low: each for each in stored}
    there = [found.get(share.checkpoint.low) for share in regrant.before]
    now = [each for each in there if each is not None]
    if len(now) < len(there) or not all(
        each.is_grant_of(share.checkpoint) for each, share in zip(now, regrant.before, strict=True)
    ):
        return None
    if len({each.position for each in now}) > 1:
        return None
    token, changed_at = max(each.token for each in now) + 1, max(each.changed_at for each in now)
    return tuple(
        Checkpoint(now[0].position, now[0].epoch, changed_at, low, high, token, owner, now[0].side)
        for low, high, owner in regrant.after
    )


def anew(stored: Iterable[Checkpoint]) -> Checkpoint:
    """Where a projection stands that is begun again in its place: one range that nobody holds, in a new epoch."""
    known = list(stored)
    token = max(each.token for each in known) + 1
    return Checkpoint(0, max(each.epoch for each in known) + 1, token=token, side=served(known)[0].side)


def served(stored: Iterable[Checkpoint]) -> list[Checkpoint]:
    """Of one version's ranges those whose rows are read: the older epoch, while a newer one is built beside."""
    known = list(stored)
    epoch = min((each.epoch for each in known), default=0)
    return [each for each in known if each.epoch == epoch]


def beside(stored: Iterable[Checkpoint]) -> Checkpoint | None:
    """Where building beside begins: in the other table; ``None`` if that is under way already."""
    known = list(stored)
    if len({each.epoch for each in known}) > 1:
        return None
    return Checkpoint(0, known[0].epoch + 1, side=1 - known[0].side)


def is_overtaken(stored: Iterable[Checkpoint]) -> bool:
    """Whether what is built beside is no less far than what it is to replace."""
    known = list(stored)
    old = served(known)
    new = [each.position for each in known if each.epoch > old[0].epoch]
    return bool(new) and min(new) >= min(each.position for each in old)


def overall(checkpoints: Sequence[Checkpoint]) -> Checkpoint:
    """Where a projection stands: at its hindmost range, changed at its latest; the one range if there is only one."""
    if len(checkpoints) == 1:
        return checkpoints[0]
    return Checkpoint(
        min(each.position for each in checkpoints),
        max(each.epoch for each in checkpoints),
        max(each.changed_at for each in checkpoints),
        side=checkpoints[0].side,
    )


def ranges_of(shares: Iterable[Share], versions: Mapping[str, int]) -> dict[str, tuple[Checkpoint, ...]]:
    """The ranges of each projection in that version whose rows are to be read, from the lowest slice on."""
    found: dict[str, list[Checkpoint]] = {}
    for share in shares:
        if versions.get(share.projection) == share.version:
            found.setdefault(share.projection, []).append(share.checkpoint)
    return {name: tuple(sorted(served(each), key=lambda one: one.low)) for name, each in found.items()}


class RangesRead:
    """The ranges whose rows a store's readers read: made anew from a database's rows only when these are others."""

    def __init__(self) -> None:
        self._rows: Sequence[Sequence[Any]] = ()
        self._stamp: object = None
        self._versions: dict[str, int] = {}
        self._sides: dict[str, int] = {}
        self._made: Mapping[str, tuple[Checkpoint, ...]] = {}

    def prepare(self, versions: Mapping[str, int]) -> None:
        """These versions are read, until something else is said."""
        self._forget()
        self._versions, self._sides = dict(versions), {}

    def serve(self, projection: str, version: int, side: int) -> None:
        """See ``ReadStore.serve``."""
        self._forget()
        self._versions[projection], self._sides[projection] = version, side

    def of(self, rows: Sequence[Sequence[Any]], stamp: object = None) -> Mapping[str, tuple[Checkpoint, ...]]:
        """See ``ReadStore.ranges``; the rows of checkpoints are in the order of the columns.

        A ``stamp`` that was taken before the rows were read has them found again by an equal one.
        """
        if rows != self._rows:
            self._rows, self._made = rows, self.among(shares_of(rows))
        self._stamp = stamp
        return self._made

    def at(self, stamp: object) -> Mapping[str, tuple[Checkpoint, ...]] | None:
        """Those that were read with that stamp, if they were the last."""
        return self._made if stamp == self._stamp else None

    def _forget(self) -> None:
        self._rows, self._stamp = (), None

    def among(self, shares: Iterable[Share]) -> Mapping[str, tuple[Checkpoint, ...]]:
        """Those among all ranges."""
        return ranges_of(shares, self._versions)

    def turned(self, ranges: Mapping[str, Sequence[Checkpoint]]) -> list[tuple[str, int, int]]:
        """Of which projections the readers must turn to the other side: projection, version, side.

        Whoever is told where rows stand is answered from just these rows, also before this process is told of a switch.
        """
        return [
            (name, self._versions[name], places[0].side)
            for name, places in ranges.items()
            if places[0].side != self._sides.get(name, 0)
        ]


def standing(ranges: Mapping[str, Sequence[Checkpoint]]) -> dict[str, Checkpoint]:
    """Where each projection stands as a whole."""
    return {name: overall(checkpoints) for name, checkpoints in ranges.items()}


def workers_of(rows: Iterable[Sequence[Any]]) -> tuple[Worker, ...]:
    """Rows of workers as what they mean."""
    return tuple(map(_worker, rows))


def is_known_elsewhere(workers: Iterable[Worker], projection: str, version: int) -> bool:
    """Whether a live worker knows the projection in another version, so that the rows of that one stay."""
    return any(worker.is_live and worker.versions.get(projection, version) != version for worker in workers)


def fleet_of(workers: Iterable[Sequence[Any]], ranges: Iterable[Sequence[Any]], paused: Iterable[str] = ()) -> Fleet:
    """Rows of a database's tables, in the order of its columns, as what they mean."""
    return Fleet(workers_of(workers), shares_of(ranges), frozenset(paused))


def shares_of(rows: Iterable[Sequence[Any]]) -> tuple[Share, ...]:
    """Rows of checkpoints as what they mean."""
    return tuple(Share(projection, version, Checkpoint(*facts)) for projection, version, *facts in rows)


def worker_facts(worker: Worker) -> tuple[str, str, int, str, bool, str]:
    """A worker as the values of its row."""
    versions = msgspec.json.encode(worker.versions).decode()
    return worker.id, worker.host, worker.pid, worker.started, worker.follows, versions


def range_facts(share: Share) -> tuple[str, int, int, int, int, int, int, str, int, int]:
    """A range as the values of its row."""
    at = share.checkpoint
    place = (share.projection, share.version, at.epoch, at.low, at.high)
    return (*place, at.position, at.changed_at, at.owner, at.token, at.side)


def _worker(row: Sequence[Any]) -> Worker:
    identity, host, pid, started, follows, versions, is_live = row
    return Worker(
        id=identity,
        host=host,
        pid=pid,
        started=started,
        versions=msgspec.json.decode(versions, type=dict[str, int]),
        follows=bool(follows),
        is_live=bool(is_live),
    )


def slice_of(key: Any) -> int:
    """The slice of a row, by its key as it is stored: the same in every process and for ever."""
    try:
        return crc32(_packed(key)) % SLICES
    except (ValueError, OverflowError, TypeError):  # no store takes such a key; the commit will say so
        return 0
