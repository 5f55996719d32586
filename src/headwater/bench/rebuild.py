"""Four projections of one log, rebuilt together, against one of them alone. Reads: workload.py, logs.py.

Read next: serve.py. The log is read and each of its events decoded once for all that follow it at the same place.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any
from unittest.mock import patch

from headwater.app import App
from headwater.bench.figures import Case, Group, Plan, Sample, Settings, Target
from headwater.bench.floors import fresh
from headwater.bench.logs import copied, fill_in_turn, log_url
from headwater.bench.timing import run
from headwater.bench.workload import LineAdded, OrderTotals
from headwater.codec import Codec
from headwater.read_models import Key, Projection, ReadModel, on

_EVENTS, _MILLION = 100_000, 1_000_000
_ORDERS = 5000
_PATIENCE_SECONDS = 300.0
ONE, FOUR = "one projection, from the start", "four projections, from the start"
DECODED = "events decoded for each that is stored, four projections"


class _Quantity(ReadModel):
    order_id: Annotated[str, Key()]
    quantity: int


class _LastLine(ReadModel):
    order_id: Annotated[str, Key()]
    sku: str
    price: int


class _Dearest(ReadModel):
    order_id: Annotated[str, Key()]
    price: int


class Quantities(Projection[_Quantity]):
    """How many pieces each order has."""

    @on
    def added(self, event: LineAdded, row: _Quantity | None) -> _Quantity:
        """Add them up."""
        return _Quantity(order_id=event.order_id, quantity=event.quantity + (row.quantity if row else 0))


class LastLines(Projection[_LastLine]):
    """The last line of each order."""

    @on
    def added(self, event: LineAdded, row: _LastLine | None) -> _LastLine:
        """Take its place."""
        del row
        return _LastLine(order_id=event.order_id, sku=event.sku, price=event.price)


class Dearest(Projection[_Dearest]):
    """The highest price in each order."""

    @on
    def added(self, event: LineAdded, row: _Dearest | None) -> _Dearest:
        """Compare."""
        return _Dearest(order_id=event.order_id, price=max(event.price, row.price if row else 0))


_ALL = (OrderTotals, Quantities, LastLines, Dearest)


@contextmanager
def _plan(full: int, settings: Settings) -> Iterator[Plan]:
    events = settings.count(full, least=2000)
    with fresh(settings.directory) as template:
        run(fill_in_turn(log_url(template), events, min(_ORDERS, events // 20)))
        measured = partial(_measured, template, settings.directory, events)
        yield Plan(
            cases=(
                _case(ONE, "event/s", f"{events:,} events; until caught up", partial(measured, _ALL[:1])),
                _case(FOUR, "event/s", "the same log, until all four have caught up", partial(measured, _ALL)),
                _case(
                    DECODED,
                    "x",
                    "each call of the codec that decodes a stored event is counted",
                    partial(_decoded, template, settings.directory, events),
                    once=True,
                ),
            ),
            targets=_TARGETS,
        )


def _case(name: str, unit: str, does: str, measure: Any, *, once: bool = False) -> Case:
    return Case(name=name, kind="headwater", unit=unit, does=does, measure=measure, once=once)


def _measured(template: Path, place: Path, events: int, projections: tuple[Any, ...]) -> Sample:
    async def caught_up(url: str) -> float:
        started = perf_counter()
        async with App("rebuild", *projections).open(url) as runtime:
            await runtime.caught_up(timeout=_PATIENCE_SECONDS)
            return perf_counter() - started

    with copied(template, place) as directory:
        return Sample(events / run(caught_up(log_url(directory))))


def _decoded(template: Path, place: Path, events: int) -> Sample:
    decode, calls, inside = Codec.decode, 0, False

    def counted(self: Codec, *given: Any, **named: Any) -> Any:
        nonlocal calls, inside
        if inside:  # the codec asks itself again when it meets a type for the first time
            return decode(self, *given, **named)
        calls, inside = calls + 1, True
        try:
            return decode(self, *given, **named)
        finally:
            inside = False

    with patch.object(Codec, "decode", counted):  # for this sample alone, which measures no time
        _measured(template, place, events, _ALL)
    return Sample(calls / events)


_TARGETS = (
    Target(figure=FOUR, against=(ONE,), limit=0.5),
    Target(figure=DECODED, bound="at most", limit=1),
)

REBUILD = Group(name="rebuild", title="Four projections of 100,000 events, together", plan=partial(_plan, _EVENTS))
REBUILD_MILLION = Group(
    name="rebuild-1m", title="Four projections of a million events, together", plan=partial(_plan, _MILLION), long=True
)
