"""Projections of every kind, whose rows tell how they came about: what a handler was given shows in what it returns.

The reference projects one event at a time, and stores and reads each row in between; whatever a batch, a rebuild, a
share of the rows or a look into the past makes of the same events has to be the same.
"""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from headwater import App, Event, Key, Projection, Query, ReadModel, Recorded, Tag, answers, on
from headwater.figure_marks import Count, Max, Min, Sum
from headwater.followers.feed import facts_of
from headwater.projections.composing import Composing
from headwater.read_models import AggregateProjection, projection_plan
from headwater.read_store import Reader
from headwater.row_handlers import Lookup

Item = Annotated[str, Tag("item")]


class Made(Event):
    item: Item
    at: datetime | None
    labels: list[str]
    cost: Decimal
    more: dict[str, Any]


class Changed(Event):
    item: Item
    at: datetime | None = None
    labels: list[str] = []
    cost: Decimal = Decimal(0)


class Labelled(Event):
    items: list[Item]
    labels: list[str]


class Dropped(Event):
    item: Item


class Poured(Event):
    source: Item
    target: Item
    amount: int


class Row(ReadModel):
    item: Annotated[str, Key()]
    at: datetime | None = None
    labels: list[str] = []
    cost: Decimal = Decimal(0)
    more: dict[str, Any] = {}
    amount: int = 0
    trace: str = ""


def traced(row: Row | None, event: Any) -> str:
    """Tells what a handler was given, down to time zones and the kinds of lists."""
    return hashlib.blake2b(f"{row!r}{event!r}".encode(), digest_size=6).hexdigest()


BROKEN: set[str] = set()
"""The items whose rows cannot be projected just now."""


def _mended(item: str) -> None:
    if item in BROKEN:
        raise ArithmeticError(item)


class Rows(Projection[Row]):
    """One model, row by row."""

    @on
    def made(self, event: Made) -> Row:
        _mended(event.item)
        labels: Any = event.labels if len(event.labels) % 2 else tuple(event.labels)
        return Row(
            item=event.item, at=event.at, labels=labels, cost=event.cost, more=event.more, trace=traced(None, event)
        )

    @on
    def changed(self, event: Changed, row: Row | None) -> Row | None:
        _mended(event.item)
        if row is None:
            return None if event.cost > 50 else Row(item=event.item, labels=event.labels, trace=traced(None, event))
        trace = traced(row, event)
        if event.at is not None:
            return msgspec.structs.replace(row, at=event.at, trace=trace)
        return msgspec.structs.replace(row, cost=row.cost + event.cost, labels=[*row.labels, "c"], trace=trace)

    @on(key=lambda event: event.items)
    def labelled(self, event: Labelled, row: Row | None) -> Row | None:
        if row is None:
            return Row(item=next(iter(event.items)), labels=event.labels) if len(set(event.items)) == 1 else None
        _mended(row.item)
        row.labels.append(str(len(event.labels)))
        return row

    @on
    def dropped(self, event: Dropped, row: Row | None) -> None:
        """The row goes, if it is there."""

    @on(key=lambda recorded: [recorded.event.source, recorded.event.target])
    def poured(self, recorded: Recorded[Poured], row: Row | None) -> Row | None:
        event = recorded.event
        if row is None:
            return None
        amount = event.amount if row.item == event.target else -event.amount
        _mended(row.item)
        trace = traced(row, (recorded.position, event))
        return msgspec.structs.replace(row, amount=row.amount + amount, labels=row.labels, trace=trace)


class Part(ReadModel):
    item: Annotated[str, Key()]
    number: Annotated[int, Key()]
    label: str
    trace: str


class Parts(Projection[Part]):
    """Several rows of an event, made anew again and again; it is given the same events as the others."""

    @on
    def labelled(self, recorded: Recorded[Labelled]) -> list[Part]:
        event = recorded.event
        return [
            Part(item=item, number=number, label=label, trace=traced(None, (recorded.position, event)))
            for item in event.items
            for number, label in enumerate(event.labels)
        ]

    @on
    def made(self, event: Made) -> list[Part]:
        return [Part(item=event.item, number=-1, label=",".join(event.labels), trace=traced(None, event))]

    @on(key=lambda event: (event.item, 0))
    def dropped(self, event: Dropped, row: Part | None) -> None:
        """The first part goes."""


class Holder(ReadModel):
    item: Annotated[str, Key()]
    at: datetime | None
    labels: list[str]
    kind: str


class Share(ReadModel):
    kind: Annotated[str, Key()]
    day: Annotated[Literal["none", "some"], Key()]
    items: Annotated[int, Count()]
    cost: Annotated[Decimal, Sum()]
    first: Annotated[datetime | None, Min()] = None
    most: Annotated[Decimal | None, Max()] = None


