"""Projections into a SQLite read model: catching up, and rebuilding. Reads: logs.py. Read next: ask.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter

import msgspec

from headwater.bench.figures import Case, Group, Plan, Sample, Settings, Target
from headwater.bench.floors import commit_floor, connected, fresh
from headwater.bench.logs import copied, fill_in_turn, log_url
from headwater.bench.payload import line_json, order_id
from headwater.bench.peers import absence, eventsourcing, installed
from headwater.bench.timing import run
from headwater.bench.workload import LineAdded, OrderTotal, OrderTotals, orders_app
from headwater.runtime import Runtime

_SECONDS = 0.8
_EVENTS = 100_000
_ORDERS = 5000
_PEER_EVENTS = 10_000
_BATCH = 1000
_PATIENCE_SECONDS = 120.0

FLOOR, FLOOR_BATCHED = "floor: 1 counter per commit", "floor: folded by hand, 1000 events per commit"
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
                name=FLOOR_BATCHED,
                kind="floor",
                unit="event/s",
                does="apsw, one thread: read, decode, fold in a dict, upsert; not flushed, as the read store is not",
                measure=partial(_folded_by_hand, place, events),
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


def _folded_by_hand(place: Path, events: int) -> Sample:
    """The same work without a framework: what a projection that knows its batches has to do at the least."""
    decode = msgspec.json.Decoder(LineAdded).decode
    orders = min(_ORDERS, events // 20)
    with fresh(place) as directory:
        log, rows = connected(directory / "log.db"), connected(directory / "rows.db")
        log.execute("CREATE TABLE events(position INTEGER PRIMARY KEY, data BLOB NOT NULL)")
        rows.execute("PRAGMA journal_mode=WAL").fetchall()
        rows.execute("PRAGMA synchronous=NORMAL; CREATE TABLE totals(id TEXT PRIMARY KEY, lines, total) WITHOUT ROWID")
        with log:
            made = ((number + 1, line_json(order_id(number % orders))) for number in range(events))
            log.executemany("INSERT INTO events VALUES(?,?)", made)
        totals: dict[str, tuple[int, int]] = {}
        started = perf_counter()
        for start in range(0, events, _BATCH):
            touched: set[str] = set()
            found = log.execute("SELECT data FROM events WHERE position>? ORDER BY position LIMIT ?", (start, _BATCH))
            for (data,) in found.fetchall():
                event = decode(data)
                lines, total = totals.get(event.order_id, (0, 0))
                totals[event.order_id] = lines + 1, total + event.quantity * event.price
                touched.add(event.order_id)
            with rows:
                rows.executemany("REPLACE INTO totals VALUES(?,?,?)", [(order, *totals[order]) for order in touched])
        passed = perf_counter() - started
        log.close()
        rows.close()
        return Sample(events / passed)


def _projected(template: Path, place: Path, events: int, *, rebuild: bool) -> Sample:
    with copied(template, place) as directory:
        return run(measured_projection(log_url(directory), events, min(_ORDERS, events // 20), rebuild=rebuild))


async def measured_projection(url: str, events: int, orders: int, *, rebuild: bool) -> Sample:
    """Events per second of a log that goes round so many orders, until the rows have caught up."""
    started = perf_counter()
    async with orders_app(projections=True).open(url) as runtime:
        await runtime.caught_up(timeout=_PATIENCE_SECONDS)
        if rebuild:
            started = perf_counter()
            await runtime.rebuild(OrderTotals.__name__)
            await runtime.caught_up(timeout=_PATIENCE_SECONDS)
        passed = perf_counter() - started
        await _check(runtime, events, orders)
        return Sample(events / passed)


async def _check(runtime: Runtime, events: int, orders: int) -> None:
    """A fast projection that counts wrong is worth nothing."""
    row = await runtime.read_store.reader(OrderTotal).get(order_id(0))
    expected = -(-events // orders)
    if row is None or row.lines != expected:
        raise AssertionError(f"order {order_id(0)} has {expected} lines, but its row is {row}")


_TARGETS = (
    Target(figure=CATCH_UP, against=(FLOOR,), limit=3.33),
    Target(figure=REBUILD, against=(FLOOR,), limit=3.33),
    Target(figure=CATCH_UP, against=(FLOOR_BATCHED,)),
    Target(figure=REBUILD, against=(FLOOR_BATCHED,)),
    Target(figure=CATCH_UP, against=(EVENTSOURCING,)),
)

PROJECT = Group(name="project", title="Projections to a SQLite read model", plan=_plan)
