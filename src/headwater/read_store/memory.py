"""The reference: a complete read store in memory. Backend authors start here. Reads: protocol.py, shelf.py.

It holds rows as they are stored, so that comparing, sorting and reading back are the same as in a database.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from time import monotonic
from typing import Any, TypeVar

import msgspec

from headwater.errors import ProjectionError, StoreClosed
from headwater.limits import current_allowance
from headwater.read_models import RELEVANCE, ReadModel
from headwater.read_store.checkpoints import (
    NOBODY,
    Checkpoint,
    Fleet,
    RangesRead,
    Regrant,
    Share,
    Worker,
    anew,
    beside,
    is_overtaken,
    ranges_of,
    regranted,
    served,
    standing,
)
from headwater.read_store.columns import Column, Stored
from headwater.read_store.figures import Summary, Summed, summarise
from headwater.read_store.news import Stirred
from headwater.read_store.parking import Discarded, Parked, Pause
from headwater.read_store.protocol import Changes
from headwater.read_store.reader import Reader
from headwater.read_store.selection import Selection, rank
from headwater.read_store.shelf import Shelf
from headwater.read_store.source import no_sql
from headwater.read_store.tables import RowKey, Table, Values

R = TypeVar("R", bound=ReadModel)
_BEYOND = 1 << 63
"""The first number that a database's integer does not hold."""


