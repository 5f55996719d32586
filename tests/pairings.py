"""A small application for every pairing of stores; ``python -m tests.pairings LOG ROWS`` projects it.

Its second projection has a row for each event, so that nothing can be missing, or counted twice, unseen.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen
from typing import Annotated

import msgspec

from headwater.aggregates import Aggregate, decide
from headwater.app import App
from headwater.errors import Refused
from headwater.event_store.protocol import EventStore, NewEvent
from headwater.messages import Command, Event, Query, Recorded, Tag
from headwater.queries.asking import answers
from headwater.read_models import Indexed, Key, Page, PageRequest, Projection, ReadModel, Sort, on
from headwater.read_store import Reader, ReadStore

ShelfId = Annotated[str, Tag("shelf")]


class Put(Event):
    shelf: ShelfId
    amount: int


class Emptied(Event):
    shelf: ShelfId


class PutOn(Command):
    shelf: ShelfId
    amount: int


class Empty(Command):
    shelf: ShelfId


class Shelving(Aggregate):
    shelf: ShelfId

    @decide
    def put(self, command: PutOn) -> Put:
        if command.amount < 0:
            raise Refused("nothing-to-put")
        return Put(shelf=command.shelf, amount=command.amount)

    @decide
    def empty(self, command: Empty) -> Emptied:
        return Emptied(shelf=command.shelf)


class Shelf(ReadModel):
    shelf: Annotated[str, Key()]
    total: Annotated[int, Indexed()]


class Movement(ReadModel):
    position: Annotated[int, Key()]
    shelf: str


class Shelves(Projection[Shelf]):
    @on
    def put(self, event: Put, row: Shelf | None) -> Shelf:
        return Shelf(shelf=event.shelf, total=event.amount + (row.total if row else 0))

    @on
    def emptied(self, event: Emptied, row: Shelf | None) -> None:
        return None


class Movements(Projection[Movement]):
    @on
    def moved(self, event: Recorded[Put | Emptied]) -> Movement:
        return Movement(position=event.position, shelf=event.event.shelf)


class ListShelves(Query[Page[Shelf]]):
    sort: Sort = "-total"
    page: PageRequest = PageRequest()


@answers
async def list_shelves(query: ListShelves, shelves: Reader[Shelf]) -> Page[Shelf]:
    return await shelves.sort(query.sort).page(query.page)


def shelves_app() -> App:
    """The application."""
    return App("shelves", Shelving, Shelves, Movements, list_shelves)


async def fill(store: EventStore, events: int) -> None:
    """Events without decisions: every tenth empties a shelf."""
    for start in range(0, events, 500):
        await store.append([_event(number) for number in range(start, min(start + 500, events))])


def _event(number: int) -> NewEvent:
    shelf = f"s{number * 7 % 41}"
    body: Event = Put(shelf=shelf, amount=number) if number % 10 else Emptied(shelf=shelf)
    return NewEvent(type(body).__name__, msgspec.json.encode(body), (f"shelf:{shelf}",))


async def folded(store: EventStore) -> tuple[dict[str, int], dict[int, str]]:
    """What the whole log says, without projections: totals, and movements by position."""
    totals: dict[str, int] = {}
    movements: dict[int, str] = {}
    position = 0
    while events := (await store.read(after=position, limit=1000)).events:
        for each in events:
            fields = msgspec.json.decode(each.data)
            movements[each.position] = shelf = fields["shelf"]
            if each.type == "Emptied":
                totals.pop(shelf, None)
            else:
                totals[shelf] = totals.get(shelf, 0) + fields["amount"]
        position = events[-1].position
    return totals, movements


async def projected(rows: ReadStore) -> tuple[dict[str, int], dict[int, str]]:
    """What the read models say."""
    totals = {row.shelf: row.total async for row in rows.reader(Shelf).stream()}
    movements = {row.position: row.shelf async for row in rows.reader(Movement).stream()}
    return totals, movements


@contextmanager
def projecting(log: str, rows: str) -> Iterator[Popen[str]]:
    """A process that projects, and says how far it is at each step. It is killed at the end of the block."""
    command = [sys.executable, "-m", "tests.pairings", log, rows]
    process = Popen(command, stdout=PIPE, text=True, start_new_session=True)  # as in tests/campaigns/fleet.py
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


async def _project(log: str, rows: str) -> None:
    async with shelves_app().open(log, read_store=rows) as runtime:
        while True:
            position = min(each.position for each in await runtime.projections())
            sys.stdout.write(f"{position}\n")
            sys.stdout.flush()
            await runtime.progress.wait_for(["Shelves", "Movements"], position + 1, None)


if __name__ == "__main__":
    asyncio.run(_project(*sys.argv[1:]))
