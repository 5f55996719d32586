"""Given, then rows: what a projection makes of events, told as examples. Pure, no store.

Reads: history.py, read_models.py, projections/folding.py. Read next: scenarios.py (the same words for aggregates).
"""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter
from typing import Any, Generic, TypeGuard, TypeVar

import msgspec

from headwater.errors import MissingRow, WiringError
from headwater.messages import Event, Recorded
from headwater.read_models import EventHandler, Projection, ProjectionPlan, ReadModel, projection_plan
from headwater.testing.differences import difference, listed
from headwater.testing.history import Happened, History

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

    def given(self, *happened: Happened) -> RowScenario[R]:
        """These events happened: each an event, or ``(event, recorded_at)``, or a ``Recorded``."""
        return msgspec.structs.replace(self, history=self.history.and_then(happened, self.now))

    @property
    def rows(self) -> list[R]:
        """The rows that follow, in the order of their keys. Raises ``MissingRow`` and what the projection raises."""
        found: dict[Any, R] = {}
        projection = self.plan.cls()
        for recorded in self.history.recorded():
            handler = self.plan.handlers.get(type(recorded.event))
            if handler is not None:
                _project(self.plan, handler, projection, recorded, found)
        return [found[key] for key in sorted(found)]

    def then_rows(self, *rows: R) -> RowScenario[R]:
        """Exactly these rows are there, in any order; none, if none is named. Raises ``AssertionError`` otherwise."""
        __tracebackhide__ = True
        expected = sorted(rows, key=attrgetter(*self.plan.key_fields))
        actual = self.rows
        if expected != actual:
            shown = f"{difference(expected, actual)}\n  given:\n{listed(self.history.events)}"
            raise AssertionError(f"{self.plan.name} has other rows\n{shown}")
        return self


def _project(
    plan: ProjectionPlan, handler: EventHandler, projection: Any, recorded: Recorded[Event], rows: dict[Any, Any]
) -> None:
    """Apply one event to the rows, which stand under their keys."""
    event = recorded if handler.wants_envelope else recorded.event
    if handler.key is None:
        for row in _each(handler.method(projection, event)):
            rows[attrgetter(*plan.key_fields)(row)] = row
        return
    for key in _each(handler.key(event)):
        if key not in rows and handler.needs == "required":
            raise MissingRow(
                f"{handler.where}: there is no {plan.model.__name__} {key!r}", projection=plan.name, key=key
            )
        changed = handler.method(projection, event, rows.pop(key, None))
        if changed is not None:
            rows[attrgetter(*plan.key_fields)(changed)] = changed


def _each(found: Any) -> list[Any]:
    """One, several or none, as a list."""
    if _is_list(found):
        return found
    return [] if found is None else [found]


def _is_list(found: Any) -> TypeGuard[list[Any]]:
    return isinstance(found, list)
