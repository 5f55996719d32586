"""Durable conditional appends by 1, 16 and 256 clients. Reads: floors.py, peers/umadb.py. Read next: slow_fsync.py."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from headwater.bench.figures import Case, Group, Plan, Sample, Settings, Target
from headwater.bench.floors import FLOOR_256, FLOOR_ONE, append_floor, fresh
from headwater.bench.payload import line_json, order_key
from headwater.bench.peers import absence, installed, umadb
from headwater.bench.timing import rate_of_clients, run
from headwater.errors import ConcurrencyError
from headwater.event_store import open_store
from headwater.event_store.protocol import AppendCondition, Appended, EventQuery, EventStore, NewEvent

_SECONDS = 0.8
APPEND_1, APPEND_16, APPEND_256 = "append, 1 client", "append, 16 clients", "append, 256 clients"
UMADB_1, UMADB_16, UMADB_128 = "UmaDB: append, 1 thread", "UmaDB: append, 16 threads", "UmaDB: append, 128 threads"


@contextmanager
def _plan(settings: Settings) -> Iterator[Plan]:
    place, seconds = settings.directory, settings.seconds(_SECONDS)
    does = "1 event, 1 tag, on the condition that no event of that type and tag came since"
    cases = [
        Case(
            name=FLOOR_ONE,
            kind="floor",
            unit="append/s",
            does="apsw, one thread, no condition checked",
            measure=partial(append_floor, place, seconds, 1),
        ),
        Case(
            name=FLOOR_256,
            kind="floor",
            unit="append/s",
            does="the same, to 256 orders in each transaction",
            measure=partial(append_floor, place, seconds, 256),
        ),
    ]
    for name, clients in ((APPEND_1, 1), (APPEND_16, 16), (APPEND_256, 256)):
        measure = partial(_appends, place, seconds, clients)
        cases.append(Case(name=name, kind="headwater", unit="append/s", does=does, measure=measure))
    if installed("umadb"):
        for name, threads in ((UMADB_1, 1), (UMADB_16, 16), (UMADB_128, 128)):
            measure = partial(umadb.conditional_appends, place, seconds, threads)
            cases.append(Case(name=name, kind="peer", unit="append/s", does=f"its server; {does}", measure=measure))
    yield Plan(cases=tuple(cases), targets=_TARGETS, absent=absence("umadb"))


def _appends(place: Path, seconds: float, clients: int) -> Sample:
    async def measure(directory: Path) -> Sample:
        async with open_store(f"sqlite:///{directory / 'log.db'}") as store:
            return await rate_of_clients(clients, seconds, partial(append_client, store))

    with fresh(place) as directory:
        return run(measure(directory))


def append_client(
    store: EventStore, number: int, *, begun: int = 0, conditional: bool = True, conflicts: list[int] | None = None
) -> Callable[[], Awaitable[None]]:
    """A client that appends to its own orders, ten lines each, always on the position it saw last.

    It made ``begun`` appends before. Nobody else appends to its orders, so a conflict is an error, unless somebody
    collects the positions of such ``conflicts``.
    """
    appended, last = begun, 0

    async def step() -> None:
        nonlocal appended, last
        order = order_key(number, appended)
        tags = (f"order:{order}",)
        condition = AppendCondition(EventQuery.of(types=("LineAdded",), tags=tags), last) if conditional else None
        made = await store.append([NewEvent("LineAdded", line_json(order), tags)], condition)
        if isinstance(made, Appended):
            appended, last = appended + 1, made.last
        elif conflicts is None:
            raise ConcurrencyError(f"nobody else appends to {order}, but {made} came back")
        else:
            conflicts.append(made.position)
            last = made.position

    return step


_TARGETS = (
    Target(figure=APPEND_256, against=(FLOOR_ONE,), limit=3),
    Target(figure=APPEND_256, against=(FLOOR_256,), limit=0.4),
    Target(figure=APPEND_256, against=(UMADB_16, UMADB_128), limit=2.5),
    Target(figure=APPEND_16, against=(FLOOR_ONE,)),
    Target(figure=APPEND_1, against=(FLOOR_ONE,), limit=0.45),
    Target(figure=APPEND_1, against=(UMADB_1,)),
)

APPEND = Group(name="append", title="Durable conditional append", plan=_plan)
