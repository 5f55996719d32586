"""The composer: a projection of several models, of look-ups or of sums, as a consumer of the log.

Reads: composing.py, rows.py, followers/consumer.py. It reads the rows that a batch needs once for each table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from headwater.errors import ProjectionError
from headwater.followers.consumer import Fault, Folded
from headwater.followers.feed import Fact
from headwater.projections.composing import Composing, RowsOf
from headwater.projections.rows import load_rows, table_changes
from headwater.read_models import ProjectionPlan
from headwater.read_store.checkpoints import Checkpoint
from headwater.read_store.parking import NOTHING_SKIPPED, Skips
from headwater.read_store.protocol import Changes, ReadStore, TableChanges
from headwater.read_store.tables import RowKey, Table


class Composer:
    """Turns batches of events into changes of a projection's rows. See ``Consumer``."""

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

    async def fold(
        self, facts: Sequence[Fact], start: Checkpoint, position: int, skips: Skips = NOTHING_SKIPPED
    ) -> Folded:
        """See ``Consumer.fold``. Raises ``ProjectionError`` for a row that cannot be stored."""
        if skips.positions:
            facts = [fact for fact in facts if fact.position not in skips.positions]
        if not facts:
            return Folded(Changes(self.name, start, position))
        owned = self._composing.owned_by(start)
        rows = await self._load(self._composing.keys(facts, owned))
        batch = self._composing.fold(facts, rows, owned)
        changes = self._changes({**batch.rows, **await self._summed(batch.added)})
        if batch.error is None:
            return Folded(Changes(self.name, start, position, changes))
        event = next(fact.type for fact in facts if fact.position == batch.failed_at)
        fault = Fault(batch.failed_at, batch.error, None, event)
        return Folded(Changes(self.name, start, batch.failed_at - 1, changes), fault)

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
        return () if not rows else self._changes({self.tables[0]: rows})

    async def _load(self, needed: Mapping[Table, Iterable[Any]]) -> dict[Table, dict[Any, Any]]:
        """One read for each table, whatever the number of events."""
        return {table: await load_rows(self._rows, self.name, table, keys) for table, keys in needed.items() if keys}

    async def _summed(self, added: RowsOf) -> dict[Table, dict[Any, Any]]:
        """What stands there and what is added to it; ``None`` for a group that counts nothing any more."""
        stored = await self._load({table: rows.keys() for table, rows in added.items()})
        summed: dict[Table, dict[Any, Any]] = {}
        for table, rows in added.items():
            adding, there = self._composing.sums[table], stored.get(table, {})
            summed[table] = {}
            for key, row in rows.items():
                total = adding.add(there[key], row) if key in there else row
                summed[table][key] = None if adding.is_nothing(total) else total
        return summed

    def _changes(self, changed: RowsOf) -> tuple[TableChanges, ...]:
        made = [table_changes(self.name, table, rows) for table, rows in changed.items()]
        return tuple(each for each in made if each.puts or each.deletes)
