"""A file that lost its end, wherever that is: read in part or refused with a typed error, never anything else."""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Annotated

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
from headwater.errors import StoreError

_STEP = 40


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


def shortened(path, tmp_path):
    """Copies of a file that end somewhere in its last pages."""
    size = path.stat().st_size
    for length in range(size - 3 * 4096, size, _STEP):
        copy = tmp_path / "short.db"
        shutil.copyfile(path, copy)
        with copy.open("r+b") as file:
            file.truncate(length)
        yield copy
        for leftover in tmp_path.glob("short*"):
            leftover.unlink()


async def test_a_log_without_its_end_is_no_riddle(tmp_path):
    """SQLite reads zeros as rows without values."""
    async with open_store(f"sqlite:///{tmp_path}/log.db") as store:
        await store.append([NewEvent(type="T", data=b"{}", tags=(f"n:{n % 9}", "all")) for n in range(400)])
    refused = 0
    for copy in shortened(tmp_path / "log.db", tmp_path):
        try:
            async with open_store(f"sqlite:///{copy}") as store:
                await store.read()
                await store.read(EventQuery.of(tags=("n:3",)))
                await store.append([NewEvent(type="T", data=b"{}")])
        except StoreError:
            refused += 1
    assert refused


async def test_read_models_without_their_end_are_no_riddle(tmp_path):
    """The same for rows, whose values have types of their own."""
    async with app.open(f"sqlite:///{tmp_path}/log.db") as days:
        begun = [DayBegun(day=(BEGINNING + timedelta(n)).date(), at=BEGINNING) for n in range(400)]
        await days.event_store.append([app.codec.encode_event(event) for event in begun])
        await days.caught_up()
    for copy in shortened(tmp_path / "log.read.db", tmp_path):
        with suppress(StoreError):
            async with app.open("memory:", read_store=f"sqlite:///{copy}", follow=False) as days:
                await days.ask(ListDays())
