"""`eventsourcing` on PostgreSQL: aggregates, and its projection runner. Reads: eventsourcing.py.

It is blocking, so one thread drives it. Its projection runner folds in a thread of its own, one transaction an event.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from itertools import cycle
from time import perf_counter, sleep
from typing import Any
from urllib.parse import urlsplit

from headwater.bench.figures import Sample
from headwater.bench.payload import EVENTS_PER_ORDER
from headwater.bench.peers.eventsourcing import filled, opened, step_of
from headwater.bench.timing import rate

_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.002


def commands(url: str, seconds: float, orders: int) -> Sample:
    """Commands per second: get an aggregate of about ten events, add a line, save."""
    with opened(_environment(url)) as (application, order_class):
        turns = cycle(filled(application, order_class, orders, EVENTS_PER_ORDER - 1))
        return rate(step_of(application, turns), seconds)


def projection(url: str, events: int) -> Sample:
    """Events per second of its projection runner, from the start until it tracks the last event."""
    environment = _environment(url)
    with opened(environment) as (application, order_class):
        filled(application, order_class, max(1, events // 50), 50)
        name, head = application.name, application.recorder.max_notification_id()
    started = perf_counter()
    with _runner(environment) as runner:
        while (runner.view.max_tracking_id(name) or 0) < head:
            if perf_counter() - started > _PATIENCE_SECONDS:
                raise TimeoutError(f"its projection runner did not come to {head}")
            sleep(_POLL_SECONDS)
        return Sample(head / (perf_counter() - started))


@contextmanager
def _runner(environment: dict[str, str]) -> Iterator[Any]:
    application: Any = import_module("eventsourcing.application")
    projection: Any = import_module("eventsourcing.projection")
    recorder: Any = import_module("eventsourcing.postgres").PostgresTrackingRecorder
    sql: Any = import_module("psycopg.sql")

    def __init__(self: Any, datastore: Any, **options: Any) -> None:  # noqa: N807  the body of a class
        recorder.__init__(self, datastore, **options)
        table = sql.SQL("{0}.{1}").format(sql.Identifier(datastore.schema), sql.Identifier("bench_counters"))
        create = sql.SQL("CREATE TABLE IF NOT EXISTS {0} (name text PRIMARY KEY, n bigint)").format(table)
        self.sql_create_statements.append(create)
        self.count_up = sql.SQL(
            "INSERT INTO {0} AS c VALUES (%s, 1) ON CONFLICT (name) DO UPDATE SET n = c.n + 1"
        ).format(table)

    def increase(self: Any, name: str, tracking: Any) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(self.count_up, (name,), prepare=True)

    def process_event(self: Any, domain_event: Any, tracking: Any) -> None:
        self.view.increase(str(domain_event.originator_id), tracking)

    view = types.new_class("Counters", (recorder,), {}, _body(__init__=__init__, increase=increase))
    counting = types.new_class(
        "Counting", (projection.Projection[Any],), {}, _body(name="counting", process_event=process_event)
    )
    with projection.ProjectionRunner(
        application_class=application.Application, projection_class=counting, view_class=view, env=environment
    ) as runner:
        yield runner


def _body(**members: Any) -> Callable[[dict[str, Any]], None]:
    """What a class made at run time has in its body."""

    def fill(space: dict[str, Any]) -> None:
        space.update(__module__=__name__, **members)

    return fill


def _environment(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": parts.path[1:],
        "POSTGRES_HOST": parts.hostname or "127.0.0.1",
        "POSTGRES_PORT": str(parts.port or 5432),
        "POSTGRES_USER": parts.username or "",
        "POSTGRES_PASSWORD": parts.password or "none",
    }
