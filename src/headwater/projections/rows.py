"""Rows of a projection in hand, between its store and its folding. Reads: folding.py, followers/consumer.py.

Rows that were looked up or made stay in memory for the batches to come, so that what changes often is looked up once.
Read next: composer.py, projector.py, which both look rows up and hand them over here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeAlias

from headwater.errors import ProjectionError, StoreError
from headwater.followers.consumer import Fault
from headwater.followers.feed import Fact
from headwater.projections.folding import Owned, Rows, owned_by
from headwater.read_store.checkpoints import Checkpoint
from headwater.read_store.parking import NOTHING_SKIPPED, Skips
from headwater.read_store.protocol import Changes, ReadStore, TableChanges
from headwater.read_store.tables import RowKey, Table

_MOST_KEPT = 10_000
"""Of one table, from one batch to the next."""


class TableRows:
    """Rows of a table as they are once everything is stored that was folded; which of them changed since."""

    def __init__(self, projection: str, store: ReadStore, table: Table, *, has_all: bool) -> None:
        self._projection = projection
        self._store = store
        self._table = table
        self.now: dict[RowKey, Any] = {}
        """By key as it is stored; ``None`` for a row that is not there."""
        self.changed: dict[RowKey, Any] = {}
        self.has_all = has_all
        """Whether there are no rows but these, so that none needs to be looked up."""

    async def look_up(self, keys: Iterable[RowKey]) -> None:
        """Have the rows of these keys in hand. Raises ``ProjectionError`` for one that is no row any more."""
        missing = [] if self.has_all else [key for key in keys if key not in self.now]
        if not missing:
            return
        try:
            found = await self._store.load(self._table, missing)
        except StoreError:
            raise
        except Exception as error:
            raise ProjectionError(f"a row of {self._projection} cannot be read back: {error}") from error
        self.now.update(dict.fromkeys(missing))
        self.now.update(found)

    def put(self, rows: Rows) -> None:
        """These rows changed; ``None`` for one that was deleted."""
        self.now.update(rows)
        self.changed.update(rows)

    def changes(self) -> TableChanges:
        """What to store and what to delete. Raises ``ProjectionError`` for a row that cannot be stored."""
        return table_changes(self._projection, self._table, self.changed)

    def stored(self) -> None:
        """That is done. Where there are too many rows by now, those that did not change just then are forgotten."""
        if len(self.now) > _MOST_KEPT:
            self.now, self.has_all = dict(self.changed), False
        self.changed.clear()


class RowWork:
    """What a projection has in hand of a range: see ``Work``. ``fold_on`` folds events into its ``rows``."""

    def __init__(
        self,
        projection: str,
        store: ReadStore,
        tables: Sequence[Table],
        start: Checkpoint,
        fold_on: FoldOn,
        only: RowKey | None = None,
    ) -> None:
        self._projection = projection
        self._fold_on = fold_on
        self.start = start
        self.position = start.position
        self.only = only
        is_new = start.position == 0 and only is None  # every epoch begins with empty tables
        self.rows = {table: TableRows(projection, store, table, has_all=is_new) for table in tables}

    def owned(self, skips: Skips) -> Owned | None:
        """The test whether a row is to be changed; ``None`` if every row is."""
        return owned_by(self.start, skips.keys, self.only)

    @property
    def size(self) -> int:
        """See ``Work.size``."""
        return sum(len(rows.changed) for rows in self.rows.values())

    async def fold(self, facts: Sequence[Fact], position: int, skips: Skips = NOTHING_SKIPPED) -> Fault | None:
        """See ``Work.fold``."""
        if skips.positions:
            facts = [fact for fact in facts if fact.position not in skips.positions]
        fault = await self._fold_on(self, facts, skips) if facts else None
        self.position = position if fault is None else fault.position - 1
        return fault

    def changes(self) -> Changes:
        """See ``Work.changes``."""
        parts = tuple(rows.changes() for rows in self.rows.values() if rows.changed)
        return Changes(self._projection, self.start, self.position, parts)

    def stored(self, start: Checkpoint) -> None:
        """See ``Work.stored``."""
        self.start = start
        for rows in self.rows.values():
            rows.stored()


FoldOn: TypeAlias = Callable[[RowWork, Sequence[Fact], Skips], Awaitable[Fault | None]]


def table_changes(projection: str, table: Table, rows: Rows) -> TableChanges:
    """What to store and what to delete. Raises ``ProjectionError`` for a row that cannot be stored."""
    try:
        puts = [table.values_of(row) for row in rows.values() if row is not None]
    except Exception as error:
        raise ProjectionError(f"a row of {projection} cannot be stored: {error}") from error
    return TableChanges(table, puts, [key for key, row in rows.items() if row is None])
