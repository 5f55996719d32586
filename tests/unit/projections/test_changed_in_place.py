"""A row cannot be changed, but a list in it can: whoever does that and returns the row has changed it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any

import pytest

from headwater import App
from headwater.errors import MissingRow
from headwater.messages import Event, Query, Tag
from headwater.projections.composing import Composing
from headwater.projections.folding import Folding
from headwater.queries.asking import answers
from headwater.read_models import Key, Projection, ProjectionPlan, ReadModel, on, projection_plan
from headwater.read_store import Reader
from headwater.testing.clock import START
from headwater.testing.facts import History


class Labelled(Event):
    item: Annotated[str, Tag("item")]
    label: str


class Counted(Event):
    item: Annotated[str, Tag("item")]


class ItemRow(ReadModel):
    item: Annotated[str, Key()]
    labels: list[str]


class CountRow(ReadModel):
    item: Annotated[str, Key()]


class Items(Projection[ItemRow]):
    """The only model of its projection."""

    @on
    def labelled(self, event: Labelled, row: ItemRow | None) -> ItemRow:
        if row is None:
            return ItemRow(item=event.item, labels=[event.label])
        row.labels.append(event.label)
        return row


class ItemsAndCounts(Projection[ItemRow | CountRow]):
    """One of several models."""

    @on
    def labelled(self, event: Labelled, row: ItemRow | None) -> ItemRow:
        if row is None:
            return ItemRow(item=event.item, labels=[event.label])
        row.labels.append(event.label)
        return row

    @on
    def counted(self, event: Counted) -> CountRow:
        return CountRow(item=event.item)


class AllLabels(Query[list[list[str]]]):
    """The labels of all items."""


@answers
async def all_labels(query: AllLabels, items: Reader[ItemRow]) -> list[list[str]]:
    return [row.labels for row in await items.all()]


@pytest.mark.parametrize("projection", [Items, ItemsAndCounts])
@pytest.mark.parametrize("store", ["memory:", "sqlite:///{}/items.db"])
async def test_what_was_put_into_a_list_is_stored(
    tmp_path: Path, projection: type[Projection[ItemRow]], store: str
) -> None:
    """Event by event, as in a rebuild."""
    async with App("items", projection, all_labels).open(store.format(tmp_path)) as desk:
        for label in "abc":
            await desk.event_store.append([desk.codec.encode_event(Labelled(item="i", label=label))])
            await desk.caught_up()
        live = await desk.ask(AllLabels())
        await desk.rebuild(projection.__name__)
        assert live == await desk.ask(AllLabels()) == [["a", "b", "c"]]


class Noted(Event):
    item: Annotated[str, Tag("item")]
    labels: list[str]
    at: datetime


class NoteRow(ReadModel):
    item: Annotated[str, Key()]
    labels: list[str]
    at: datetime
    hours: list[int] = []


class Notes(Projection[NoteRow]):
    """Takes the event's list as its own."""

    @on
    def noted(self, event: Noted) -> NoteRow:
        return NoteRow(item=event.item, labels=event.labels, at=event.at)

    @on
    def labelled(self, event: Labelled, row: NoteRow) -> NoteRow:
        row.labels.append(event.label)
        row.hours.append(row.at.hour)
        return row


def test_rows_in_hand_are_as_they_will_be_read() -> None:
    """A list is the row's own, whoever else is given the event, and a moment is in UTC."""
    at = datetime(2024, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    given = History().and_then([Noted(item="i", labels=["a"], at=at), Labelled(item="i", label="b")], at)
    plan = projection_plan(Notes)
    assert isinstance(plan, ProjectionPlan)
    facts = given.facts(plan.event_types)
    for folding in (Folding(plan), Folding(plan)):  # two projections, given the same events
        rows = folding.fold(facts, {}).rows
        assert rows == {"i": NoteRow(item="i", labels=["a", "b"], at=at, hours=[22])}


class Torn(Event):
    items: list[str]


class TornRows(Projection[NoteRow]):
    """Fails on the second of two rows, once it has put something into the first."""

    @on
    def noted(self, event: Noted) -> NoteRow:
        return NoteRow(item=event.item, labels=event.labels, at=event.at)

    @on(key=lambda event: event.items)
    def torn(self, event: Torn, row: NoteRow) -> NoteRow:
        row.labels.append("torn")
        return row


@pytest.mark.parametrize("folding_of", [Folding, Composing])
def test_an_event_that_fails_leaves_lists_as_they_were(folding_of: Any) -> None:
    """Else what is tried again would be put in again."""
    given = History().and_then([Noted(item="i", labels=["a"], at=START), Torn(items=["i", "missing"])], START)
    plan = projection_plan(TornRows)
    assert isinstance(plan, ProjectionPlan)
    batch = folding_of(plan).fold(given.facts(plan.event_types), {})
    rows = batch.rows if folding_of is Folding else next(iter(batch.rows.values()))
    assert (type(batch.error), rows["i"].labels) == (MissingRow, ["a"])
