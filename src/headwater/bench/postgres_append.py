"""Durable conditional appends on PostgreSQL by 256 clients in 1, 2 and 4 processes.

Reads: postgres_floors.py, fleet.py. Read next: postgres_decay.py. The second group is the same on a server with 1 ms
added to each of its flushes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from headwater.bench.figures import Case, Group, Kind, Plan, Sample, Settings, Target
from headwater.bench.fleet import Clients, measured_fleet
from headwater.bench.floors import fresh
from headwater.bench.postgres_floors import FLOOR_256, FLOOR_ONE, append_floor
from headwater.bench.postgres_server import ABSENT, PostgresServer, is_available, postgres_server
from headwater.bench.slow_fsync import SHIM_ABSENT, compiled_shim, shim_can_be_made, slow

_SECONDS = 0.8
_CLIENTS = 256
_PROCESSES = (1, 2, 4)

UNCONDITIONAL = "PostgreSQL: append without a condition, 256 clients"
UNRELATED = "PostgreSQL: conflicts of unrelated appends"


def _append(processes: int) -> str:
    return f"PostgreSQL: append, 256 clients in {processes} process{'es' if processes > 1 else ''}"


@contextmanager
def _plan(settings: Settings) -> Iterator[Plan]:
    if not is_available():
        yield Plan(cases=(), targets=_TARGETS, absent=(ABSENT,))
        return
    with postgres_server(settings.directory) as server:
        yield Plan(cases=tuple(_cases(server, settings.seconds(_SECONDS))), targets=_TARGETS)


@contextmanager
def _slow_plan(settings: Settings) -> Iterator[Plan]:
    if not is_available(own=True) or not shim_can_be_made():
        yield Plan(cases=(), targets=_SLOW_TARGETS, absent=(SHIM_ABSENT if is_available(own=True) else ABSENT,))
        return
    with (
        fresh(settings.directory) as directory,
        postgres_server(settings.directory, preload=compiled_shim(directory)) as server,
    ):
        yield Plan(cases=tuple(_slow_cases(server, settings.seconds(_SECONDS))), targets=_SLOW_TARGETS)


def _cases(server: PostgresServer, seconds: float) -> Iterator[Case]:
    yield from _floors(server, seconds)
    does = "1 event, 1 tag, on the condition that no event of that type and tag came since"
    for processes in _PROCESSES:
        yield _case(_append(processes), does, partial(_appends, server, seconds, processes))
    yield _case(UNCONDITIONAL, "1 event, 1 tag, 1 process", partial(_appends, server, seconds, 1, conditional=False))
    yield Case(
        name=UNRELATED,
        kind="headwater",
        unit="conflicts",
        does="256 clients in 2 processes, each on orders of its own, on condition; every conflict is counted",
        measure=partial(_conflicts, server, seconds),
    )


def _slow_cases(server: PostgresServer, seconds: float) -> Iterator[Case]:
    yield from _floors(server, seconds, slow)
    does = "1 event, 1 tag, on condition; 1 ms added to each flush of the server"
    for processes in _PROCESSES:
        yield _case(slow(_append(processes)), does, partial(_appends, server, seconds, processes))


def _floors(server: PostgresServer, seconds: float, named: Callable[[str], str] = str) -> Iterator[Case]:
    for name, appends in ((FLOOR_ONE, 1), (FLOOR_256, 256)):
        does = f"asyncpg, one connection, arrays of {appends} to each commit, no condition checked"
        yield _case(named(name), does, partial(_floor, server, seconds, appends), kind="floor")


def _case(name: str, does: str, measure: Callable[[], Sample], *, kind: Kind = "headwater") -> Case:
    return Case(name=name, kind=kind, unit="append/s", does=does, measure=measure)


def _floor(server: PostgresServer, seconds: float, appends: int) -> Sample:
    return append_floor(server.fresh_database(), seconds, appends)


def _appends(server: PostgresServer, seconds: float, processes: int, *, conditional: bool = True) -> Sample:
    url = server.fresh_database()
    return measured_fleet(Clients(url=url, clients=_CLIENTS, seconds=seconds, conditional=conditional), processes)


def _conflicts(server: PostgresServer, seconds: float) -> Sample:
    sample = _appends(server, seconds, 2)
    return Sample(sample.details["conflicts"], {"appends": sample.value * seconds})


_TARGETS = (
    *(Target(figure=_append(processes), against=(FLOOR_ONE,), limit=6) for processes in _PROCESSES),
    *(Target(figure=_append(processes), against=(FLOOR_256,), limit=0.5) for processes in _PROCESSES),
    Target(figure=_append(1), against=(UNCONDITIONAL,), limit=0.8),
    Target(figure=UNRELATED, bound="at most", limit=0),
)
_SLOW_TARGETS = (
    *(Target(figure=slow(_append(processes)), against=(slow(FLOOR_ONE),), limit=45) for processes in _PROCESSES),
    *(Target(figure=slow(_append(processes)), against=(slow(FLOOR_256),)) for processes in _PROCESSES),
)

POSTGRES_APPEND = Group(name="postgres-append", title="Durable conditional append on PostgreSQL", plan=_plan)
POSTGRES_SLOW_FSYNC = Group(
    name="postgres-append-slow-fsync",
    title="Durable conditional append on PostgreSQL, 1 ms added to each flush",
    plan=_slow_plan,
)
