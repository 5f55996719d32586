"""A row cannot be changed, but a list in it can: whoever does that and returns the row has changed it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest

from headwater import App
from headwater.messages import Event, Query, Tag
from headwater.queries.asking import answers
from headwater.read_models import Key, Projection, ReadModel, on
from headwater.read_store import Reader


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
