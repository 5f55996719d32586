"""Loading an aggregate of 10 and of 100 events. Reads: logs.py. Read next: project.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import msgspec

from headwater.bench.figures import Case, Group, Plan, Sample, Settings, Target
from headwater.bench.floors import connected, fresh
from headwater.bench.logs import fill_with_orders, log_url
from headwater.bench.payload import LINE, line_json, order_id
from headwater.bench.peers import absence, eventsourcing, installed
from headwater.bench.timing import rate, rate_of_clients, run
from headwater.bench.workload import AddLine, LineAdded, orders_app
from headwater.commands.boundaries import Boundary
from headwater.commands.gathering import GatheredReads
from headwater.commands.loading import Loader

_SECONDS = 0.5
_ORDERS = 500
_READ = "SELECT data FROM event_tags JOIN events USING(position) WHERE tag=? ORDER BY event_tags.position"


def _names(events: int) -> tuple[str, str, str]:
    return (
        f"floor: read and decode {events} events",
        f"load of {events} events",
        f"eventsourcing SQLite: get of {events}",
    )


@contextmanager
def _plan(settings: Settings) -> Iterator[Plan]:
    with fresh(settings.directory) as directory:
        cases = [case for events in (10, 100) for case in _cases(settings, directory, events)]
        yield Plan(cases=tuple(cases), targets=_TARGETS, absent=absence("eventsourcing"))


def _cases(settings: Settings, directory: Path, events: int) -> Iterator[Case]:
    floor, subject, peer = _names(events)
    seconds, orders = settings.seconds(_SECONDS), settings.count(_ORDERS)
    place = directory / str(events)
    place.mkdir()
    run(fill_with_orders(log_url(place), orders, events))
    raw = _hand_written(place / "floor.db", orders, events)
    yield Case(
        name=floor,
        kind="floor",
        unit="load/s",
        does="apsw by tag, data decoded to structs and added up, one thread",
        measure=partial(_raw_loads, raw, seconds, orders),
    )
    yield Case(
        name=subject,
        kind="headwater",
        unit="load/s",
        does="boundary query to state, one task, no cache, no snapshot",
        measure=lambda: run(_loads(log_url(place), seconds, orders)),
    )
    if installed("eventsourcing"):
        measure = partial(eventsourcing.loads, settings.directory, seconds, events)
        yield Case(name=peer, kind="peer", unit="load/s", does="one thread, no cache", measure=measure)


async def _loads(url: str, seconds: float, orders: int) -> Sample:
    app = orders_app()
    route = app.wiring.routes[AddLine]
    async with app.open(url) as runtime:
        loader = Loader(runtime.event_store, app.codec, route.plan, GatheredReads(runtime.event_store))
        turns = cycle([AddLine(order_id=order_id(number), **LINE) for number in range(orders)])

        async def load() -> None:
            boundary = Boundary(None)
            boundary.state = route.start(next(turns))
            boundary.query = route.boundary(boundary.state)
            await loader.load(boundary)

        return await rate_of_clients(1, seconds, lambda _client: load)


def _hand_written(path: Path, orders: int, events: int) -> Path:
    connection = connected(path)
    connection.execute("CREATE TABLE events(position INTEGER PRIMARY KEY, data BLOB NOT NULL)")
    connection.execute("CREATE TABLE event_tags(tag TEXT, position INTEGER, PRIMARY KEY(tag, position)) WITHOUT ROWID")
    positions = [(order, order * events + number) for order in range(orders) for number in range(1, events + 1)]
    with connection:
        connection.executemany(
            "INSERT INTO events VALUES(?,?)", ((position, line_json(order_id(order))) for order, position in positions)
        )
        connection.executemany(
            "INSERT INTO event_tags VALUES(?,?)",
            ((f"order:{order_id(order)}", position) for order, position in positions),
        )
    connection.close()
    return path


def _raw_loads(path: Path, seconds: float, orders: int) -> Sample:
    connection = connected(path)
    decode: Any = msgspec.json.Decoder(LineAdded).decode
    turns = cycle([f"order:{order_id(number)}" for number in range(orders)])

    def load() -> int:
        total = 0
        for (data,) in connection.execute(_READ, (next(turns),)):
            event = decode(data)
            total += event.quantity * event.price
        return total

    try:
        return rate(load, seconds)
    finally:
        connection.close()


_TARGETS = tuple(
    Target(figure=subject, against=(other,))
    for events in (10, 100)
    for floor, subject, peer in (_names(events),)
    for other in (floor, peer)
)

LOAD = Group(name="load", title="Loading an aggregate", plan=_plan)
