"""Rows of the four logs as events of four small applications. Reads: nothing. Read next: test_reports.py."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

from headwater import App, Event, Key, Projection, ReadModel, on
from headwater.figure_marks import Count, Sum
from headwater.read_models import AggregateProjection

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"


def rows_of(log: str) -> Iterator[dict[str, str]]:
    """The rows of a log, in its order."""
    with gzip.open(SHARED / f"{log}.csv.gz", "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def truth_of(log: str) -> dict[str, Any]:
    """The figures that were published with it."""
    found: dict[str, Any] = json.loads((SHARED / "truth" / f"{log}.json").read_text(encoding="utf-8"))
    return found


def cents(euro: str) -> int:
    """Euro as whole cents."""
    return int((Decimal(euro) * 100).to_integral_value())


class Tally(ReadModel):
    """How often something happened, and what it came to."""

    what: Annotated[str, Key()]
    times: Annotated[int, Count()]
    amount: Annotated[Decimal, Sum()] = Decimal(0)


# -- the shop


class Line(Event):
    document: str
    seq: int
    kind: str
    at: datetime
    stock_code: str
    quantity: int
    unit_price: Decimal
    customer: str | None
    country: str


class LineRow(ReadModel):
    document: Annotated[str, Key()]
    seq: Annotated[int, Key()]
    kind: str
    at: datetime
    stock_code: str
    quantity: int
    amount: Decimal
    customer: str | None
    country: str


class Lines(Projection[LineRow]):
    @on
    def booked(self, event: Line) -> LineRow:
        return LineRow(
            document=event.document,
            seq=event.seq,
            kind=event.kind,
            at=event.at,
            stock_code=event.stock_code,
            quantity=event.quantity,
            amount=event.quantity * event.unit_price,
            customer=event.customer,
            country=event.country,
        )


class Months(AggregateProjection[Tally]):
    @on
    def booked(self, event: Line) -> Tally:
        return Tally(what=f"{event.at:%Y-%m}", times=1, amount=event.quantity * event.unit_price)


def lines() -> Iterator[Event]:
    """The shop's lines."""
    for row in rows_of("online_retail"):
        yield Line(
            document=row["case"],
            seq=int(row["seq"]),
            kind=row["activity"],
            at=datetime.fromisoformat(row["timestamp"]),
            stock_code=row["stock_code"],
            quantity=int(row["quantity"]),
            unit_price=Decimal(row["unit_price"]),
            customer=row["customer"] or None,
            country=row["country"],
        )


# -- the service desk


class Saved(Event):
    case: str
    seq: int
    state: str
    opened_at: datetime
    reassignments: int
    reopened: int
    modifications: int
    priority: str
    group: str | None
    made_sla: bool


class IncidentRow(ReadModel):
    case: Annotated[str, Key()]
    seq: int
    state: str
    opened_at: datetime
    reassignments: int
    reopened: int
    modifications: int
    priority: str
    group: str | None
    made_sla: bool


class Incidents(Projection[IncidentRow]):
    @on
    def saved(self, event: Saved, row: IncidentRow | None) -> IncidentRow:
        if row is not None and row.seq > event.seq:
            return row
        return IncidentRow(**{name: getattr(event, name) for name in IncidentRow.__struct_fields__})


class States(AggregateProjection[Tally]):
    name = "States"

    @on
    def saved(self, event: Saved) -> Tally:
        return Tally(what=event.state, times=1)


def incidents() -> Iterator[Event]:
    """The desk's changes."""
    for row in rows_of("incidents"):
        yield Saved(
            case=row["case"],
            seq=int(row["seq"]),
            state=row["activity"],
            opened_at=datetime.fromisoformat(row["opened_at"]),
            reassignments=int(row["reassignment_count"]),
            reopened=int(row["reopen_count"]),
            modifications=int(row["sys_mod_count"]),
            priority=row["priority"],
            group=row["assignment_group"] or None,
            made_sla=row["made_sla"] == "true",
        )


# -- the bank


class Happened(Event):
    case: str
    seq: int
    activity: str
    lifecycle: str
    at: datetime
    resource: str | None
    amount: int | None


class WorkRow(ReadModel):
    case: Annotated[str, Key()]
    seq: Annotated[int, Key()]
    activity: str
    lifecycle: str
    at: datetime
    resource: str | None
    amount: int | None


class Work(Projection[WorkRow]):
    @on
    def happened(self, event: Happened) -> WorkRow:
        return WorkRow(**{name: getattr(event, name) for name in WorkRow.__struct_fields__})


class Activities(AggregateProjection[Tally]):
    @on
    def happened(self, event: Happened) -> Tally:
        return Tally(what=event.activity, times=1, amount=Decimal(event.amount or 0))


def applications() -> Iterator[Event]:
    """The bank's events."""
    for row in rows_of("loan_applications"):
        yield Happened(
            case=row["case"],
            seq=int(row["seq"]),
            activity=row["activity"],
            lifecycle=row["lifecycle"],
            at=datetime.fromisoformat(row["timestamp"]).astimezone(UTC),
            resource=row["resource"] or None,
            amount=int(row["amount_requested"]) if row["amount_requested"] else None,
        )


# -- the fines office


class Stepped(Event):
    case: str
    seq: int
    activity: str
    on: date
    amount: int
    payment: int
    article: str | None
    vehicle_class: str | None


class StepRow(ReadModel):
    case: Annotated[str, Key()]
    seq: Annotated[int, Key()]
    activity: str
    on: date
    amount: int
    payment: int
    article: str | None
    vehicle_class: str | None


class Steps(Projection[StepRow]):
    @on
    def stepped(self, event: Stepped) -> StepRow:
        return StepRow(**{name: getattr(event, name) for name in StepRow.__struct_fields__})


class Paid(AggregateProjection[Tally]):
    @on
    def stepped(self, event: Stepped) -> Tally | None:
        if event.activity != "Payment":
            return None
        return Tally(what=f"{event.on.year}", times=1, amount=Decimal(event.payment))


def steps() -> Iterator[Event]:
    """The office's steps."""
    for row in rows_of("traffic_fines"):
        yield Stepped(
            case=row["case"],
            seq=int(row["seq"]),
            activity=row["activity"],
            on=date.fromisoformat(row["date"]),
            amount=cents(row["amount"] or "0"),
            payment=cents(row["payment"] or "0"),
            article=row["article"] or None,
            vehicle_class=row["vehicle_class"] or None,
        )


SHOP = App("shop", Lines, Months)
DESK = App("desk", Incidents, States)
BANK = App("bank", Work, Activities)
OFFICE = App("office", Steps, Paid)


async def fill(runtime: Any, events: Iterator[Event], batch: int = 2_000) -> int:
    """Append them, many at a time; how many there were."""
    count = 0
    while some := list(islice(events, batch)):
        await runtime.event_store.append([runtime.codec.encode_event(event) for event in some])
        count += len(some)
    return count
