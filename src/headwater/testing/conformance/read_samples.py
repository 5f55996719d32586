"""Rows to test read stores with. Reads: nothing here. Read next: read_backend.py."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

from headwater.read_models import Indexed, Key, ReadModel
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


ARTICLES = Table("Articles", 1, Article)
SEATS = Table("Seats", 1, Seat)


async def put(store: ReadStore, table: Table, *rows: ReadModel, deletes: Sequence[Any] = ()) -> None:
    """Commit rows, as a projection would, one position further."""
    start = (await store.checkpoints())[table.projection]
    part = TableChanges(table, [table.values_of(row) for row in rows], list(deletes))
    moved = await store.commit([Changes(table.projection, start, start.position + 1, (part,))])
    assert not moved
