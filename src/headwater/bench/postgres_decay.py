"""Does appending slow down as the log grows? The same appends to 100,000 and to a million events, in turn.

Reads: postgres_append.py. Read next: postgres_commands.py. The history is that of the clients which then go on. The
shorter log is a fresh copy for each sample, since a few samples would make it twice as long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

from headwater.bench.figures import Case, Group, Plan, Sample, Settings, Target
from headwater.bench.fleet import Clients, measured_fleet
from headwater.bench.payload import EVENTS_PER_ORDER, line_json, order_key
from headwater.bench.postgres_server import ABSENT, PostgresServer, is_available, postgres_server
from headwater.bench.timing import run
from headwater.event_store import open_store
from headwater.event_store.protocol import EventStore, NewEvent

_SECONDS = 1.0
_CLIENTS = 256
_SHORT, _LONG = 100_000, 1_000_000
_WRITERS = 4
_MORE_THAN_A_SAMPLE = 10_000 * EVENTS_PER_ORDER

AT_SHORT, AT_LONG = "PostgreSQL: append to a log of 100,000", "PostgreSQL: append to a log of a million"


@contextmanager
def _plan(settings: Settings) -> Iterator[Plan]:
    if not is_available():
        yield Plan(cases=(), targets=_TARGETS, absent=(ABSENT,))
        return
    with postgres_server(settings.directory) as server:
        yield Plan(cases=tuple(_cases(server, settings)), targets=_TARGETS)


def _cases(server: PostgresServer, settings: Settings) -> Iterator[Case]:
    seconds = settings.seconds(_SECONDS)
    for name, events in ((AT_SHORT, settings.count(_SHORT)), (AT_LONG, settings.count(_LONG))):
        url = server.fresh_database()
        rounds = -(-events // _CLIENTS // EVENTS_PER_ORDER) * EVENTS_PER_ORDER
        run(_fill(url, rounds))
        server.settle(url)
        place = (lambda template=url: server.fresh_database(template)) if name == AT_SHORT else (lambda same=url: same)
        yield Case(
            name=name,
            kind="headwater",
            unit="append/s",
            does=f"{_CLIENTS} clients in 1 process, on condition; {rounds * _CLIENTS:,} events are there before",
            measure=_measure(place, seconds, rounds),
        )


def _measure(place: Callable[[], str], seconds: float, rounds: int) -> Callable[[], Sample]:
    starts = count(rounds, _MORE_THAN_A_SAMPLE)

    def measure() -> Sample:
        return measured_fleet(Clients(url=place(), clients=_CLIENTS, seconds=seconds, begun=next(starts)), 1)

    return measure


async def _fill(url: str, rounds: int) -> None:
    """So many appends of each client, as they would stand in the log: round after round."""
    numbers = iter(range(rounds))

    async def writer(store: EventStore) -> None:
        for number in numbers:
            orders = [order_key(client, number) for client in range(_CLIENTS)]
            await store.append([NewEvent("LineAdded", line_json(order), (f"order:{order}",)) for order in orders])

    async with open_store(url) as store:
        await asyncio.gather(*(writer(store) for _ in range(_WRITERS)))


_TARGETS = (Target(figure=AT_LONG, against=(AT_SHORT,), limit=0.9),)

POSTGRES_DECAY = Group(name="postgres-decay", title="Appending to a long log on PostgreSQL", plan=_plan)
