"""Queries on 100,000 rows: one row by key, and a page of 50 as JSON. Reads: questions.py. Read next: serve.py.

The floor does the same on the driver: the same columns, the best index for the page, a connection that stays open, rows
made into the same structs, and for the page the same encoder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from headwater.bench.figures import Case, Group, Kind, Plan, Sample, Settings, Target
from headwater.bench.floors import connected, fresh
from headwater.bench.logs import log_url
from headwater.bench.payload import order_id
from headwater.bench.questions import STATES, FindOrders, GetOrder, PlacedOrder, placed_order, questions_app
from headwater.bench.timing import microseconds, run
from headwater.event_store import NewEvent, open_store

_SECONDS = 0.5
_ROWS = 100_000
_PAGE = 50
_ENCODE = msgspec.json.Encoder().encode
_PATIENCE_SECONDS = 120.0
_COLUMNS = "order_id, customer, state, total, placed_at"
_BY_KEY = f"SELECT {_COLUMNS} FROM orders WHERE order_id=?"  # noqa: S608  constants
_PAGE_OF = (
    f"SELECT {_COLUMNS} FROM orders WHERE state=? AND placed_at<? ORDER BY placed_at DESC, order_id DESC LIMIT 50"  # noqa: S608
)

FLOOR_KEY, FLOOR_PAGE = "floor: row by key", "floor: page of 50 as JSON"
KEY, PAGE = "query: row by key", "query: page of 50 as JSON"


class Questions:
    """Which order or page comes next: spread over all rows, and the same for floor and subject."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._turns = count()

    def key(self) -> str:
        """The next key."""
        return order_id(next(self._turns) * 7919 % self._rows)

    def page(self) -> tuple[str, int]:
        """The next page: a state, and the time before which its orders were placed."""
        turn = next(self._turns)
        return STATES[turn % len(STATES)], (self._rows // 2 + turn * 7919 % (self._rows // 2)) * 10


@contextmanager
def _plan(settings: Settings) -> Iterator[Plan]:
    rows, seconds = settings.count(_ROWS, least=2000), settings.seconds(_SECONDS)
    with fresh(settings.directory) as directory:
        run(fill(log_url(directory), rows))
        raw = _hand_written(directory / "floor.db", rows)
        yield Plan(
            cases=(
                _case(FLOOR_KEY, "apsw, struct made", partial(_raw_key, raw, rows, seconds)),
                _case(KEY, "ask() of a query for one row", lambda: run(asked_key(log_url(directory), rows, seconds))),
                _case(FLOOR_PAGE, "apsw, structs made and encoded", partial(_raw_page, raw, rows, seconds)),
                _case(
                    PAGE,
                    "ask() with a filter, a range, a sort, and signed cursors; then encoded",
                    lambda: run(asked_page(log_url(directory), rows, seconds)),
                ),
            ),
            targets=_TARGETS,
        )


def _case(name: str, does: str, measure: Callable[[], Sample]) -> Case:
    kind: Kind = "floor" if name.startswith("floor") else "headwater"
    return Case(name=name, kind=kind, unit="us", does=f"{does}; one task", measure=measure)


async def fill(url: str, rows: int) -> None:
    """The rows come from events, as they always do."""
    async with open_store(url) as store:
        for start in range(0, rows, 1000):
            numbers = range(start, min(start + 1000, rows))
            await store.append([_event(number) for number in numbers])
    async with questions_app().open(url) as runtime:
        await runtime.caught_up(timeout=_PATIENCE_SECONDS)


def _event(number: int) -> NewEvent:
    return NewEvent("OrderPlaced", msgspec.json.encode(placed_order(number)), (f"order:{order_id(number)}",))


def _hand_written(path: Path, rows: int) -> Path:
    connection = connected(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(
        "CREATE TABLE orders(order_id TEXT PRIMARY KEY, customer TEXT NOT NULL, state TEXT NOT NULL,"
        " total INTEGER NOT NULL, placed_at INTEGER NOT NULL) WITHOUT ROWID"
    )
    connection.execute("CREATE INDEX by_state ON orders(state, placed_at)")
    with connection:
        orders = map(placed_order, range(rows))
        values = ((each.order_id, each.customer, each.state, each.total, each.placed_at) for each in orders)
        connection.executemany("INSERT INTO orders VALUES(?,?,?,?,?)", values)
    connection.close()
    return path


def _raw_key(path: Path, rows: int, seconds: float) -> Sample:
    questions, connection = Questions(rows), connected(path)

    async def step() -> PlacedOrder:
        return made(connection.execute(_BY_KEY, (questions.key(),)).fetchall()[0])

    try:
        return run(microseconds(step, seconds))
    finally:
        connection.close()


def encoded_page(rows: Iterable[Iterable[Any]]) -> bytes:
    """Rows of the driver as JSON."""
    return _ENCODE([made(row) for row in rows])


def _raw_page(path: Path, rows: int, seconds: float) -> Sample:
    questions, connection = Questions(rows), connected(path)

    async def step() -> bytes:
        return encoded_page(connection.execute(_PAGE_OF, questions.page()).fetchall())

    try:
        return run(microseconds(step, seconds))
    finally:
        connection.close()


def made(row: Iterable[Any]) -> PlacedOrder:
    """A row of the driver as the struct that a reader gives."""
    order, customer, state, total, placed_at = row
    return PlacedOrder(order_id=order, customer=customer, state=state, total=total, placed_at=placed_at)


async def asked_key(url: str, rows: int, seconds: float) -> Sample:
    """Microseconds of a query for one row."""
    questions = Questions(rows)
    async with questions_app().open(url) as runtime:

        async def step() -> PlacedOrder | None:
            return await runtime.ask(GetOrder(order_id=questions.key()))

        if await step() is None:
            raise LookupError("the row is not there")
        return await microseconds(step, seconds)


async def asked_page(url: str, rows: int, seconds: float) -> Sample:
    """Microseconds of a query for a page, encoded."""
    questions = Questions(rows)
    async with questions_app().open(url) as runtime:
        encode = runtime.codec.encode

        async def step() -> bytes:
            state, before = questions.page()
            return encode(await runtime.ask(FindOrders(state=state, before=before)))

        if (await step()).count(b"order_id") != _PAGE:
            raise LookupError("the page is not full")
        return await microseconds(step, seconds)


_TARGETS = (
    Target(figure=KEY, against=(FLOOR_KEY,), bound="at most", limit=2.5),
    Target(figure=PAGE, against=(FLOOR_PAGE,), bound="at most", limit=1.6),
)

ASK = Group(name="ask", title="Queries on 100,000 rows", plan=_plan)
