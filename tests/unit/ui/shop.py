"""A small shop for the tests of the task-based UI: fields of every kind, and rules that depend on the state."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from msgspec import UNSET, UnsetType

from headwater import (
    Aggregate,
    App,
    Command,
    DetailQuery,
    Event,
    Filter,
    In,
    Indexed,
    Key,
    ListQuery,
    Meta,
    Ne,
    Prefix,
    Projection,
    Query,
    Range,
    Reader,
    ReadModel,
    Refused,
    Search,
    Searchable,
    Tag,
    answers,
    decide,
    evolve,
    handles,
    on,
)

OrderId = Annotated[str, Tag("order"), Meta(min_length=1, max_length=20, pattern="^[A-Z0-9-]+$")]
Text = Annotated[str, Meta(min_length=1, max_length=500)]


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """What was ordered of one article."""

    sku: Annotated[str, Meta(min_length=1)]
    count: Annotated[int, Meta(ge=1, le=99)] = 1
    gift: bool = False


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where it goes."""

    street: str | UnsetType = UNSET
    floor: int | UnsetType | None = UNSET


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """What it is sent in."""

    code: str
    weight: int | None = None


@dataclass(frozen=True)
class Contact:
    """Whom to ask; a plain dataclass."""

    name: str
    phones: tuple[str, ...] = ()
    born: date | None = field(default=None)


class EveryKind(Command, kw_only=True):
    """A field of every kind."""

    order_id: OrderId
    text: Text
    plain: str = "as it was"
    note: str | None = None
    whole: Annotated[int, Meta(gt=0, lt=10)] = 3
    real: float | None = None
    money: Decimal | None = None
    agreed: bool = False
    sure: bool | None = None
    must: bool
    status: Literal["open", "closed"]
    level: Literal[1, 2, 3] = 2
    colour: Colour | None = None
    day: date | None = None
    at: datetime | None = None
    local: Annotated[datetime, Meta(tz=False)] | None = None
    clock: time | None = None
    span: timedelta | None = None
    token: UUID | None = None
    raw: bytes | None = None
    tags: list[str] = []
    colours: list[Colour] = []
    lines: list[Line] = []
    address: Address = Address()
    other: Address | None = None
    parcel: Parcel | None = None
    contact: Contact = Contact("nobody")
    contacts: list[Contact] = []
    anything: dict[str, int] | None = None
    either: int | str | None = None
    cleared: str | UnsetType | None = UNSET


class PlaceOrder(Command):
    """A customer orders."""

    order_id: OrderId
    customer: Text
    lines: list[Line] = []


class ShipOrder(Command):
    """It leaves the house."""

    order_id: OrderId


class CancelOrder(Command):
    """Nobody wants it any more."""

    order_id: OrderId
    reason: Text


class FetchPrices(Command):
    """Ask the supplier."""

    supplier: str


class OrderPlaced(Event):
    order_id: OrderId
    customer: str
    lines: list[Line]


class OrderShipped(Event):
    order_id: OrderId


class OrderCancelled(Event):
    order_id: OrderId
    reason: str


class KindSeen(Event):
    order_id: OrderId
    seen: dict[str, Any]


def is_new(order: Order) -> bool:
    """An order is placed once."""
    if order.status == "unknown":
        return True
    raise Refused("order-exists", f"order {order.order_id} is already {order.status}", status=order.status)


def is_placed(order: Order) -> bool | str:
    return order.status == "placed" or f"order {order.order_id} is {order.status}"


def is_waiting(order: Order) -> bool:
    """Only an order that waits can be cancelled."""
    return order.status == "placed"


class Order(Aggregate):
    """One order of a customer."""

    order_id: OrderId
    status: Literal["unknown", "placed", "shipped", "cancelled"] = "unknown"

    @decide(when=is_new)
    def place(self, command: PlaceOrder) -> OrderPlaced:
        return OrderPlaced(order_id=self.order_id, customer=command.customer, lines=command.lines)

    @decide(when=is_placed)
    def ship(self, command: ShipOrder) -> OrderShipped:
        return OrderShipped(order_id=self.order_id)

    @decide(when=is_waiting)
    def cancel(self, command: CancelOrder) -> OrderCancelled:
        if command.reason.endswith("because"):
            raise Refused("no-reason", f"{command.reason} is no reason")
        return OrderCancelled(order_id=self.order_id, reason=command.reason)

    @decide
    def see(self, command: EveryKind) -> KindSeen:
        return KindSeen(order_id=self.order_id, seen={})

    @evolve
    def placed(self, event: OrderPlaced) -> None:
        self.status = "placed"

    @evolve
    def shipped(self, event: OrderShipped) -> None:
        self.status = "shipped"

    @evolve
    def cancelled(self, event: OrderCancelled) -> None:
        self.status = "cancelled"


@handles
async def fetch_prices(command: FetchPrices) -> None:
    """The supplier does not answer."""
    raise ConnectionError("the supplier's password is hunter2")


class OrderRow(ReadModel):
    """An order as the list shows it."""

    order_id: Annotated[str, Key()]
    customer: Annotated[str, Searchable(), Indexed()]
    status: Annotated[Literal["placed", "shipped", "cancelled"], Indexed()]
    lines: list[Line]
    articles: Annotated[int, Indexed()]
    placed_at: datetime = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
    reason: str | None = None


class Orders(Projection[OrderRow]):
    """The list."""

    @on
    def placed(self, event: OrderPlaced) -> OrderRow:
        count = sum(line.count for line in event.lines)
        return OrderRow(
            order_id=event.order_id, customer=event.customer, status="placed", lines=event.lines, articles=count
        )

    @on
    def shipped(self, event: OrderShipped, row: OrderRow) -> OrderRow:
        return msgspec.structs.replace(row, status="shipped")

    @on
    def cancelled(self, event: OrderCancelled, row: OrderRow) -> OrderRow:
        return msgspec.structs.replace(row, status="cancelled", reason=event.reason)


class FindOrders(ListQuery[OrderRow]):
    """All orders."""

    status: list[Literal["placed", "shipped", "cancelled"]] | None = None
    customer: Annotated[str | None, Filter(by=Prefix)] = None
    articles: Range[int] | None = None
    not_for: Annotated[str | None, Filter("customer", by=Ne)] = None
    placed_at: Range[datetime] | None = None
    search: Annotated[str | None, Search(highlight=True)] = None


class GetOrder(DetailQuery[OrderRow]):
    """One order."""

    order_id: str


class CountOrders(Query[int]):
    """How many orders there are."""


class ArticlesOf(Query[list[Line]]):
    """What a customer ordered."""

    customer: str


@answers
async def count_orders(query: CountOrders, orders: Reader[OrderRow]) -> int:
    return await orders.count()


@answers
async def articles_of(query: ArticlesOf, orders: Reader[OrderRow]) -> list[Line]:
    page = await orders.where(customer=In([query.customer])).page()
    return [line for row in page.items for line in row.lines]


async def authorise(message: object, actor: str | None) -> bool:
    """Nobody called Mallory, on anything."""
    return actor != "mallory"


PARTS = (Order, Orders, FindOrders, GetOrder, count_orders, articles_of, fetch_prices)
app = App("shop", *PARTS, authorise=authorise)
open_shop = App("open-shop", *PARTS)
