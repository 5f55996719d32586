"""Floors: what any program on SQLite has to do, hand-written on apsw, in one thread, without an event loop.

Reads: timing.py, payload.py. Read next: the groups, first appends.py. The floor's log has the columns and the index by
tag that a log of tagged events needs, text keys, WAL and ``synchronous=FULL``. It checks no condition.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from time import time_ns
from typing import Any

import apsw

from headwater.bench.figures import Sample
from headwater.bench.payload import line_json, order_id, order_key
from headwater.bench.timing import rate
from headwater.ids import uuid7

FLOOR_ONE = "floor: 1 append per transaction"
FLOOR_256 = "floor: 256 appends per transaction"

_LOG = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    """CREATE TABLE events(position INTEGER PRIMARY KEY, id BLOB NOT NULL, type TEXT NOT NULL, version INTEGER NOT NULL,
       data BLOB NOT NULL, metadata BLOB NOT NULL, recorded_us INTEGER NOT NULL)""",
    "CREATE TABLE event_tags(tag TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY(tag, position)) WITHOUT ROWID",
)
_EVENT = "INSERT INTO events VALUES(?,?,?,?,?,?,?)"
_TAG = "INSERT INTO event_tags VALUES(?,?)"
_COUNTERS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "CREATE TABLE counters(name TEXT PRIMARY KEY, lines INTEGER NOT NULL, total INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE checkpoint(id INTEGER PRIMARY KEY, position INTEGER NOT NULL)",
    "INSERT INTO checkpoint VALUES(1, 0)",
)
_COUNT = "INSERT INTO counters VALUES(?,1,?) ON CONFLICT(name) DO UPDATE SET lines=lines+1, total=total+excluded.total"


@contextmanager
def fresh(parent: Path) -> Iterator[Path]:
    """An empty directory that goes away afterwards."""
    made = Path(mkdtemp(dir=parent))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def connected(path: Path) -> Any:
    """A connection of the driver; its own types do not say what a row holds."""
    return apsw.Connection(str(path))


def append_floor(parent: Path, seconds: float, appends: int) -> Sample:
    """Appends per second, so many of them in one durable transaction, each to another order, ten lines an order."""
    with fresh(parent) as directory, _database(directory / "floor.db", _LOG) as connection:
        return rate(_append_step(connection, appends), seconds, per_step=appends)


def commit_floor(parent: Path, seconds: float) -> Sample:
    """Single commits per second: a counter and a checkpoint are changed in each durable transaction."""
    with fresh(parent) as directory, _database(directory / "floor.db", _COUNTERS) as connection:
        numbers = count()

        def step() -> None:
            number = next(numbers)
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_COUNT, (order_id(number % 5000), 5997))
            connection.execute("UPDATE checkpoint SET position=? WHERE id=1", (number,))
            connection.execute("COMMIT")

        return rate(step, seconds)


def _append_step(connection: Any, appends: int) -> Callable[[], None]:
    positions, rounds = count(1), count()
    metadata = b'{"command":"AddLine"}'

    def step() -> None:
        appended, now = next(rounds), time_ns() // 1000
        events: list[tuple[int, bytes, str, int, bytes, bytes, int]] = []
        tags: list[tuple[str, int]] = []
        for client in range(appends):
            order, position = order_key(client, appended), next(positions)
            events.append((position, uuid7().bytes, "LineAdded", 1, line_json(order), metadata, now))
            tags.append((f"order:{order}", position))
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(_EVENT, events)
        connection.executemany(_TAG, tags)
        connection.execute("COMMIT")

    return step


@contextmanager
def _database(path: Path, statements: tuple[str, ...]) -> Iterator[Any]:
    connection = connected(path)
    try:
        for statement in statements:
            connection.execute(statement).fetchall()
        yield connection
    finally:
        connection.close()
