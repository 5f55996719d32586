"""Given, then rows: what a projection makes of events, told as examples. Pure, no store.

Reads: history.py, read_models.py, projections/folding.py. Read next: scenarios.py (the same words for aggregates).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from headwater.errors import ContractError, WiringError
from headwater.projections import Composing
from headwater.read_models import Projection, ProjectionPlan, ReadModel, projection_plan
from headwater.read_store import Table
from headwater.testing.differences import difference, listed
from headwater.testing.facts import Happened, History

R = TypeVar("R", bound=ReadModel)


def row_scenario(projection: type[Projection[R]], now: datetime) -> RowScenario[R]:
    """Begin a scenario of a projection; ``scenario`` is the way in. Raises ``WiringError`` with every fault."""
    plan = projection_plan(projection)
    if isinstance(plan, str):
        raise WiringError((plan,))
    if plan.faults:
        raise WiringError(plan.faults)
    return RowScenario[Any](plan, History(), now)


class RowScenario(msgspec.Struct, Generic[R], frozen=True):
    """What happened to a projection so far."""

    plan: ProjectionPlan
    history: History
    now: datetime

    def __repr__(self) -> str:
        return f"<scenario of {self.plan.name}, {self.history.position} events>"

    def given(self, *happened: Happened) -> RowScenario[R]:
        """These events happened: each an event, or ``(event, recorded_at)``, or a ``Recorded``."""
        return msgspec.structs.replace(self, history=self.history.and_then(happened, self.now))

    @property
    def rows(self) -> list[R]:
        """The rows that follow, model by model, in the order of their keys.

        Raises ``MissingRow`` and whatever else the projection raises, and ``ContractError`` for a row that is not the
        same after it was stored and read again.
        """
        folding = Composing(self.plan)
        batch = folding.fold(self.history.facts(self.plan.event_types), {})
        if batch.error is not None:
            raise batch.error
        summed = {table: folding.sums[table].totals({}, added) for table, added in batch.added.items()}
        kept: list[R] = []
        for table, rows in {**batch.rows, **summed}.items():
            kept += [_same_again(table, rows[key]) for key in sorted(rows) if rows[key] is not None]
        return kept

    def then_rows(self, *rows: R) -> RowScenario[R]:
        """Exactly these rows are there, in any order; none, if none is named. Raises ``AssertionError`` otherwise."""
        __tracebackhide__ = True
        tables = Composing(self.plan).tables
        expected = [
            row
            for table in tables
            for row in sorted((row for row in rows if isinstance(row, table.model)), key=table.row_key)
        ]
        expected += [row for row in rows if not isinstance(row, self.plan.models)]
        actual = self.rows
        if expected != actual:
            shown = f"{difference(expected, actual)}\n  given:\n{listed(self.history.events)}"
            raise AssertionError(f"{self.plan.name} has other rows\n{shown}")
        return self


def _same_again(table: Table, row: R) -> R:
    again = table.row_of(table.values_of(row)[: len(table.columns)])
    if again != row:
        raise ContractError(
            f"{row!r} is {again!r} after it was stored and read again",
            remedy="use field types that survive being stored, and an equality that holds between copies",
        )
    return row
