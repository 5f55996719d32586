"""The queries that are measured: placed orders, one by key, or a page of those in a state. Read next: ask.py."""

from __future__ import annotations

from typing import Annotated

from headwater.app import App
from headwater.bench.payload import order_id
from headwater.messages import Event, Query, Tag
from headwater.queries.asking import answers
from headwater.read_models import Indexed, Key, Page, PageRequest, Projection, ReadModel, on
from headwater.read_store.filters import Range
from headwater.read_store.reader import Reader

STATES = ("open", "paid", "shipped", "cancelled")


class OrderPlaced(Event):
    """An order was placed."""

    order_id: Annotated[str, Tag("order")]
    customer: str
    state: str
    total: int
    placed_at: int


class PlacedOrder(ReadModel):
    """One row for each order; ``placed_at`` is in seconds."""

    order_id: Annotated[str, Key()]
    customer: str
    state: Annotated[str, Indexed("placed_at")]
    total: int
    placed_at: Annotated[int, Indexed()]


class PlacedOrders(Projection[PlacedOrder]):
    """A row for each order as it was placed."""

    @on
    def placed(self, event: OrderPlaced) -> PlacedOrder:
        """Make the row."""
        return PlacedOrder(
            order_id=event.order_id,
            customer=event.customer,
            state=event.state,
            total=event.total,
            placed_at=event.placed_at,
        )


class GetOrder(Query[PlacedOrder | None]):
    """One order by its key."""

    order_id: str


class FindOrders(Query[Page[PlacedOrder]]):
    """The latest orders in a state that were placed before a time."""

    state: str
    before: int
    page: PageRequest = PageRequest()


@answers
async def get_order(query: GetOrder, orders: Reader[PlacedOrder]) -> PlacedOrder | None:
    """Get the row."""
    return await orders.get(query.order_id)


@answers
async def find_orders(query: FindOrders, orders: Reader[PlacedOrder]) -> Page[PlacedOrder]:
    """Filter, sort, page."""
    found = orders.where(state=query.state, placed_at=Range(lt=query.before))
    return await found.sort("-placed_at").page(query.page)


def placed_order(number: int) -> OrderPlaced:
    """The event of order so-and-so; states are spread evenly."""
    return OrderPlaced(
        order_id=order_id(number),
        customer=f"c-{number % 5000}",
        state=STATES[number * 7919 % 101 % len(STATES)],
        total=number * 7919 % 1_000_000,
        placed_at=number * 10,
    )


def questions_app() -> App:
    """The application that answers them."""
    return App("questions", PlacedOrders, get_order, find_orders)
