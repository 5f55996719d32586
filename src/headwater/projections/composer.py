"""The composer: a projection of several models, of look-ups or of sums, as a consumer of the log.

Reads: composing.py, rows.py, followers/consumer.py. It reads the rows that events need once for each table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headwater.errors import ProjectionError
from headwater.followers.consumer import Fault
from headwater.followers.feed import Fact
from headwater.projections.composing import Composing
from headwater.projections.rows import RowWork, table_changes
from headwater.read_models import ProjectionPlan
from headwater.read_store.checkpoints import Checkpoint
from headwater.read_store.parking import Skips
from headwater.read_store.protocol import ReadStore, TableChanges
from headwater.read_store.tables import RowKey, Table


class Composer:
    """Turns events into changes of a projection's rows. See ``Consumer``."""

    def __init__(self, plan: ProjectionPlan, read_store: ReadStore, side: int = 0) -> None:
        self.name = plan.name
        self.version = plan.version
        self.event_types = plan.event_types
        self._plan = plan
        self._side = side
        self._composing = Composing(plan, side)
        self._rows = read_store
        self.tables: tuple[Table, ...] = self._composing.tables

    def on(self, side: int) -> Composer:
        """See ``Consumer.on``."""
        return self if side == self._side else Composer(self._plan, self._rows, side)

    def begin(self, start: Checkpoint) -> RowWork:
        """See ``Consumer.begin``."""
        return RowWork(self.name, self._rows, self.tables, start, self._fold)

    async def _fold(self, work: RowWork, facts: Sequence[Fact], skips: Skips) -> Fault | None:  # noqa: ARG002  of rows
        owned = self._composing.owned_by(work.start)
        for table, keys in self._composing.keys(facts, owned).items():
            await work.rows[table].look_up(keys)
        batch = self._composing.fold(facts, {table: rows.now for table, rows in work.rows.items()}, owned)
        for table, added in batch.added.items():
            await work.rows[table].look_up(added)
        for table, changed in batch.rows.items():
            work.rows[table].put(changed)
        for table, added in batch.added.items():
            work.rows[table].put(self._composing.sums[table].totals(work.rows[table].now, added))
        if batch.error is None:
            return None
        event = next(fact.type for fact in facts if fact.position == batch.failed_at)
        return Fault(batch.failed_at, batch.error, None, event)

    def keys_of(self, fact: Fact) -> list[RowKey] | None:
        """See ``Consumer.keys_of``. An event is about rows of several kinds, so no single one can be set aside."""
        return None if fact.type in self.event_types else []

    def fold_row(
        self,
        key: RowKey,
        facts: Sequence[Fact],  # noqa: ARG002  as the protocol has it
        rows: Mapping[RowKey, Any],  # noqa: ARG002  as the protocol has it
    ) -> tuple[Mapping[RowKey, Any], Fault | None]:
        """See ``Consumer.fold_row``. Rows are never set aside here, so there is none to go on with."""
        raise ProjectionError(f"{self.name} fills several models, of which no row {key!r} goes on alone")

    def stored(self, rows: Mapping[RowKey, Any]) -> tuple[TableChanges, ...]:
        """See ``Consumer.stored``."""
        return (table_changes(self.name, self.tables[0], rows),) if rows else ()
