"""The application that is measured: orders, their lines and totals. Reads: payload.py. Read next: logs.py."""

from __future__ import annotations

from typing import Annotated

from headwater.aggregates import Aggregate, decide, evolve
from headwater.app import App
from headwater.commands.handlers import handles
from headwater.messages import Command, Event, Message, Meta, Tag
from headwater.read_models import Key, Projection, ReadModel, on

OrderId = Annotated[str, Tag("order")]


class LineAdded(Event):
    """A line was added to an order."""

    order_id: OrderId
    customer_id: str
    sku: str
    quantity: int
    price: int
    currency: str
    note: str


class AddLine(Command):
    """Add a line to an order: loads the order, decides, appends on condition."""

    order_id: OrderId
    customer_id: str
    sku: Annotated[str, Meta(min_length=1, max_length=40)]
    quantity: Annotated[int, Meta(ge=1)]
    price: Annotated[int, Meta(ge=0)]
    currency: Annotated[str, Meta(min_length=3, max_length=3)]
    note: str


class RecordLine(Command):
    """The same facts without a decision: nothing is loaded, and the append has no condition."""

    order_id: OrderId
    customer_id: str
    sku: Annotated[str, Meta(min_length=1, max_length=40)]
    quantity: Annotated[int, Meta(ge=1)]
    price: Annotated[int, Meta(ge=0)]
    currency: Annotated[str, Meta(min_length=3, max_length=3)]
    note: str


class DoNothing(Command):
    """A command whose handler is empty, for the cost of dispatch alone. It has the fields of a line."""

    order_id: str
    customer_id: str
    sku: str
    quantity: int
    price: int
    currency: str
    note: str


class Order(Aggregate):
    """An order: how many lines it has and what they come to."""

    order_id: OrderId
    lines: int = 0
    total: int = 0

    @decide
    def add(self, command: AddLine) -> LineAdded:
        """Add a line."""
        return line_added(command)

    @evolve
    def added(self, event: LineAdded) -> None:
        """Count the line."""
        self.lines += 1
        self.total += event.quantity * event.price


class Intake(Aggregate):
    """Looks at no events, so that nothing is loaded before it decides."""

    order_id: OrderId

    @decide
    def record(self, command: RecordLine) -> LineAdded:
        """Record the line as it came."""
        return line_added(command)


class OrderTotal(ReadModel):
    """One row for each order."""

    order_id: Annotated[str, Key()]
    lines: int
    total: int


class OrderTotals(Projection[OrderTotal]):
    """Counts and adds up the lines of each order: every event reads and changes a row."""

    @on
    def added(self, event: LineAdded, row: OrderTotal | None) -> OrderTotal:
        """Count the line, in a new row if it is the first."""
        if row is None:
            return OrderTotal(order_id=event.order_id, lines=1, total=event.quantity * event.price)
        return OrderTotal(order_id=row.order_id, lines=row.lines + 1, total=row.total + event.quantity * event.price)


def line_added(command: AddLine | RecordLine) -> LineAdded:
    """The event of a line."""
    return LineAdded(
        order_id=command.order_id,
        customer_id=command.customer_id,
        sku=command.sku,
        quantity=command.quantity,
        price=command.price,
        currency=command.currency,
        note=command.note,
    )


@handles
async def do_nothing(command: DoNothing) -> None:
    """Do nothing."""
    del command


def allow(message: Message, actor: str | None) -> bool:
    """An authorisation hook that looks at what it is given, and lets everything of this benchmark pass."""
    return actor != "nobody" or isinstance(message, DoNothing)


def orders_app(*, projections: bool = False) -> App:
    """The application, without its projection unless asked for."""
    more = (OrderTotals,) if projections else ()
    return App("orders", Order, Intake, do_nothing, *more, authorise=allow)
