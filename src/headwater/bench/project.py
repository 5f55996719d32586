"""Projections into a SQLite read model: catching up, and rebuilding. Reads: logs.py. Read next: ask.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter

from headwater.bench.figures import Case, Group, Plan, Sample, Settings, Target
from headwater.bench.floors import commit_floor, fresh
from headwater.bench.logs import copied, fill_in_turn, log_url
from headwater.bench.payload import order_id
from headwater.bench.peers import absence, eventsourcing, installed
from headwater.bench.timing import run
from headwater.bench.workload import OrderTotal, OrderTotals, orders_app
from headwater.runtime import Runtime

_SECONDS = 0.8
_EVENTS = 100_000
_ORDERS = 5000
_PEER_EVENTS = 10_000
_PATIENCE_SECONDS = 120.0

FLOOR = "floor: 1 counter per commit"
CATCH_UP, REBUILD = "projection, catching up", "projection, rebuilt"
EVENTSOURCING = "eventsourcing SQLite: notifications read"


@contextmanager
def _plan(settings: Settings) -> Iterator[Plan]:
    events, place = settings.count(_EVENTS, least=1000), settings.directory
    with fresh(place) as template:
        run(fill_in_turn(log_url(template), events, min(_ORDERS, events // 20)))
        does = (
            f"{events:,} events, each changes one of {min(_ORDERS, events // 20):,} rows; rows and checkpoint together"
        )
        cases = [
            Case(
                name=FLOOR,
                kind="floor",
                unit="commit/s",
                does="apsw, one thread: one counter changed in each durable transaction",
                measure=partial(commit_floor, place, settings.seconds(_SECONDS)),
            ),
            Case(
                name=CATCH_UP,
                kind="headwater",
                unit="event/s",
                does=f"{does}; from opening the application to caught up",
                measure=partial(_projected, template, place, events, rebuild=False),
            ),
            Case(
                name=REBUILD,
                kind="headwater",
                unit="event/s",
                does=f"{does}; from asking for the rebuild to caught up",
                measure=partial(_projected, template, place, events, rebuild=True),
            ),
        ]
        if installed("eventsourcing"):
            count = settings.count(_PEER_EVENTS, least=1000)
            measure = partial(eventsourcing.notifications, place, settings.seconds(_SECONDS) / 2, count)
            does = "pages of 1000 events read and not applied: its SQLite module has no projection runner"
            cases.append(Case(name=EVENTSOURCING, kind="peer", unit="event/s", does=does, measure=measure))
        yield Plan(cases=tuple(cases), targets=_TARGETS, absent=absence("eventsourcing"))


def _projected(template: Path, place: Path, events: int, *, rebuild: bool) -> Sample:
    async def measure(directory: Path) -> Sample:
        started = perf_counter()
        async with orders_app(projections=True).open(log_url(directory)) as runtime:
            await runtime.caught_up(timeout=_PATIENCE_SECONDS)
            if rebuild:
                started = perf_counter()
                await runtime.rebuild(OrderTotals.__name__)
                await runtime.caught_up(timeout=_PATIENCE_SECONDS)
            passed = perf_counter() - started
            await _check(runtime, events)
            return Sample(events / passed)

    with copied(template, place) as directory:
        return run(measure(directory))


async def _check(runtime: Runtime, events: int) -> None:
    """A fast projection that counts wrong is worth nothing."""
    row = await runtime.read_store.reader(OrderTotal).get(order_id(0))
    expected = -(-events // min(_ORDERS, events // 20))
    if row is None or row.lines != expected:
        raise AssertionError(f"order {order_id(0)} has {expected} lines, but its row is {row}")


_TARGETS = (
    Target(figure=CATCH_UP, against=(FLOOR,), limit=3.33),
    Target(figure=REBUILD, against=(FLOOR,), limit=3.33),
    Target(figure=CATCH_UP, against=(EVENTSOURCING,)),
)

PROJECT = Group(name="project", title="Projections to a SQLite read model", plan=_plan)
