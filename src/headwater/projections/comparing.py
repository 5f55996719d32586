"""What the log says a projection's rows should be, held against the rows that there are. Reads: projector.py.

The log is folded anew, beside, into a scratch read store, for each range of slices as far as its checkpoint is, leaving
out what is parked or was discarded. Read next: cli/verbs/projections.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import msgspec

from headwater.codec import Codec
from headwater.errors import ProjectionError, ProjectionFailed, StoreBusy
from headwater.event_store.protocol import EventQuery, EventStore
from headwater.followers.feed import Fact, facts_of
from headwater.projections.projector import Projector
from headwater.read_models import ProjectionPlan
from headwater.read_store.checkpoints import Checkpoint, Regrant, served, slice_of
from headwater.read_store.opening import open_read_store
from headwater.read_store.parking import NOTHING_SKIPPED, Discarded, Parked, Skips, sequence_of, shown, skipping
from headwater.read_store.protocol import ReadStore
from headwater.read_store.tables import RowKey, Table

_PAGE = 1_000
_CHUNK = 500
_LOOKS = 20
MOST_LISTED = 1_000


class Difference(msgspec.Struct, frozen=True):
    """A row that is not as the log says: ``missing``, ``extra`` (the log makes no such row), or ``changed``.

    ``fields`` of a changed row are those that differ: what is ``stored``, and what was ``expected``.
    """

    key: str
    kind: Literal["missing", "extra", "changed"]
    fields: Mapping[str, Mapping[str, Any]]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What came out: how many ``rows`` there are up to ``position``, and those that are not as they should be.

    At most a thousand ``differences`` are listed; the numbers count all.
    """

    projection: str
    version: int
    position: int
    rows: int
    missing: int
    extra: int
    changed: int
    differences: list[Difference]

    @property
    def is_equal(self) -> bool:
        """Whether all rows are as the log says."""
        return not (self.missing or self.extra or self.changed)


async def compare(plan: ProjectionPlan, events: EventStore, rows: ReadStore, codec: Codec) -> Comparison:
    """Fold the log beside and compare. The projection may go on meanwhile: what moved is looked at again.

    Raises ``ProjectionFailed`` where the log cannot be folded, ``StoreBusy`` if the same rows keep moving, and
    ``ProjectionError`` for a projection of several models or of sums, which is not told apart row by row.
    """
    if not plan.is_plain:
        remedy = f"build it anew: headwater projections rebuild APP {plan.name}"
        raise ProjectionError(f"{plan.name} is not folded row by row, so its rows cannot be compared", remedy=remedy)
    with TemporaryDirectory(prefix="headwater-diff-") as directory:
        async with open_read_store(f"sqlite:///{Path(directory, 'scratch.db')}") as scratch:
            beside = _Beside(plan, events, rows, codec, scratch)
            await beside.fold()
            return await beside.compare()


