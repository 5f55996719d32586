"""The projector: one projection as a consumer of the log. Reads: folding.py, rows.py, followers/consumer.py.

It looks up the rows that events touch once, folds in memory, and hands over each changed row once. Of a range of slices
it loads, folds and stores the rows that belong to it, and no others.
"""

from __future__ import annotations

from collections.abc import Sequence

from headwater.followers.consumer import Fault
from headwater.followers.feed import Fact
from headwater.projections.composer import Composer
from headwater.projections.folding import Batch, Folding, Rows
from headwater.projections.rows import RowWork
from headwater.projections.sequences import only
from headwater.read_models import ProjectionPlan
from headwater.read_store.checkpoints import Checkpoint, slice_of
from headwater.read_store.parking import Skips
from headwater.read_store.protocol import ReadStore
from headwater.read_store.tables import RowKey, Table


class Projector:
    """Turns events into changes of a projection's rows. See ``Consumer``."""

    def __init__(self, plan: ProjectionPlan, read_store: ReadStore, side: int = 0) -> None:
        self.name = plan.name
        self.version = plan.version
        self.event_types = plan.event_types
        self._plan = plan
        self._side = side
        self._folding = Folding(plan, side)
        self._rows = read_store
        self.tables: tuple[Table, ...] = (self._folding.table,)

    def on(self, side: int) -> Projector:
        """See ``Consumer.on``."""
        return self if side == self._side else Projector(self._plan, self._rows, side)

    def begin(self, start: Checkpoint, only: RowKey | None = None) -> RowWork:
        """See ``Consumer.begin``."""
        return RowWork(self.name, self._rows, self.tables, start, self._fold, only)

    async def _fold(self, work: RowWork, facts: Sequence[Fact], skips: Skips) -> Fault | None:
        rows, owned = work.rows[self._folding.table], work.owned(skips)
        if not rows.has_all:
            await rows.look_up(self._folding.keys(facts, owned))
        batch = self._folding.fold(facts, rows.now, owned)
        rows.put(batch.rows)
        return _fault(batch, facts)

    def fold_row(self, key: RowKey, facts: Sequence[Fact], rows: Rows) -> Rows:
        """What these events make of the row of that key, and of no other, up to the first that fails."""
        return self._folding.fold(facts, rows, lambda each: bool(each == key)).rows

    def blame(self, fact: Fact, cause: Exception, at: Checkpoint) -> Fault:
        """See ``Consumer.blame``."""
        keys = [key for key in self.keys_of(fact) or () if at.low <= slice_of(key) <= at.high]
        return Fault(fact.position, cause, only(keys), fact.type)

    def keys_of(self, fact: Fact) -> list[RowKey] | None:
        """See ``Consumer.keys_of``."""
        return self._folding.keys_of(fact)

    def strays(self, fact: Fact, key: RowKey) -> bool:
        """See ``Consumer.strays``."""
        return self._folding.strays(fact, key)


def _fault(batch: Batch, facts: Sequence[Fact]) -> Fault | None:
    if batch.error is None:
        return None
    event = next(fact.type for fact in facts if fact.position == batch.failed_at)
    return Fault(batch.failed_at, batch.error, batch.failed_key, event)


def projectors(plans: Sequence[ProjectionPlan], read_store: ReadStore) -> list[Projector | Composer]:
    """A projector for each projection of an application."""
    return [(Projector if plan.is_plain else Composer)(plan, read_store) for plan in plans]
