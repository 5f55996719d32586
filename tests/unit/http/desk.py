"""A small service desk for the tests of the HTTP door: what it does right, and what it does wrong on purpose."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Annotated, Literal

from headwater import (
    Aggregate,
    App,
    Command,
    Event,
    In,
    Indexed,
    Key,
    Meta,
    Page,
    PageRequest,
    Projection,
    Query,
    Reader,
    ReadModel,
    Refused,
    Sort,
    Tag,
    answers,
    decide,
    evolve,
    handles,
    on,
)

IncidentId = Annotated[str, Tag("incident"), Meta(min_length=1, max_length=50)]


class OpenIncident(Command):
    """A caller reports an incident."""

    incident_id: IncidentId
    caller: str
    impact: Annotated[int, Meta(ge=1, le=3)] = 2


class ResolveIncident(Command):
    """It works again."""

    incident_id: IncidentId


class BreakDown(Command):
    """A command whose handler fails in a way nobody thought of."""


class IncidentOpened(Event):
    """A caller reported an incident."""

    incident_id: IncidentId
    caller: str
    impact: int


class IncidentResolved(Event):
    """It works again."""

    incident_id: IncidentId


class Incident(Aggregate):
    """One incident."""

    incident_id: IncidentId
    status: Literal["unknown", "open", "resolved"] = "unknown"

    @decide
    def open(self, command: OpenIncident) -> IncidentOpened:
        if self.status != "unknown":
            raise Refused("incident-exists", f"{self.incident_id} is {self.status}", status=self.status)
        return IncidentOpened(incident_id=self.incident_id, caller=command.caller, impact=command.impact)

    @decide
    def resolve(self, command: ResolveIncident) -> IncidentResolved:
        if self.status != "open":
            raise Refused("not-open", f"{self.incident_id} is {self.status}")
        return IncidentResolved(incident_id=command.incident_id)

    @evolve
    def opened(self, event: IncidentOpened) -> None:
        self.status = "open"

    @evolve
    def resolved(self, event: IncidentResolved) -> None:
        self.status = "resolved"


@handles
async def break_down(command: BreakDown) -> None:
    """Fail with a secret in the message."""
    raise RuntimeError("the password is hunter2")


class IncidentRow(ReadModel):
    """An incident as the list shows it."""

    incident_id: Annotated[str, Key()]
    caller: str
    impact: Annotated[int, Indexed()]
    status: Annotated[str, Indexed()]


class Incidents(Projection[IncidentRow]):
    """The list."""

    @on
    def opened(self, event: IncidentOpened) -> IncidentRow:
        return IncidentRow(incident_id=event.incident_id, caller=event.caller, impact=event.impact, status="open")

    @on
    def resolved(self, event: IncidentResolved, row: IncidentRow) -> IncidentRow:
        return IncidentRow(incident_id=row.incident_id, caller=row.caller, impact=row.impact, status="resolved")


class FindIncidents(Query[Page[IncidentRow]]):
    """The incidents, a page at a time."""

    status: str | None = None
    impact: list[int] = []
    since: date | None = None
    sort: Sort = "incident_id"
    page: PageRequest = PageRequest(size=2)


class GetIncident(Query[IncidentRow | None]):
    """One incident."""

    incident_id: str


@answers
async def find_incidents(query: FindIncidents, incidents: Reader[IncidentRow]) -> Page[IncidentRow]:
    """Filter, sort, page."""
    chosen = incidents.where(status=query.status, impact=In(query.impact or None))
    return await chosen.sort(query.sort).page(query.page)


@answers
async def get_incident(query: GetIncident, incidents: Reader[IncidentRow]) -> IncidentRow | None:
    """By key."""
    return await incidents.get(query.incident_id)


async def authorise(message: object, actor: str | None) -> bool:
    """Nobody called Mallory, on anything."""
    await asyncio.sleep(0)
    return actor != "mallory"


PARTS = (Incident, Incidents, break_down, find_incidents, get_incident)
app = App("desk", *PARTS, authorise=authorise)