class MemoryReadStore:
    """Read models in dictionaries, for one process and one event loop."""

    sql_face = None

    def __init__(self) -> None:
        self.cursor_key = secrets.token_bytes(32)
        self.news = Stirred()
        self._shelf = Shelf()
        self._rows: dict[str, dict[RowKey, Values]] = {}
        self._versions: dict[str, int] = {}
        self._shapes: dict[str, str] = {}
        self._served = RangesRead()
        self._ranges: dict[tuple[str, int], list[Checkpoint]] = {}
        self._workers: dict[str, tuple[Worker, float]] = {}
        self._parked: dict[tuple[str, int, str], Parked] = {}
        self._discarded: list[Discarded] = []
        self._paused: dict[str, Pause] = {}
        self._log: bytes | None = None
        self._closed = False

    # -- filling

    async def prepare(self, tables: Sequence[Table]) -> None:
        """See ``ReadStore.prepare``. Nothing is left from before, so nothing can have another shape."""
        self._shelf.fill(tables)
        self._versions = {table.projection: table.version for table in tables}
        self._served.prepare(self._versions)
        for table in tables:
            table.stored_name = table.name
            for side in (0, 1):
                self._rows.setdefault(table.on(side).name, {})
            self._shapes[table.name] = table.fingerprint
            self._ranges.setdefault((table.projection, table.version), [Checkpoint(0, 1)])

    async def identify(self, log: bytes) -> bool:
        """See ``ReadStore.identify``."""
        is_other = bool(self._log) and log != self._log
        self._log = log
        for projection in self._versions if is_other else ():
            await self.reset(projection)
        return is_other

    async def checkpoints(self) -> Mapping[str, Checkpoint]:
        """See ``ReadStore.checkpoints``."""
        return standing(ranges_of((await self.fleet()).shares, self._versions))

    async def ranges(self) -> Mapping[str, tuple[Checkpoint, ...]]:
        """See ``ReadStore.ranges``."""
        self._refuse_if_closed()
        found = self._served.among((await self.fleet()).shares)
        for turned in self._served.turned(found):
            self.serve(*turned)
        return found

    def ranges_at_hand(self) -> None:
        """See ``ReadStore.ranges_at_hand``. They are made anew at each look."""

    async def load(self, table: Table, keys: Iterable[RowKey]) -> dict[RowKey, Any]:
        """See ``ReadStore.load``."""
        self._refuse_if_closed()
        rows = self._rows[table.name]
        return {key: self._row(table, rows[key]) for key in keys if key in rows}

    async def commit(self, changes: Sequence[Changes]) -> frozenset[str]:
        """See ``ReadStore.commit``. Raises ``ProjectionError`` for rows that no table of a database would take."""
        self._refuse_if_closed()
        for part in (part for each in changes for part in each.tables):
            for values in part.puts:
                _refuse_unfit(part.table, values)
        moved = frozenset(each.projection for each in changes if not self._stands(each))
        for each in () if moved else changes:
            for part in each.tables:
                rows = self._rows[part.table.name]
                rows.update((part.table.key_of(values), values) for values in part.puts)
                for key in part.deletes:
                    rows.pop(key, None)
            ranges = self._held(each.projection)
            now = msgspec.structs.replace(each.start, position=each.position, changed_at=each.changed_at)
            ranges[:] = [now if (stored.epoch, stored.low) == (now.epoch, now.low) else stored for stored in ranges]
            self._settle(each)
        self.news.stir()
        return moved

    async def reset(self, projection: str) -> None:
        """See ``ReadStore.reset``."""
        self._refuse_if_closed()
        ranges = self._held(projection)
        ranges[:] = [anew(ranges)]
        self._unpark(projection)
        self._clear(projection, ranges[0].side)
        self.news.stir()

    async def retire(self, projection: str) -> None:
        """See ``ReadStore.retire``. Nothing is left from before."""

    # -- what is set aside

    async def parked(self) -> Sequence[Parked]:
        """See ``ReadStore.parked``."""
        self._refuse_if_closed()
        return sorted(self._parked.values(), key=lambda each: each.parked_at)

    async def discarded(self) -> Sequence[Discarded]:
        """See ``ReadStore.discarded``."""
        self._refuse_if_closed()
        return list(self._discarded)

    async def pause(self, pause: Pause) -> None:
        """See ``ReadStore.pause``."""
        self._refuse_if_closed()
        self._paused.setdefault(pause.projection, pause)
        self.news.stir()

    async def resume(self, projection: str) -> None:
        """See ``ReadStore.resume``."""
        self._refuse_if_closed()
        self._paused.pop(projection, None)
        self.news.stir()

    def _unpark(self, projection: str) -> None:
        place = projection, self._versions[projection]
        self._parked = {key: parked for key, parked in self._parked.items() if key[:2] != place}

    def _settle(self, changes: Changes) -> None:
        place = changes.projection, self._versions[changes.projection]
        for sequence in changes.settles:
            self._parked.pop((*place, sequence), None)
        self._parked.update(((*place, parked.sequence), parked) for parked in changes.parks)
        self._discarded += changes.discards

    # -- building beside

    async def build_beside(self, projection: str) -> int:
        """See ``ReadStore.build_beside``."""
        self._refuse_if_closed()
        ranges = self._held(projection)
        begun = beside(ranges)
        if begun is not None:
            self._clear(projection, begun.side)
            ranges.append(begun)
        return ranges[-1].epoch

    async def switch(self, projection: str) -> bool:
        """See ``ReadStore.switch``."""
        self._refuse_if_closed()
        ranges = self._held(projection)
        is_due = is_overtaken(ranges)
        if is_due:
            old = served(ranges)
            ranges[:] = [each for each in ranges if each not in old]
            self._unpark(projection)
            self.news.stir()
        return is_due

    async def abandon(self, projection: str) -> None:
        """See ``ReadStore.abandon``."""
        self._refuse_if_closed()
        ranges = self._held(projection)
        ranges[:] = served(ranges)

    async def tidy(self, projection: str) -> None:
        """See ``ReadStore.tidy``."""
        self._refuse_if_closed()
        (side,) = {each.side for each in self._held(projection)} or {0}
        self._clear(projection, 1 - side)

    async def can_serve(self, projection: str, version: int) -> bool:
        """See ``ReadStore.can_serve``."""
        wanted = self._shelf.of(projection)
        return all(self._shapes.get(table.name_in(version, 0)) == table.fingerprint for table in wanted)

    def serve(self, projection: str, version: int, side: int) -> None:
        """See ``ReadStore.serve``."""
        for table in self._shelf.of(projection):
            table.stored_name = table.name_in(version, side)
        self._served.serve(projection, version, side)

    def _clear(self, projection: str, side: int) -> None:
        for table in self._shelf.of(projection):
            self._rows[table.on(side).name] = {}

    # -- sharing the work

    async def fleet(self) -> Fleet:
        """See ``ReadStore.fleet``."""
        self._refuse_if_closed()
        now = monotonic()
        workers = (msgspec.structs.replace(worker, is_live=until > now) for worker, until in self._workers.values())
        shares = (Share(*key, each) for key, ranges in self._ranges.items() for each in ranges)
        return Fleet(tuple(workers), tuple(shares), frozenset(self._paused))

    async def announce(self, worker: Worker, lease_seconds: float) -> None:
        """See ``ReadStore.announce``."""
        self._refuse_if_closed()
        self._workers[worker.id] = worker, monotonic() + lease_seconds

    async def leave(self, worker: str) -> None:
        """See ``ReadStore.leave``."""
        self._refuse_if_closed()
        self._workers.pop(worker, None)
        for ranges in self._ranges.values():
            ranges[:] = [_released(each) if each.owner == worker else each for each in ranges]

    async def regrant(self, regrants: Sequence[Regrant]) -> Sequence[tuple[Checkpoint, ...] | None]:
        """See ``ReadStore.regrant``."""
        self._refuse_if_closed()
        return [self._regrant(each) for each in regrants]

    def _regrant(self, regrant: Regrant) -> tuple[Checkpoint, ...] | None:
        ranges = self._ranges.get(regrant.key[:2], [])
        made = regranted(regrant, (each for each in ranges if each.epoch == regrant.key[2]))
        if made is not None:
            epoch = regrant.key[2]
            gone = {(epoch, share.checkpoint.low) for share in regrant.before}
            kept = [each for each in ranges if (each.epoch, each.low) not in gone]
            ranges[:] = sorted([*kept, *made], key=lambda each: (each.epoch, each.low))
        return made

    def _held(self, projection: str) -> list[Checkpoint]:
        return self._ranges[projection, self._versions[projection]]

    def _stands(self, changes: Changes) -> bool:
        start = changes.start
        return any(
            stored.is_grant_of(start) and stored.position == start.position for stored in self._held(changes.projection)
        )

    # -- reading

    def table_of(self, model: type[ReadModel]) -> Table:
        """See ``ReadStore.table_of``."""
        return self._shelf.table_of(model)

    def reader(self, model: type[R]) -> Reader[R]:
        """See ``ReadStore.reader``."""
        return Reader(self, self._shelf.view_of(model))

    async def get(self, table: Table, key: RowKey) -> Any | None:
        """See ``RowSource.get``."""
        self._refuse_if_closed()
        values = self._rows[table.stored_name].get(key)
        return None if values is None else self._row(table, values)

    async def select(self, selection: Selection) -> list[Any]:
        """See ``RowSource.select``."""
        return [_item(selection, found) for found in self._selected(selection)[: selection.limit]]

    async def count(self, selection: Selection) -> int:
        """See ``RowSource.count``."""
        return len(self._selected(msgspec.structs.replace(selection, after=None)))

    async def summarise(self, summary: Summary) -> Summed:
        """See ``RowSource.summarise``."""
        self._refuse_if_closed()
        names = summary.table.names
        rows = self._rows[summary.table.stored_name].values()
        return summarise(summary, (dict(zip(names, values, strict=True)) for values in rows))

    async def stream(self, selection: Selection) -> AsyncGenerator[Any, None]:
        """See ``RowSource.stream``."""
        for found in self._selected(selection)[: selection.limit]:
            yield _item(selection, found)

    async def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:  # noqa: ARG002
        """See ``RowSource.query``. There is no SQL here."""
        raise no_sql()

    def copy(self) -> MemoryReadStore:
        """Another store with the same rows, which goes its own way from here on."""
        made = MemoryReadStore()
        made._log, made._versions = self._log, dict(self._versions)
        made._served.prepare(made._versions)
        made._rows = {name: dict(rows) for name, rows in self._rows.items()}
        made._ranges = {key: list(ranges) for key, ranges in self._ranges.items()}
        return made

    async def close(self) -> None:
        """See ``ReadStore.close``."""
        self._closed = True
        self.news.stir()

    def _selected(self, selection: Selection) -> list[dict[str, Stored]]:
        self._refuse_if_closed()
        rows = self._rows[selection.table.stored_name].values()
        allowance = current_allowance()
        if allowance is not None:
            allowance.scan(len(rows))
        found = [each for each in (self._found(selection, values) for values in rows) if each is not None]
        for term in reversed(selection.order):  # sorting is stable, so the last term goes first
            name = term.column.order_name
            found.sort(key=lambda values: rank(values[name]), reverse=term.descending)
        return found

    def _found(self, selection: Selection, row: Values) -> dict[str, Stored] | None:
        """A row by its stored columns, with those of the rows beside it, if it is selected."""
        table, search = selection.table, selection.search
        values = dict(zip(table.names, row, strict=True))
        if search is not None:
            values[RELEVANCE] = search.relevance(table.searched, values)
            if values[RELEVANCE] is None:
                return None
        for join in selection.joins:
            key = [values[field.name] for field in join.fields]
            nothing = (None,) * len(join.table.names)
            other = self._rows[join.table.stored_name].get(tuple(key) if len(key) > 1 else key[0], nothing)
            values |= {f"{join.name}.{name}": value for name, value in zip(join.table.names, other, strict=True)}
        return values if selection.meets(values) else None

    def _row(self, table: Table, values: Values) -> Any:
        return table.row_of(values[: len(table.columns)])

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StoreClosed("the read store is closed", remedy="open it again")


def _item(selection: Selection, values: dict[str, Stored]) -> Any:
    reading = selection.reading
    names = [c.name for c in selection.table.columns] if reading is None else reading.names
    return selection.made(tuple(values[name] for name in names))


def _refuse_unfit(table: Table, values: Values) -> None:
    for column, value in zip(table.columns, values, strict=False):  # the hidden columns come after
        if not _fits(column, value):
            raise ProjectionError(f"a row does not fit its table: {column.name} cannot hold {value!r}")


def _fits(column: Column, value: Stored) -> bool:
    if value is None:
        return column.nullable
    if isinstance(value, str):
        if column.kind == "integer":
            return False
        return value.isascii() or not any("\ud800" <= each <= "\udfff" for each in value)
    return not isinstance(value, int) or -_BEYOND <= value < _BEYOND


def _released(checkpoint: Checkpoint) -> Checkpoint:
    return msgspec.structs.replace(checkpoint, owner=NOBODY, token=checkpoint.token + 1)
