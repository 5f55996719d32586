"""An event that makes rows of other keys than it names: once parked, it is not taken for the row that it names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import pytest

from headwater import App
from headwater.errors import ParkedAlone
from headwater.messages import Event, Query, Tag
from headwater.queries.asking import answers
from headwater.read_models import Key, Projection, ReadModel, on
from headwater.read_store import Reader

BAD = 13
FAULTY = {BAD}


class Ordered(Event):
    order: Annotated[str, Tag("order")]
    amount: int


class OrderRow(ReadModel):
    order: Annotated[str, Key()]
    amount: int


def checked(amount: int) -> int:
    """What the code cannot take until it is mended."""
    if amount in FAULTY:
        raise ValueError(f"cannot take {amount}")
    return amount


class Itself(Projection[OrderRow]):
    """The row that the event names."""

    @on
    def ordered(self, event: Ordered) -> OrderRow:
        return OrderRow(order=event.order, amount=checked(event.amount))


class Other(Projection[OrderRow]):
    """A row with a key of its own."""

    @on
    def ordered(self, event: Ordered) -> OrderRow:
        return OrderRow(order=f"{event.order}-{checked(event.amount)}", amount=event.amount)


class Another(Projection[OrderRow]):
    """The row that the event names, and another one."""

    @on
    def ordered(self, event: Ordered) -> list[OrderRow]:
        return [OrderRow(order=name, amount=checked(event.amount)) for name in (event.order, f"copy of {event.order}")]


class AllOrders(Query[dict[str, int]]):
    """All rows."""


@answers
async def all_orders(query: AllOrders, rows: Reader[OrderRow]) -> dict[str, int]:
    return {row.order: row.amount for row in await rows.all()}


@pytest.fixture(autouse=True)
def _faulty() -> Iterator[None]:
    FAULTY.add(BAD)
    yield
    FAULTY.add(BAD)


@pytest.mark.parametrize(
    ("projection", "can_go_on", "rows"),
    [
        (Itself, True, {"a": 1, "b": 2}),
        (Other, False, {"a-1": 1, "b-13": BAD, "b-2": 2}),
        (Another, False, {"a": 1, "copy of a": 1, "b": 2, "copy of b": 2}),
    ],
)
async def test_no_row_is_lost(projection: type[Projection[OrderRow]], can_go_on: bool, rows: dict[str, int]) -> None:
    """It goes on in its turn, or says that only a rebuild gives right rows, and stays parked until then."""
    async with App("orders", projection, all_orders).open("memory:") as desk:
        events = [Ordered(order="a", amount=1), Ordered(order="b", amount=BAD), Ordered(order="b", amount=2)]
        await desk.event_store.append([desk.codec.encode_event(event) for event in events])
        await desk.caught_up()
        (parked,) = await desk.parked()
        FAULTY.clear()
        if can_go_on:
            assert await desk.retry_parked(projection.__name__, parked.shown) is None
        else:
            with pytest.raises(ParkedAlone, match="rebuild"):
                await desk.retry_parked(projection.__name__, parked.shown)
            assert await desk.parked() == [parked]
            await desk.rebuild(projection.__name__)
        assert await desk.parked() == []
        assert await desk.ask(AllOrders()) == rows
