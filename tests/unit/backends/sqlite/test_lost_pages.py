"""Damage that SQLite does not notice: what is in the file is read, or refused with a typed error, and nothing else."""

from __future__ import annotations

import shutil
from contextlib import closing
from datetime import date, datetime
from typing import Annotated

import apsw
import pytest

from headwater import (
    App,
    Event,
    EventQuery,
    Key,
    NewEvent,
    Projection,
    Query,
    Reader,
    ReadModel,
    answers,
    on,
    open_store,
)
from headwater.errors import StoreCorrupt, StoreError

_PAGE = 4096
_LOST = 2048


class DayBegun(Event):
    day: date
    at: datetime


class DayRow(ReadModel):
    day: Annotated[date, Key()]
    at: datetime


class Days(Projection[DayRow]):
    @on
    def begun(self, event: DayBegun) -> DayRow:
        return DayRow(day=event.day, at=event.at)


class ListDays(Query[list[DayRow]]):
    pass


@answers
async def list_days(query: ListDays, days: Reader[DayRow]) -> list[DayRow]:
    return await days.all()


app = App("days", Days, list_days)
BEGINNING = datetime.fromisoformat("2026-01-01T00:00:00Z")


def torn(path, tmp_path):
    """Copies of a file of whose pages one was written only in part, each in turn."""
    for page in range(path.stat().st_size // _PAGE):
        copy = tmp_path / "torn.db"
        shutil.copyfile(path, copy)
        with copy.open("r+b") as file:
            file.seek((page + 1) * _PAGE - _LOST)
            file.write(bytes(_LOST))
        yield copy
        for leftover in tmp_path.glob("torn*"):
            leftover.unlink()


async def test_a_log_with_a_torn_page_is_no_riddle(tmp_path):
    """SQLite reads zeros as rows without values."""
    async with open_store(f"sqlite:///{tmp_path}/log.db") as store:
        await store.append([NewEvent(type="T", data=b"{}", tags=(f"n:{n % 9}", "all")) for n in range(400)])
    refused = 0
    for copy in torn(tmp_path / "log.db", tmp_path):
        try:
            async with open_store(f"sqlite:///{copy}") as store:
                await store.read()
                await store.read(EventQuery.of(tags=("n:3",)))
                await store.append([NewEvent(type="T", data=b"{}")])
        except StoreError:
            refused += 1
    assert refused


async def test_a_row_that_is_none_is_no_riddle(tmp_path):
    """However it is read: in a list, by its key, or to be changed."""
    log = f"sqlite:///{tmp_path}/log.db"
    begun = DayBegun(day=BEGINNING.date(), at=BEGINNING)
    async with app.open(log) as days:
        await days.event_store.append([app.codec.encode_event(begun)])
        await days.caught_up()
    with closing(apsw.Connection(f"{tmp_path}/log.read.db")) as connection:
        connection.execute("UPDATE days_v1 SET at = 'yesterday'")
    async with app.open(log, follow=False) as days:
        table = days.read_store.table_of(DayRow)
        key = begun.day.isoformat()
        for reading in (days.ask(ListDays()), days.read_store.get(table, key), days.read_store.load(table, [key])):
            with pytest.raises(StoreCorrupt):
                await reading
