"""`eventsourcing` on SQLite: the most used event sourcing library of Python. Reads: timing.py.

An aggregate with one event method, saved through an application on its SQLite module, which keeps ``synchronous=FULL``.
It is blocking, so it is driven by one thread.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from itertools import cycle
from pathlib import Path
from typing import Any
from uuid import UUID

from headwater.bench.figures import Sample
from headwater.bench.floors import fresh
from headwater.bench.payload import EVENTS_PER_ORDER, LINE
from headwater.bench.timing import rate


def commands(parent: Path, seconds: float, orders: int, *, cached: bool = False) -> Sample:
    """Commands per second: get an aggregate of about ten events, add a line, save; or with its own aggregate cache."""
    with _application(parent, cached=cached) as (application, order_class):
        turns = cycle(filled(application, order_class, orders, EVENTS_PER_ORDER - 1))
        return rate(step_of(application, turns), seconds)


def step_of(application: Any, turns: Iterator[UUID]) -> Callable[[], None]:
    """One command, on the aggregate whose turn it is."""

    def step() -> None:
        order = application.repository.get(next(turns))
        order.add_line(**LINE)
        application.save(order)

    return step


def appends(parent: Path, seconds: float) -> Sample:
    """Appends per second: one event on an aggregate that is held in memory, then save."""
    with _application(parent, cached=False) as (application, order_class):
        order = order_class()

        def step() -> None:
            order.add_line(**LINE)
            application.save(order)

        return rate(step, seconds)


def loads(parent: Path, seconds: float, events: int) -> Sample:
    """Aggregates loaded per second, of so many events each."""
    with _application(parent, cached=False) as (application, order_class):
        turns = cycle(filled(application, order_class, 20, events))
        return rate(lambda: application.repository.get(next(turns)), seconds)


def notifications(parent: Path, seconds: float, events: int) -> Sample:
    """Events per second read for a projection, in pages of 1000, without applying them."""
    with _application(parent, cached=False) as (application, order_class):
        filled(application, order_class, events // 100, 100)
        read: Callable[..., Any] = application.recorder.select_notifications
        starts = cycle(range(1, max(2, events - 1000), 1000))
        return rate(lambda: read(start=next(starts), limit=1000), seconds, per_step=min(1000, events))


def filled(application: Any, order_class: Any, orders: int, events: int) -> list[UUID]:
    """Aggregates with so many events each."""
    made: list[UUID] = []
    for _ in range(orders):
        order = order_class()
        for _ in range(events - 1):  # the aggregate's creation is its first event
            order.add_line(**LINE)
        application.save(order)
        made.append(order.id)
    return made


@contextmanager
def _application(parent: Path, *, cached: bool) -> Iterator[tuple[Any, Any]]:
    with fresh(parent) as directory:
        env = {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(directory / "peer.db")}
        if cached:
            env["AGGREGATE_CACHE_MAXSIZE"] = "10000"
        with opened(env) as made:
            yield made


@contextmanager
def opened(environment: dict[str, str]) -> Iterator[tuple[Any, Any]]:
    """An application of the library, and the class of its aggregates."""
    application = import_module("eventsourcing.application").Application(env=environment)
    try:
        yield application, _order_class()
    finally:
        application.close()


@cache
def _order_class() -> Any:
    """The class that a user of the library would write, made at run time because the library is optional, and once."""
    domain = import_module("eventsourcing.domain")

    def __init__(self: Any) -> None:  # noqa: N807  the body of a class
        self.lines = self.total = 0

    def add_line(self: Any, customer_id: str, sku: str, quantity: int, price: int, currency: str, note: str) -> None:
        del customer_id, sku, currency, note
        self.lines += 1
        self.total += quantity * price

    body = {"__module__": __name__, "__init__": __init__, "add_line": domain.event("LineAdded")(add_line)}
    return types.new_class("Order", (domain.Aggregate,), {}, lambda space: space.update(body))
