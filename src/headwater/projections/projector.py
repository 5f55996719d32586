"""The projector: one projection as a consumer of the log. Reads: folding.py, followers/consumer.py.

It looks up the rows that a batch touches once, folds the batch in memory, and hands over each changed row once. Of a
range of slices it loads, folds and stores the rows that belong to it, and no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from headwater.errors import ProjectionError, StoreError
from headwater.followers.consumer import Fault, Folded
from headwater.followers.feed import Fact
from headwater.projections.folding import Folding, Rows, owns
from headwater.read_models import ProjectionPlan
from headwater.read_store.checkpoints import Checkpoint
from headwater.read_store.protocol import Changes, ReadStore, TableChanges
from headwater.read_store.tables import Table


class Projector:
    """Turns batches of events into changes of a projection's rows. See ``Consumer``."""

    def __init__(self, plan: ProjectionPlan, read_store: ReadStore) -> None:
        self.name = plan.name
        self.version = plan.version
        self.event_types = plan.event_types
        self._folding = Folding(plan)
        self._rows = read_store
        self.tables: tuple[Table, ...] = (self._folding.table,)

    async def fold(self, facts: Sequence[Fact], start: Checkpoint, position: int) -> Folded:
        """See ``Consumer.fold``. Raises ``ProjectionError`` for a row that cannot be stored."""
        if not facts:
            return Folded(Changes(self.name, start, position))
        owned = None if start.is_whole else owns(start.low, start.high)
        needed = self._folding.keys(facts, owned)
        rows = await self._load(needed) if needed else {}
        batch = self._folding.fold(facts, rows, owned)
        changes = self._stored(batch.rows)
        if batch.error is None:
            return Folded(Changes(self.name, start, position, changes))
        fault = Fault(batch.failed_at, batch.error, batch.failed_key)
        return Folded(Changes(self.name, start, batch.failed_at - 1, changes), fault)

    async def _load(self, needed: set[Any]) -> dict[Any, Any]:
        try:
            return await self._rows.load(self._folding.table, needed)
        except StoreError:
            raise
        except Exception as error:
            raise ProjectionError(f"a row of {self.name} cannot be read back: {error}") from error

    def _stored(self, rows: Rows) -> tuple[TableChanges, ...]:
        table = self._folding.table
        try:
            puts = [table.values_of(row) for row in rows.values() if row is not None]
        except Exception as error:
            raise ProjectionError(f"a row of {self.name} cannot be stored: {error}") from error
        return (TableChanges(table, puts, [key for key, row in rows.items() if row is None]),)


def projectors(plans: Sequence[ProjectionPlan], read_store: ReadStore) -> list[Projector]:
    """A projector for each projection of an application."""
    return [Projector(plan, read_store) for plan in plans]