class Holdings(Projection[Holder | Share]):
    """Rows that are looked up, and sums that groups enter and leave."""

    @on
    def made(self, event: Made, before: Annotated[Holder | None, Lookup("item")]) -> list[Holder | Share]:
        kind = f"k{len(event.labels)}"
        left = [] if before is None else [self.share(before, -1)]
        holder = Holder(item=event.item, at=event.at, labels=event.labels, kind=kind)
        return [holder, self.share(holder, 1), *left]

    @on
    def changed(self, event: Changed, row: Holder | None) -> Holder | None:
        if row is None:
            return None
        row.labels.append(traced(None, row))
        return msgspec.structs.replace(row, at=event.at or row.at)

    @on
    def dropped(self, event: Dropped, row: Holder | None) -> None:
        """The row goes."""

    @on
    def left(self, event: Dropped, before: Annotated[Holder | None, Lookup("item")]) -> Share | None:
        return None if before is None else self.share(before, -1)

    def share(self, holder: Holder, sign: int) -> Share:
        """What an item adds to its group; its time may have changed since it came."""
        cost = Decimal(len(holder.labels)) * sign
        day = "none" if holder.item < "c" else "some"
        return Share(kind=holder.kind, day=day, items=sign, cost=cost, first=holder.at, most=cost)


class Total(ReadModel):
    item: Annotated[str, Key()]
    times: Annotated[int, Count()]
    amount: Annotated[int, Sum()]
    least: Annotated[int | None, Min()] = None
    most: Annotated[int | None, Max()] = None


class Totals(AggregateProjection[Total]):
    """Sums alone."""

    @on
    def poured(self, event: Poured) -> list[Total]:
        return [
            Total(item=event.source, times=-1, amount=-event.amount, least=event.amount),
            Total(item=event.target, times=1, amount=event.amount, least=event.amount, most=event.amount),
        ]

    @on
    def dropped(self, event: Dropped) -> Total:
        return Total(item=event.item, times=-1, amount=1)


PROJECTIONS: tuple[type[Projection[Any]], ...] = (Rows, Parts, Holdings, Totals)
MODELS: tuple[type[ReadModel], ...] = (Row, Part, Holder, Share, Total)


class AllRows(Query[list[str]]):
    """All rows of all models, as Python shows them."""


@answers
async def all_rows(
    query: AllRows,
    rows: Reader[Row],
    parts: Reader[Part],
    holders: Reader[Holder],
    shares: Reader[Share],
    totals: Reader[Total],
) -> list[str]:
    return sorted([repr(row) for reader in (rows, parts, holders, shares, totals) for row in await reader.all()])


APP = App("rows", *PROJECTIONS, all_rows)
_ZONES = (UTC, timezone(timedelta(hours=2)), timezone(-timedelta(hours=9, minutes=30)))


def events(chance: random.Random, count: int) -> list[Event]:
    """What happens to a few items."""
    return [_event(chance) for _ in range(count)]


def _event(chance: random.Random) -> Event:
    item, other = chance.choice("abcde"), chance.choice("abcde")
    at = datetime(2024, 1, 1, chance.randrange(24), chance.randrange(60), tzinfo=chance.choice(_ZONES))
    labels = [chance.choice("xyz") for _ in range(chance.randrange(4))]
    cost = Decimal(chance.randrange(10_000)).scaleb(-chance.randrange(4))
    match chance.randrange(8):
        case 0 | 1:
            more = {"at": at, "list": (1, 2), "by": {1: labels}}
            return Made(item=item, at=chance.choice((at, None)), labels=labels, cost=cost, more=more)
        case 2 | 3:
            return Changed(item=item, at=chance.choice((at, None)), labels=labels, cost=cost)
        case 4:
            return Labelled(items=[item, other], labels=labels)
        case 5:
            return Dropped(item=item)
        case _:
            return Poured(source=item, target=other, amount=chance.randrange(10))


def expected(log: list[Any], *projections: type[Projection[Any]]) -> list[str]:
    """One event at a time, each row stored and read again in between."""
    shown: list[str] = []
    for projection in projections or PROJECTIONS:
        plan: Any = projection_plan(projection)
        folding = Composing(plan)
        rows: dict[Any, dict[Any, Any]] = {table: {} for table in folding.tables}
        for record in log:
            batch = folding.fold(facts_of([record], plan.event_types, APP.codec), rows)
            assert batch.error is None, batch.error
            changed: dict[Any, Any] = dict(batch.rows)
            for table, added in batch.added.items():
                changed[table] = folding.sums[table].totals(rows[table], added)
            for table, each in changed.items():
                for key, row in each.items():
                    rows[table].pop(key, None)
                    if row is not None:
                        rows[table][key] = table.row_of(table.values_of(row)[: len(table.columns)])
        shown += [repr(row) for each in rows.values() for row in each.values()]
    return sorted(shown)
