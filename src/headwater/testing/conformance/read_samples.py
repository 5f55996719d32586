"""Rows to test read stores with. Reads: nothing here. Read next: read_backend.py."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from headwater.read_models import Indexed, Join, Key, ReadModel, Searchable
from headwater.read_store import Changes, ReadStore, Table, TableChanges

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Level(Enum):
    """A few words."""

    LOW = "low"
    HIGH = "high"


class Part(msgspec.Struct, frozen=True):
    """Something inside a row."""

    name: str
    amount: Decimal


class Article(ReadModel):
    """A row with a field of every kind."""

    code: Annotated[str, Key()]
    state: Annotated[Literal["new", "old"], Indexed()] = "new"
    title: str | None = None
    level: Level = Level.LOW
    stock: Annotated[int | None, Indexed()] = None
    weight: float = 0.0
    price: Annotated[Decimal | None, Indexed()] = None
    made_at: Annotated[datetime, Indexed()] = NOON
    local_at: datetime | None = None
    day: date = NOON.date()
    hour: time | None = None
    took: timedelta | None = None
    is_open: bool = False
    owner: UUID | None = None
    picture: bytes | None = None
    parts: tuple[Part, ...] = ()
    notes: dict[str, int | None] | None = None


class Seat(ReadModel):
    """A row with a key of two fields, one of which is not stored as it is."""

    day: Annotated[date, Key()]
    number: Annotated[int, Key()]
    guest: Annotated[str | None, Indexed()] = None


class Person(ReadModel):
    """Somebody that other rows name."""

    login: Annotated[str, Key()]
    name: str
    salary: Decimal | None = None


class Ticket(ReadModel):
    """A row that is searched by its words, and names a person."""

    code: Annotated[str, Key()]
    title: Annotated[str, Searchable(4)] = ""
    text: Annotated[str | None, Searchable()] = None
    caller: str | None = None
    level: int = 0


class TicketWithCaller(Ticket):
    """A ticket with the row of who called."""

    person: Annotated[Person | None, Join("caller")] = None


class Report(ReadModel):
    """A row that is searched in the forms of its language."""

    code: Annotated[str, Key()]
    text: Annotated[str, Searchable(language="english")]


def reports() -> Table:
    """Where they stand; needs the extra ``search``."""
    return Table("Reports", 1, Report)


ARTICLES = Table("Articles", 1, Article)
SEATS = Table("Seats", 1, Seat)
PERSONS = Table("Persons", 1, Person)
TICKETS = Table("Tickets", 1, Ticket)
TABLES = (ARTICLES, SEATS, PERSONS, TICKETS)


async def put(store: ReadStore, table: Table, *rows: ReadModel, deletes: Sequence[Any] = ()) -> None:
    """Commit rows, as a projection would, one position further."""
    start = (await store.checkpoints())[table.projection]
    part = TableChanges(table, [table.values_of(row) for row in rows], list(deletes))
    moved = await store.commit([Changes(table.projection, start, start.position + 1, (part,))])
    assert not moved
