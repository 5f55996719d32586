"""Projections from a log on PostgreSQL to rows beside it. Reads: project.py. Read next: postgres_ask.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from headwater.bench.figures import Case, Group, Plan, Settings, Target
from headwater.bench.logs import fill_in_turn
from headwater.bench.peers import absence, eventsourcing_postgres, installed
from headwater.bench.postgres_server import ABSENT, is_available, postgres_server
from headwater.bench.project import measured_projection
from headwater.bench.timing import run

_EVENTS = 50_000
_ORDERS = 5000
_PEER_EVENTS = 1500

CATCH_UP, REBUILD = "PostgreSQL: projection, catching up", "PostgreSQL: projection, rebuilt"
EVENTSOURCING = "eventsourcing PostgreSQL: projection runner"


@contextmanager
def _plan(settings: Settings) -> Iterator[Plan]:
    missing = absence("eventsourcing.postgres")
    if not is_available():
        yield Plan(cases=(), targets=_TARGETS, absent=(ABSENT, *missing))
        return
    events, peer_events = settings.count(_EVENTS, least=1000), settings.count(_PEER_EVENTS, least=50)
    orders = min(_ORDERS, events // 20)
    does = f"{events:,} events, each changes one of {orders:,} rows; rows and checkpoint together"
    with postgres_server(settings.directory) as server:
        template = server.fresh_database()
        run(fill_in_turn(template, events, orders))
        server.settle(template)
        cases = [
            Case(
                name=CATCH_UP,
                kind="headwater",
                unit="event/s",
                does=f"{does}; from opening the application to caught up",
                measure=lambda: run(
                    measured_projection(server.fresh_database(template), events, orders, rebuild=False)
                ),
            ),
            Case(
                name=REBUILD,
                kind="headwater",
                unit="event/s",
                does=f"{does}; from asking for the rebuild to caught up",
                measure=lambda: run(measured_projection(server.fresh_database(template), events, orders, rebuild=True)),
            ),
        ]
        if installed("eventsourcing.postgres"):
            cases.append(
                Case(
                    name=EVENTSOURCING,
                    kind="peer",
                    unit="event/s",
                    does=f"{peer_events:,} events, each counts up a row; row and tracking in one transaction",
                    measure=lambda: eventsourcing_postgres.projection(server.fresh_database(), peer_events),
                )
            )
        yield Plan(cases=tuple(cases), targets=_TARGETS, absent=missing)


_TARGETS = (
    Target(figure=CATCH_UP, against=(EVENTSOURCING,), limit=30),
    Target(figure=REBUILD, against=(EVENTSOURCING,), limit=30),
)

POSTGRES_PROJECT = Group(name="postgres-project", title="Projections to a PostgreSQL read model", plan=_plan)
