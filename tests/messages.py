"""Messages of every shape that a field can have, for the tests of names, bytes, schemas and contracts."""

from __future__ import annotations

import dataclasses
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import msgspec

from headwater.messages import Command, Event, Meta, Query, Tag

IncidentId = Annotated[str, Tag("incident")]
Impact = Annotated[int, Meta(ge=1, le=3)]


class Channel(Enum):
    """How a caller reached the desk."""

    PHONE = "phone"
    MAIL = "mail"


class Line(msgspec.Struct, forbid_unknown_fields=True):
    """A line of an order."""

    sku: Annotated[str, Meta(min_length=1, max_length=8)]
    quantity: Annotated[int, Meta(gt=0)]


class Card(msgspec.Struct, tag=True):
    """Paid by card."""

    number: Annotated[str, Meta(pattern=r"^[0-9]{4}", max_length=4)]


class Cash(msgspec.Struct, tag=True):
    """Paid in coins."""

    coins: list[int]


@dataclasses.dataclass
class Place:
    """Where it happened."""

    room: str
    floor: int = 0


class Point(NamedTuple):
    """On a map."""

    x: float
    y: float


class Options(TypedDict, total=False):
    """What may be said besides."""

    loud: bool


class Node(msgspec.Struct):
    """A tree."""

    name: str
    children: list[Node] = msgspec.field(default_factory=list)


class OpenIncident(Command):
    """A caller reports an incident."""

    incident_id: IncidentId
    caller: str
    impact: Impact
    lines: list[Line] = msgspec.field(default_factory=list)
    payment: Card | Cash | None = None
    place: Place | None = None
    notes: dict[str, Impact] = msgspec.field(default_factory=dict)
    tree: Node | None = None
    channel: Channel = Channel.PHONE


class IncidentOpened(Event):
    """A caller reported an incident."""

    incident_id: IncidentId
    caller: str
    impact: Impact


class Everything(Event):
    """A field of every type."""

    text: Annotated[str, Meta(min_length=2, max_length=5)]
    matched: Annotated[str, Meta(pattern=r"^[A-Z]{3}-[0-9]+$")]
    low: Annotated[int, Meta(gt=3)]
    even: Annotated[int, Meta(ge=-10, lt=10, multiple_of=2)]
    ratio: Annotated[float, Meta(ge=0, lt=1)]
    moment: Annotated[datetime, Meta(tz=True)]
    day: date
    duration: timedelta
    id: UUID
    price: Decimal
    raw: bytes
    level: Literal["a", "b", 3]
    channel: Channel
    pair: tuple[int, str]
    many: tuple[int, ...]
    unique: frozenset[str]
    few: Annotated[list[int], Meta(min_length=1, max_length=2)]
    either: int | str | None
    payment: Card | Cash
    place: Place
    point: Point
    options: Options
    tree: Node
    by_id: dict[UUID, Line]
    anything: Any
    renamed: str = msgspec.field(name="renamedField", default="")


class Window(msgspec.Struct, frozen=True):
    """Which part of a list."""

    size: Annotated[int, Meta(ge=1, le=100)] = 50
    cursor: str | None = None


class FindIncidents(Query[list[str]]):
    """Incidents by what is known about them."""

    status: str | None = None
    impacts: list[int] = msgspec.field(default_factory=list)
    since: date | None = None
    urgent: bool | None = None
    page: Window = Window()
