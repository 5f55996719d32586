"""A projection step by step: which rows each event changes. Reads: projections/, queries/past.py.

Read next: ../cli/verbs/projections.py. The rows stand in a scratch read store; nothing live is touched.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import msgspec

from headwater.codec import Codec
from headwater.errors import ProjectionFailed
from headwater.event_store.protocol import EventQuery, EventStore
from headwater.followers.feed import Fact, facts_of
from headwater.projections import projectors
from headwater.queries.past import fold_until
from headwater.read_models import ProjectionPlan
from headwater.read_store.memory import MemoryReadStore
from headwater.read_store.protocol import TableChanges

_PAGE = 500


class RowChange(msgspec.Struct, frozen=True):
    """A row of ``model`` before and after an event; ``None`` where there is none."""

    model: str
    key: Any
    before: Any
    after: Any


class Step(msgspec.Struct, frozen=True):
    """An event, and the rows that it changes."""

    position: int
    type: str
    recorded_at: datetime
    event: Any
    changes: list[RowChange]


async def steps(
    plan: ProjectionPlan,
    events: EventStore,
    codec: Codec,
    *,
    first: int = 1,
    last: int | None = None,
    key: str | None = None,
) -> AsyncIterator[Step]:
    """The steps of the events from position ``first`` to ``last`` that change rows, or the row of that ``key`` alone.

    Raises ``ProjectionFailed`` at an event that cannot be projected.
    """
    (consumer,) = projectors([plan], rows := MemoryReadStore())
    end = await events.head() if last is None else min(last, await events.head())
    await fold_until(events, codec, [consumer], rows, 0, min(first - 1, end))
    at, types = max(0, first - 1), consumer.event_types
    while at < end:
        page = await events.read(EventQuery.of(types=sorted(types)), after=at, limit=_PAGE)
        for fact in facts_of([each for each in page.events if each.position <= end], types, codec):
            start = (await rows.checkpoints())[plan.name]
            work = consumer.begin(start)
            fault = await work.fold([fact], fact.position)
            if fault is not None:
                raise ProjectionFailed(
                    f"{plan.name} stops at position {fact.position}: {fault.cause}",
                    projection=plan.name,
                    position=fact.position,
                ) from fault.cause
            made = work.changes()
            changes = [change for part in made.tables for change in await _changes(rows, part)]
            await rows.commit([made])
            changes = [each for each in changes if key is None or str(each.key) == key]
            if changes:
                yield _step(fact, changes)
        at = page.events[-1].position if len(page.events) == _PAGE else end


async def _changes(rows: MemoryReadStore, part: TableChanges) -> list[RowChange]:
    table = part.table
    after = {table.key_of(values): table.row_of(values[: len(table.columns)]) for values in part.puts}
    after |= dict.fromkeys(part.deletes)
    before = await rows.load(table, after)
    return [
        RowChange(table.model.__name__, key, before.get(key), row)
        for key, row in after.items()
        if before.get(key) != row
    ]


def _step(fact: Fact, changes: list[RowChange]) -> Step:
    recorded = fact.recorded
    return Step(fact.position, fact.type, recorded.recorded_at, recorded.event, changes)
