"""Figures of the fines office as of a date are those of the raw rows up to it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import groupby

import pytest
from tests.fines.app import app
from tests.fines.expected import LOG, expected_figures
from tests.fines.figures import figures_of
from tests.fines.replay import replay
from tests.fines.rows import read_rows
from tests.fines.views import CountFines, SummariseFines

from headwater.queries import past
from headwater.testing import ControlledClock

ROWS = 6_000
DAY = timedelta(days=1)

pytestmark = pytest.mark.skipif(
    not LOG.exists(), reason="the log of fines may not be shipped, and does not lie beside this checkout"
)


def midnight(day):
    """When a day begins."""
    return datetime.combine(day, datetime.min.time(), UTC)


@pytest.mark.parametrize("most_in_memory", [1_000_000, 0])
async def test_figures_as_of_a_date_are_those_of_the_rows_until_then(most_in_memory, monkeypatch):
    """Each day's rows are recorded on that day, and asked for when all of them are long past."""
    monkeypatch.setattr(past, "_MOST_IN_MEMORY", most_in_memory)
    rows = list(read_rows(LOG, ROWS))
    clock = ControlledClock(midnight(date(1999, 12, 31)))
    async with app.open("memory:", clock=clock, follow=False) as office:
        until: dict[date, int] = {}
        for day, ordered in groupby(rows, key=lambda row: date.fromisoformat(row.date)):
            clock.set(midnight(day))
            await replay(office, ordered, in_flight=1)
            until[day] = await office.event_store.head()
        clock.advance(DAY)
        days = list(until)
        assert until[days[-1]] == ROWS
        for day in (days[len(days) // 3], days[len(days) // 2], days[len(days) * 3 // 4], days[-1]):
            as_of = midnight(day + DAY) - timedelta(microseconds=1)
            summary = await office.answer(SummariseFines(), as_of=as_of)
            counts = await office.answer(CountFines(), as_of=as_of)
            assert summary.position == counts.position == until[day]
            assert figures_of(summary.value, counts.value) == expected_figures(until[day])
