"""Commands through the whole path: decode, validate, authorise, load, decide, append. Reads: logs.py, workload.py.

Read next: load.py. Warm: the state of each order is cached. Cold: the cache is off, and each command loads about ten
events from the log first. A peer that loads has so many orders that they are as short at the end of a sample.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

from headwater.bench.figures import Case, Group, Plan, Sample, Settings, Target
from headwater.bench.floors import FLOOR_256, FLOOR_ONE, append_floor, fresh
from headwater.bench.logs import copied, fill_with_orders, log_url
from headwater.bench.payload import EVENTS_PER_ORDER, LINE, line_json, order_id
from headwater.bench.peers import absence, eventsource_py, eventsourcing, installed, python_cqrs
from headwater.bench.timing import rate_of_clients, run
from headwater.bench.workload import DoNothing, orders_app
from headwater.runtime import Runtime

_SECONDS = 0.8
# Each order begins with nine events. There are so many that all who load find ten on average, each at its usual rate.
_ORDERS, _ORDERS_OF_ONE = 12_800, 2_400
_PEER_ORDERS, _PEER_ORDERS_CACHED = 900, 200
WARM_CACHE = 10_000

WARM_256, WARM_1 = "commands, warm, 256 clients", "commands, warm, 1 client"
COLD_256, COLD_1 = "commands, cold, 256 clients", "commands, cold, 1 client"
NO_LOAD_256 = "commands that load nothing, 256 clients"
DISPATCH = "dispatch to an empty handler"
EVENTSOURCING, EVENTSOURCING_CACHED = "eventsourcing SQLite: commands", "eventsourcing SQLite: commands, its cache on"
EVENTSOURCE_PY = "eventsource-py SQLite: commands"
PYTHON_CQRS = "python-cqrs: send to an empty handler"


@contextmanager
def _plan(settings: Settings) -> Iterator[Plan]:
    with fresh(settings.directory) as template:
        orders = settings.count(_ORDERS, least=256)
        run(fill_with_orders(log_url(template), orders, EVENTS_PER_ORDER - 1))
        missing = (*absence("eventsourcing"), *absence("eventsource"), *absence("cqrs"))
        cases = (*_floors(settings), *_subjects(settings, template, orders), *_peers(settings))
        yield Plan(cases=cases, targets=_TARGETS, absent=missing)


def _floors(settings: Settings) -> Iterator[Case]:
    for name, appends in ((FLOOR_ONE, 1), (FLOOR_256, 256)):
        measure = partial(append_floor, settings.directory, settings.seconds(_SECONDS), appends)
        yield Case(name=name, kind="floor", unit="append/s", does="apsw, one thread", measure=measure)


def _subjects(settings: Settings, template: Path, orders: int) -> Iterator[Case]:
    seconds, place = settings.seconds(_SECONDS), settings.directory
    warm = "JSON in, receipt out; the state of the order is cached"
    cold = "JSON in, receipt out; cache off, about 10 events loaded each time"
    for name, clients, does in ((WARM_256, 256, warm), (WARM_1, 1, warm)):
        measure = partial(_commands, template, place, seconds, clients, clients, WARM_CACHE)
        yield Case(name=name, kind="headwater", unit="command/s", does=does, measure=measure)
    for name, clients, number in ((COLD_256, 256, orders), (COLD_1, 1, settings.count(_ORDERS_OF_ONE))):
        measure = partial(_commands, template, place, seconds, clients, number, 0)
        yield Case(name=name, kind="headwater", unit="command/s", does=cold, measure=measure)
    yield Case(
        name=NO_LOAD_256,
        kind="headwater",
        unit="command/s",
        does="JSON in, receipt out; an aggregate that looks at no events, no condition",
        measure=partial(_commands, template, place, seconds, 256, orders, WARM_CACHE, "RecordLine"),
    )
    yield Case(
        name=DISPATCH,
        kind="headwater",
        unit="command/s",
        does="one task, a command made and executed, nothing stored",
        measure=lambda: run(_dispatches(seconds)),
    )


def _peers(settings: Settings) -> Iterator[Case]:
    seconds, place = settings.seconds(_SECONDS), settings.directory
    orders = settings.count(_PEER_ORDERS)
    does = "one thread: get an aggregate of about 10 events, change it, save"
    if installed("eventsourcing"):
        kept = settings.count(_PEER_ORDERS_CACHED)
        for name, cached, number in ((EVENTSOURCING, False, orders), (EVENTSOURCING_CACHED, True, kept)):
            measure = partial(eventsourcing.commands, place, seconds, number, cached=cached)
            yield Case(name=name, kind="peer", unit="command/s", does=does, measure=measure)
    if installed("eventsource"):
        yield Case(
            name=EVENTSOURCE_PY,
            kind="peer",
            unit="command/s",
            does=does.replace("thread", "task"),
            measure=lambda: run(eventsource_py.commands(place, seconds, orders)),
        )
    if installed("cqrs"):
        yield Case(
            name=PYTHON_CQRS,
            kind="peer",
            unit="command/s",
            does="one task, a request made and sent",
            measure=lambda: run(python_cqrs.dispatches(seconds)),
        )


def _commands(
    template: Path, place: Path, seconds: float, clients: int, orders: int, cache: int, command: str = "AddLine"
) -> Sample:
    with copied(template, place) as directory:
        return run(measured_commands(log_url(directory), seconds, clients, orders, cache, command))


async def measured_commands(
    url: str, seconds: float, clients: int, orders: int, cache: int, command: str = "AddLine"
) -> Sample:
    """Commands per second on a log of so many orders, divided among the clients; ``cache`` states are kept."""
    async with orders_app().open(url, cache_size=cache) as runtime:
        before = await runtime.event_store.head()
        sample = await rate_of_clients(clients, seconds, partial(command_client, runtime, command, clients, orders))
        made = await runtime.event_store.head() - before
        if cache == 0:
            sample.details["mean_events_loaded"] = EVENTS_PER_ORDER - 1 + made / orders / 2
        return sample


def command_client(
    runtime: Runtime, command: str, clients: int, orders: int, number: int
) -> Callable[[], Awaitable[object]]:
    """A client that goes round its own share of the orders."""
    turns = count()
    mine = [line_json(order_id(order)) for order in range(number, orders, clients)]

    def step() -> Awaitable[object]:
        return runtime.execute_json(command, mine[next(turns) % len(mine)])

    return step


async def _dispatches(seconds: float) -> Sample:
    async with orders_app().open("memory:") as runtime:
        return await rate_of_clients(
            1, seconds, lambda _client: lambda: runtime.execute(DoNothing(order_id="o-1", **LINE))
        )


_TARGETS = (
    Target(figure=WARM_256, against=(FLOOR_ONE,), limit=3),
    Target(figure=WARM_256, against=(EVENTSOURCING,), limit=30),
    Target(figure=WARM_256, against=(EVENTSOURCING_CACHED,)),
    Target(figure=WARM_256, against=(FLOOR_256,)),
    Target(figure=COLD_256, against=(FLOOR_ONE,), limit=1.2),
    Target(figure=COLD_256, against=(EVENTSOURCING,), limit=15),
    Target(figure=COLD_256, against=(EVENTSOURCE_PY,)),
    Target(figure=NO_LOAD_256, against=(FLOOR_ONE,)),
    Target(figure=WARM_1, against=(EVENTSOURCING,), limit=3),
    Target(figure=WARM_1, against=(EVENTSOURCING_CACHED,)),
    Target(figure=COLD_1, against=(EVENTSOURCING,), limit=3),
    Target(figure=DISPATCH, against=(PYTHON_CQRS,), limit=2),
)

COMMANDS = Group(name="commands", title="Commands: decode, validate, authorise, load, decide, append", plan=_plan)