class _Beside:
    """The log folded beside a projection."""

    def __init__(
        self, plan: ProjectionPlan, events: EventStore, rows: ReadStore, codec: Codec, scratch: ReadStore
    ) -> None:
        self._plan = plan
        self._events = events
        self._rows = rows
        self._codec = codec
        self._scratch = scratch
        self._projector = Projector(plan, scratch)
        self._table: Table = self._projector.tables[0]
        self._stored_in = rows.table_of(plan.models[0])
        self._reached: list[Checkpoint] = []

    # -- the rows as they should be

    async def fold(self) -> None:
        """Fold every range as far as it is."""
        self._reached = await self._ranges()
        left_out = await self._left_out()
        await self._scratch.prepare([self._table])
        whole = (await self._scratch.fleet()).shares[0]
        split = tuple((each.low, each.high, "") for each in self._reached)
        (made,) = await self._scratch.regrant([Regrant((whole,), split)])
        ranges = dict(zip(self._reached, made or (), strict=True))
        at, end = 0, max(each.position for each in self._reached)
        while at < end:
            facts, at = await self._read(at, end)
            for wanted, start in ranges.items():
                position = min(at, wanted.position)
                if position > start.position:
                    mine = [fact for fact in facts if fact.position <= position]
                    ranges[wanted] = await self._store(mine, start, position, left_out)

    async def _store(self, facts: Sequence[Fact], start: Checkpoint, position: int, left_out: _LeftOut) -> Checkpoint:
        for part, reached, skips in left_out.parts(facts, position):
            work = self._projector.begin(start)
            fault = await work.fold(part, reached, skips)
            if fault is not None:
                raise ProjectionFailed(
                    f"{self._plan.name} cannot be folded at position {fault.position}: {fault.cause}",
                    projection=self._plan.name,
                    position=fault.position,
                ) from fault.cause
            changes = work.changes()
            await self._scratch.commit([changes])
            start = msgspec.structs.replace(start, position=reached, changed_at=changes.changed_at)
        return start

    async def _read(self, after: int, end: int) -> tuple[list[Fact], int]:
        types = self._plan.event_types
        page = await self._events.read(EventQuery.of(types=sorted(types)), after=after, limit=_PAGE)
        found = [event for event in page.events if event.position <= end]
        return facts_of(found, types, self._codec), found[-1].position if len(found) == _PAGE else end

    async def _ranges(self) -> list[Checkpoint]:
        name, version = self._plan.name, self._plan.version
        shares = (await self._rows.fleet()).shares
        found = served(share.checkpoint for share in shares if (share.projection, share.version) == (name, version))
        self._stored_in = self._stored_in.on(found[0].side)
        return found

    async def _left_out(self) -> _LeftOut:
        place = (self._plan.name, self._plan.version)
        parked = [each for each in await self._rows.parked() if (each.projection, each.version) == place]
        epochs = {each.epoch for each in self._reached}
        discarded = [
            each
            for each in await self._rows.discarded()
            if (each.projection, each.version) == place and each.epoch in epochs
        ]
        return _LeftOut(parked, discarded)

    # -- comparing

    async def compare(self) -> Comparison:
        """Hold every row against its counterpart; what differs is looked at again, where it has moved meanwhile."""
        suspects: dict[RowKey, None] = {}
        count = 0
        async for keys, stored in self._chunks(self._rows):
            count += len(keys)
            expected = await self._scratch.load(self._table, keys)
            suspects.update((key, None) for key in keys if not self._same(stored[key], expected.get(key)))
        async for keys, _ in self._chunks(self._scratch):
            there = await self._rows.load(self._stored_in, keys)
            suspects.update((key, None) for key in keys if key not in there)
        found = [each async for each in self._confirmed(list(suspects))]
        kinds = [each.kind for each in found]
        return Comparison(
            projection=self._plan.name,
            version=self._plan.version,
            position=min(each.position for each in self._reached),
            rows=count,
            missing=kinds.count("missing"),
            extra=kinds.count("extra"),
            changed=kinds.count("changed"),
            differences=found[:MOST_LISTED],
        )

    async def _chunks(self, store: ReadStore) -> AsyncIterator[tuple[list[RowKey], dict[RowKey, Any]]]:
        rows: dict[RowKey, Any] = {}
        async for row in store.reader(self._plan.models[0]).stream():
            rows[self._table.row_key(row)] = row
            if len(rows) == _CHUNK:
                yield list(rows), rows
                rows = {}
        if rows:
            yield list(rows), rows

    async def _confirmed(self, suspects: list[RowKey]) -> AsyncIterator[Difference]:
        """Those that still differ when both sides are at the same place."""
        for start in range(0, len(suspects), _CHUNK):
            keys = suspects[start : start + _CHUNK]
            expected: dict[RowKey, Any] = await self._scratch.load(self._table, keys)
            at = {key: _position(self._reached, key) for key in keys}
            for _ in range(_LOOKS):
                before = await self._ranges()
                stored = await self._rows.load(self._stored_in, keys)
                if before == await self._ranges():
                    break
            else:
                raise StoreBusy(f"the rows of {self._plan.name} keep moving", remedy="pause the projection meanwhile")
            await self._go_on(expected, at, before)
            for key in keys:
                if not self._same(stored.get(key), expected.get(key)):
                    yield self._difference(key, stored.get(key), expected.get(key))

    async def _go_on(self, rows: dict[RowKey, Any], at: dict[RowKey, int], ranges: Sequence[Checkpoint]) -> None:
        """Fold these rows on to where the projection is by now."""
        wanted = {key: _position(ranges, key) for key in at}
        left_out = await self._left_out()
        position, end = min(at.values()), max(wanted.values())
        while position < end:
            facts, position = await self._read(position, end)
            for key, reached in at.items():
                mine = [
                    fact
                    for fact in facts
                    if reached < fact.position <= wanted[key] and not left_out.leaves_out(key, fact.position)
                ]
                rows.update(self._projector.fold_row(key, mine, rows))

    def _same(self, stored: Any, expected: Any) -> bool:
        if stored is None or expected is None:
            return stored is expected
        return self._table.values_of(stored) == self._table.values_of(expected)

    def _difference(self, key: RowKey, stored: Any, expected: Any) -> Difference:
        if stored is None or expected is None:
            return Difference(shown(sequence_of(key)), "missing" if stored is None else "extra", {})
        values = zip(self._table.columns, self._table.values_of(stored), self._table.values_of(expected), strict=False)
        names = [column.name for column, one, other in values if one != other]
        fields = {name: {"stored": getattr(stored, name), "expected": getattr(expected, name)} for name in names}
        return Difference(shown(sequence_of(key)), "changed", fields)


class _LeftOut:
    """What is parked, from its position on, and what was discarded, at its position."""

    def __init__(self, parked: Iterable[Parked], discarded: Iterable[Discarded]) -> None:
        self._parked = list(parked)
        self._discarded = list(discarded)
        places = {each.position for each in self._parked} | {each.position for each in self._discarded}
        self._turns = sorted(places | {each.position + 1 for each in self._discarded})

    def parts(self, facts: Sequence[Fact], position: int) -> Iterator[tuple[Sequence[Fact], int, Skips]]:
        """The events in parts, for each the place it ends at and what is left out of it."""
        first = facts[0].position if facts else position
        ends = [turn - 1 for turn in self._turns if first < turn <= position]
        for end in (*ends, position):
            part = [fact for fact in facts if first <= fact.position <= end]
            yield part, end, self._skips(first)
            first = end + 1

    def leaves_out(self, key: RowKey, position: int) -> bool:
        """Whether the event at that position is left out for that row."""
        skips = self._skips(position) if self._turns else NOTHING_SKIPPED
        return key in skips.keys or position in skips.positions

    def _skips(self, position: int) -> Skips:
        sequences = [each.sequence for each in self._parked if each.position <= position]
        sequences += [each.sequence for each in self._discarded if each.position == position]
        return skipping(sequences)


def _position(ranges: Iterable[Checkpoint], key: RowKey) -> int:
    place = slice_of(key)
    return next(each.position for each in ranges if each.low <= place <= each.high)
