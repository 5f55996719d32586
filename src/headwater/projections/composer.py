"""The composer: a projection of several models, of look-ups or of sums, as a consumer of the log.

Reads: composing.py, rows.py, followers/consumer.py. It reads the rows that events need once for each table.
"""

from __future__ import annotations

from collections.abc import Sequence

from headwater.followers.consumer import Fault
from headwater.followers.feed import Fact
from headwater.projections.composing import Composing
from headwater.projections.rows import RowWork
from headwater.projections.sequences import Happening, only
from headwater.read_models import ProjectionPlan
from headwater.read_store.checkpoints import Checkpoint, slice_of
from headwater.read_store.parking import Skips
from headwater.read_store.protocol import ReadStore
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

    def begin(self, start: Checkpoint, only: RowKey | None = None) -> RowWork:
        """See ``Consumer.begin``."""
        return RowWork(self.name, self._rows, self.tables, start, self._fold, only)

    async def _fold(self, work: RowWork, facts: Sequence[Fact], skips: Skips) -> Fault | None:
        if self._composing.is_undivided and work.start.low:
            return None  # all rows are in slice 0
        owned = None if self._composing.is_undivided else work.owned(skips)
        for table, keys in self._composing.keys(facts, owned).items():
            await work.rows[table].look_up(keys)
        batch = self._composing.fold(facts, {table: rows.now for table, rows in work.rows.items()}, owned)
        for table, added in batch.added.items():
            await work.rows[table].look_up(added)
        for table, changed in batch.rows.items():
            work.rows[table].put(changed)
        for table, added in batch.added.items():
            work.rows[table].put(self._composing.sums[table].totals(work.rows[table].now, added))
        if batch.error is None or batch.failed is None:
            return None
        return self._fault(batch.failed, batch.error, batch.failed_key)

    def blame(self, fact: Fact, cause: Exception, at: Checkpoint) -> Fault:
        """See ``Consumer.blame``."""
        keys = [key for key in self.keys_of(fact) or () if at.low <= slice_of(key) <= at.high]
        return self._fault(fact, cause, only(keys))

    def _fault(self, fact: Happening, cause: Exception, key: RowKey | None) -> Fault:
        """What an event fails with: at a row that nothing else depends on, or else altogether."""
        if self._composing.is_undivided:
            key = None
        can_go_on = key is not None or fact.type in self._composing.apart
        return Fault(fact.position, cause, key, fact.type if can_go_on else "")

    def strays(self, fact: Fact, key: RowKey) -> bool:  # noqa: ARG002  what makes rows counts to none when it fails
        """See ``Consumer.strays``."""
        return False

    def keys_of(self, fact: Fact) -> list[RowKey] | None:
        """See ``Consumer.keys_of``."""
        return self._composing.keys_of(fact)
