"""A row that its table does not take is set aside by its own key, which need not be the one that the event names."""

from __future__ import annotations

from typing import Annotated

import pytest

from headwater import App
from headwater.errors import ProjectionError
from headwater.messages import Event, Query, Tag
from headwater.queries.asking import answers
from headwater.read_models import Key, Projection, ReadModel, on
from headwater.read_store import Reader
from headwater.runtime import Runtime

TOO_LARGE = 2**63


class Counted(Event):
    name: Annotated[str, Tag("name")]
    number: int


class CountRow(ReadModel):
    name: Annotated[str, Key()]
    number: int


class OneRow(Projection[CountRow]):
    """A row whose key is made of the event's."""

    @on
    def counted(self, event: Counted) -> CountRow:
        return CountRow(name=f"row of {event.name}", number=event.number)


class TwoRows(Projection[CountRow]):
    """Several rows, of which nobody can say which one its table does not take."""

    @on
    def counted(self, event: Counted) -> list[CountRow]:
        return [CountRow(name=f"{half} half of {event.name}", number=event.number) for half in ("first", "second")]


class NoKey(Projection[CountRow]):
    """A row whose key no store takes."""

    @on
    def counted(self, event: Counted) -> CountRow:
        return CountRow(name="\ud800" if event.number == TOO_LARGE else event.name, number=event.number % TOO_LARGE)


class AllCounts(Query[dict[str, int]]):
    """All rows."""


@answers
async def all_counts(query: AllCounts, rows: Reader[CountRow]) -> dict[str, int]:
    return {row.name: row.number for row in await rows.all()}


@pytest.fixture(params=["sqlite", "postgresql"])
def rows(request, tmp_path):
    """A read store of each kind that has columns of types, by its URL."""
    return request.getfixturevalue("postgres_url") if request.param == "postgresql" else f"sqlite:///{tmp_path}/rows.db"


async def count(desk: Runtime, **numbers: int) -> None:
    """Store an event for each name, and wait until all are projected."""
    await desk.event_store.append(
        [desk.codec.encode_event(Counted(name=name, number=number)) for name, number in numbers.items()]
    )
    await desk.caught_up()


@pytest.mark.parametrize(
    ("projection", "sequence", "found"),
    [
        (OneRow, "row of b", {"row of a": 1, "row of c": 3}),
        (TwoRows, "@2", {"first half of a": 1, "second half of a": 1, "first half of c": 3, "second half of c": 3}),
        (NoKey, "@2", {"a": 1, "c": 3}),
    ],
)
async def test_it_holds_up_no_other(rows, projection, sequence, found):
    """It is parked once, and can be discarded; what came after it is there."""
    async with App("counts", projection, all_counts).open("memory:", read_store=rows) as desk:
        await count(desk, a=1, b=TOO_LARGE, c=3)
        assert await desk.ask(AllCounts()) == found
        (parked,) = await desk.parked()
        assert (parked.shown, parked.position) == (sequence, 2)
        await desk.discard_parked(projection.__name__, parked.shown, reason="too large")
        assert await desk.parked() == []


async def test_what_comes_later_for_the_row_waits_with_it(rows):
    """As for any parked sequence: nothing of it is applied until it goes on, in order."""
    async with App("counts", OneRow, all_counts).open("memory:", read_store=rows) as desk:
        await count(desk, b=TOO_LARGE)
        with pytest.raises(ProjectionError, match="does not fit"):
            await desk.retry_parked("OneRow", "row of b")
        await count(desk, b=2)
        assert await desk.ask(AllCounts()) == {}
        await desk.discard_parked("OneRow", "row of b", reason="too large")
        assert await desk.ask(AllCounts()) == {"row of b": 2}
