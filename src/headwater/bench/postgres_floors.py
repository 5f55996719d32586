"""Floors on PostgreSQL: one connection of the driver, rows sent as arrays, no condition checked, no writers in turn.

Reads: timing.py, payload.py. Read next: postgres_append.py. The floor's log has the columns, the keys and the indexes
of Headwater's: events are found by position, by id and by type, and by the tags that conditions look for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from itertools import count
from time import time_ns
from typing import Any

from headwater.backends.postgres.driver import Connection, connect
from headwater.bench.figures import Sample
from headwater.bench.payload import line_json, order_key
from headwater.bench.timing import rate_of_clients, run
from headwater.ids import uuid7

FLOOR_ONE = "floor: 1 append per commit"
FLOOR_256 = "floor: 256 appends per commit"

_LOG = """
    CREATE TABLE events (
        position bigint PRIMARY KEY, id uuid NOT NULL UNIQUE, type integer NOT NULL, version integer NOT NULL,
        tags text COLLATE "C" NOT NULL, data bytea NOT NULL, metadata bytea NOT NULL, recorded_us bigint NOT NULL
    );
    CREATE INDEX events_by_type ON events (type, position);
    CREATE TABLE event_tags (
        tag text COLLATE "C" NOT NULL, type integer NOT NULL, position bigint NOT NULL,
        PRIMARY KEY (tag, type, position)
    );
"""
_APPEND = """
    WITH stored AS (
        INSERT INTO events SELECT * FROM unnest(
            $1::bigint [], $2::uuid [], $3::integer [], $4::integer [], $5::text [], $6::bytea [], $7::bytea [],
            $8::bigint []
        )
    )
    INSERT INTO event_tags SELECT * FROM unnest($5::text [], $3::integer [], $1::bigint [])
"""


def append_floor(url: str, seconds: float, appends: int) -> Sample:
    """Appends per second, so many of them in one durable commit, each to another order, ten lines an order."""
    return run(_append_floor(url, seconds, appends))


async def _append_floor(url: str, seconds: float, appends: int) -> Sample:
    connection = await connect(url, {})
    try:
        await connection.execute(_LOG)
        found = await rate_of_clients(1, seconds, lambda _client: _append_step(connection, appends))
        return Sample(found.value * appends)
    finally:
        await connection.close()


def _append_step(connection: Connection, appends: int) -> Callable[[], Awaitable[object]]:
    positions, rounds = count(1), count()
    metadata = b'{"command":"AddLine"}'

    def step() -> Awaitable[object]:
        appended, now = next(rounds), time_ns() // 1000
        rows: list[tuple[Any, ...]] = []
        for client in range(appends):
            order = order_key(client, appended)
            rows.append((next(positions), uuid7(), 1, 1, f"order:{order}", line_json(order), metadata, now))
        return connection.execute(_APPEND, *zip(*rows, strict=True))

    return step
