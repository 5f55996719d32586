"""Commands through the whole path on PostgreSQL, against libraries that do the same there. Reads: commands.py.

Read next: postgres_project.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from headwater.bench.commands import WARM_CACHE, measured_commands
from headwater.bench.figures import Case, Group, Plan, Sample, Settings, Target
from headwater.bench.fleet import Clients, measured_fleet
from headwater.bench.logs import fill_with_orders
from headwater.bench.payload import EVENTS_PER_ORDER
from headwater.bench.peers import absence, emmett, eventsourcing_postgres, installed
from headwater.bench.postgres_floors import FLOOR_ONE, append_floor
from headwater.bench.postgres_server import ABSENT, PostgresServer, is_available, postgres_server
from headwater.bench.timing import run

_SECONDS = 0.8
_CLIENTS = 256
# So many that all who load find ten events on average, as on SQLite.
_COLD_ORDERS = 8192
_PEER_ORDERS = 370

WARM_2 = "PostgreSQL: commands, warm, 256 clients in 2 processes"
WARM_256, COLD_256 = "PostgreSQL: commands, warm, 256 clients", "PostgreSQL: commands, cold, 256 clients"
EVENTSOURCING = "eventsourcing PostgreSQL: commands"
EMMETT, EMMETT_16 = "emmett PostgreSQL: commands", "emmett PostgreSQL: commands, 16 at a time"


@contextmanager
def _plan(settings: Settings) -> Iterator[Plan]:
    missing = (*absence("eventsourcing.postgres"), *emmett.absence())
    if not is_available():
        yield Plan(cases=(), targets=_TARGETS, absent=(ABSENT, *missing))
        return
    with postgres_server(settings.directory) as server:
        cases = (*_subjects(server, settings), *_peers(server, settings))
        yield Plan(cases=cases, targets=_TARGETS, absent=missing)


def _subjects(server: PostgresServer, settings: Settings) -> Iterator[Case]:
    seconds, orders = settings.seconds(_SECONDS), settings.count(_COLD_ORDERS, least=_CLIENTS)
    yield Case(
        name=FLOOR_ONE,
        kind="floor",
        unit="append/s",
        does="asyncpg, one connection, one event to each commit",
        measure=lambda: append_floor(server.fresh_database(), seconds, 1),
    )
    for name, number, cache, does in (
        (WARM_256, _CLIENTS, WARM_CACHE, "the state of the order is cached"),
        (COLD_256, orders, 0, "cache off, about 10 events loaded each time"),
    ):
        measure = partial(_commands, server, seconds, number, cache)
        yield Case(name=name, kind="headwater", unit="command/s", does=f"JSON in, receipt out; {does}", measure=measure)
    yield Case(
        name=WARM_2,
        kind="headwater",
        unit="command/s",
        does="JSON in, receipt out; each process keeps the states of its own 128 orders",
        measure=lambda: _fleet(server, seconds),
    )


def _peers(server: PostgresServer, settings: Settings) -> Iterator[Case]:
    seconds, orders = settings.seconds(_SECONDS), settings.count(_PEER_ORDERS, least=32)
    if installed("eventsourcing.postgres"):
        yield Case(
            name=EVENTSOURCING,
            kind="peer",
            unit="command/s",
            does="one thread: get an aggregate of about 10 events, change it, save",
            measure=lambda: eventsourcing_postgres.commands(server.fresh_database(), seconds, orders),
        )
    if emmett.is_installed():
        for name, tasks in ((EMMETT, 1), (EMMETT_16, 16)):
            yield Case(
                name=name,
                kind="peer",
                unit="command/s",
                does="node: fold a stream of about 10 events, append on the version it had",
                measure=partial(_of_emmett, server, seconds, orders, tasks),
            )


def _commands(server: PostgresServer, seconds: float, orders: int, cache: int) -> Sample:
    url = server.fresh_database()
    run(fill_with_orders(url, orders, EVENTS_PER_ORDER - 1))
    return run(measured_commands(url, seconds, _CLIENTS, orders, cache))


def _fleet(server: PostgresServer, seconds: float) -> Sample:
    url = server.fresh_database()
    run(fill_with_orders(url, _CLIENTS, EVENTS_PER_ORDER - 1))
    return measured_fleet(Clients(url=url, clients=_CLIENTS, seconds=seconds, orders=_CLIENTS), 2)


def _of_emmett(server: PostgresServer, seconds: float, orders: int, tasks: int) -> Sample:
    return emmett.commands(server.fresh_database(), seconds, orders, tasks)


_TARGETS = (
    Target(figure=WARM_256, against=(EVENTSOURCING,), limit=100),
    Target(figure=WARM_2, against=(EVENTSOURCING,)),
    Target(figure=WARM_256, against=(EMMETT,), limit=20),
    Target(figure=WARM_256, against=(EMMETT_16,)),
    Target(figure=WARM_256, against=(FLOOR_ONE,)),
    Target(figure=COLD_256, against=(EVENTSOURCING,)),
    Target(figure=COLD_256, against=(EMMETT,)),
)

POSTGRES_COMMANDS = Group(name="postgres-commands", title="Commands on PostgreSQL", plan=_plan)
