"""What the desk shows of its incidents: the list, and one incident with its history.

Reads: incident_messages.py. Read next: report_views.py (the counters), app.py.

A row of the list is folded event by event. The save in each event carries status and group, so one handler keeps them
right for every kind of event, and the others add what only they know.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET
from msgspec.structs import asdict, replace

from headwater import (
    Indexed,
    Key,
    ListQuery,
    Projection,
    Query,
    Range,
    Reader,
    ReadModel,
    Recorded,
    Search,
    Searchable,
    Sort,
    answers,
    on,
)
from headwater.servicedesk.incident_messages import (
    ChangeRecorded,
    Details,
    IncidentAssigned,
    IncidentClosed,
    IncidentEvent,
    IncidentImported,
    IncidentOpened,
    IncidentPutOnHold,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
    OutcomeCorrected,
    PriorityChanged,
    SlaMissed,
    Status,
    StatusLost,
    WorkStarted,
)

# -- the list ----------------------------------------------------------------------------------------------------------


class IncidentRow(ReadModel):
    """One incident as the list shows it. ``found_in`` is the status an imported incident was found in."""

    incident_id: Annotated[str, Key(), Searchable(2)]
    status: Annotated[Status, Indexed("opened_at")]
    group: Annotated[str | None, Indexed("opened_at")]
    person: str | None
    caller: Annotated[str | None, Indexed("opened_at"), Searchable()]
    impact: int
    urgency: int
    priority: Annotated[int, Indexed()]
    opened_at: Annotated[datetime, Indexed()]
    changed_at: datetime
    found_in: Status | None = None
    made_sla: bool = True
    resolved_at: datetime | None = None
    resolved_by: str | None = None
    closed_at: datetime | None = None
    closed_code: str | None = None
    reassignments: int = 0
    reopens: int = 0
    saves: int = 1
    late_saves: int = 0
    modifications: int = 0


class Incidents(Projection[IncidentRow]):
    """Keeps the list."""

    version = 2

    @on
    def opened(self, event: IncidentOpened | IncidentImported) -> IncidentRow:
        """A new row."""
        row = IncidentRow(
            incident_id=event.incident_id,
            status=event.save.status,
            group=event.save.group,
            person=event.person,
            caller=event.caller,
            impact=event.impact,
            urgency=event.urgency,
            priority=event.priority,
            opened_at=event.opened_at,
            changed_at=event.save.at,
            modifications=event.save.modifications,
        )
        if isinstance(event, IncidentOpened):
            return row
        return replace(
            row,
            found_in=event.save.status,
            made_sla=event.made_sla,
            reassignments=event.reassignments,
            reopens=event.reopens,
        )

    @on
    def assigned(self, event: IncidentAssigned, row: IncidentRow) -> IncidentRow:
        """Who has it, and how often it went to a group."""
        return _saved(event, row, person=event.person, reassignments=row.reassignments + event.reassigned)

    @on
    def judged(self, event: PriorityChanged, row: IncidentRow) -> IncidentRow:
        """How urgent it is."""
        return _saved(event, row, impact=event.impact, urgency=event.urgency, priority=event.priority)

    @on
    def moved(
        self, event: WorkStarted | IncidentPutOnHold | IncidentResumed | StatusLost, row: IncidentRow
    ) -> IncidentRow:
        """The status is in the save."""
        return _saved(event, row)

    @on
    def resolved(self, event: IncidentResolved, row: IncidentRow) -> IncidentRow:
        """What the desk wrote down about the solution."""
        return _saved(event, row, resolved_at=event.resolved_at, resolved_by=event.resolved_by)

    @on
    def closed(self, event: IncidentClosed, row: IncidentRow) -> IncidentRow:
        """The end; sometimes the desk names only now who solved it."""
        resolved_by = row.resolved_by if event.resolved_by is UNSET else event.resolved_by
        return _saved(event, row, closed_at=event.closed_at, closed_code=event.closed_code, resolved_by=resolved_by)

    @on
    def corrected(self, event: OutcomeCorrected, row: IncidentRow) -> IncidentRow:
        """What was said replaces what stood there."""
        said = {
            "resolved_at": event.resolved_at,
            "resolved_by": event.resolved_by,
            "closed_at": event.closed_at,
            "closed_code": event.closed_code,
        }
        return _saved(event, row, **{name: value for name, value in said.items() if value is not UNSET})

    @on
    def reopened(self, event: IncidentReopened, row: IncidentRow) -> IncidentRow:
        """No outcome stands any more."""
        return _saved(
            event,
            row,
            reopens=event.reopens,
            resolved_at=None,
            resolved_by=None,
            closed_at=None,
            closed_code=None,
        )

    @on
    def sla_missed(self, event: SlaMissed, row: IncidentRow) -> IncidentRow:
        """The target is missed."""
        return _saved(event, row, made_sla=False)

    @on
    def changed(self, event: ChangeRecorded, row: IncidentRow) -> IncidentRow:
        """Of the rest of the form the list shows the caller only."""
        return _saved(event, row) if event.caller is UNSET else _saved(event, row, caller=event.caller)


def _saved(event: IncidentEvent, row: IncidentRow, **changes: object) -> IncidentRow:
    """The row after an event: what every save tells, and the given changes."""
    save = event.save
    return replace(
        row,
        status=save.status,
        group=save.group,
        changed_at=save.at,
        saves=save.number,
        late_saves=row.late_saves + (save.at < row.changed_at),
        modifications=save.modifications,
        **changes,
    )


class FindIncidents(ListQuery[IncidentRow]):
    """Incidents, newest first. Filters left out do not restrict; a search looks for numbers and callers."""

    status: Status | None = None
    group: str | None = None
    priority: int | None = None
    caller: str | None = None
    made_sla: bool | None = None
    opened_at: Range[datetime] | None = None
    search: Annotated[str | None, Search()] = None
    sort: Sort = "-opened_at"


# -- one incident ------------------------------------------------------------------------------------------------------


class TimelineEntry(msgspec.Struct, frozen=True):
    """One thing that happened: when, what, the status from then on, and who did it (if it is known)."""

    at: datetime
    what: str
    status: Status
    by: str | None = None


class IncidentHistory(ReadModel):
    """The rest of an incident's form as it stands, and all that happened to it, oldest first."""

    incident_id: Annotated[str, Key()]
    details: Details
    timeline: list[TimelineEntry]


class IncidentHistories(Projection[IncidentHistory]):
    """Keeps the histories. It takes ``Recorded`` events, because the envelope knows who sent the command."""

    @on
    def opened(self, recorded: Recorded[IncidentOpened] | Recorded[IncidentImported]) -> IncidentHistory:
        """The first entry."""
        event = recorded.event
        what = "opened" if isinstance(event, IncidentOpened) else f"taken over as {event.save.status}"
        return IncidentHistory(incident_id=event.incident_id, details=event.details, timeline=[_entry(recorded, what)])

    @on
    def changed(self, recorded: Recorded[ChangeRecorded], row: IncidentHistory) -> IncidentHistory:
        """What was said replaces what stood there."""
        event = recorded.event
        said = {name: value for name, value in asdict(event.details).items() if value is not UNSET}
        names = ", ".join((*said, *(() if event.caller is UNSET else ("caller",))))
        return replace(
            row,
            details=replace(row.details, **said) if said else row.details,
            timeline=[*row.timeline, _entry(recorded, f"changed {names}" if names else "saved")],
        )

    @on
    def happened(
        self,
        recorded: Recorded[IncidentAssigned]
        | Recorded[PriorityChanged]
        | Recorded[WorkStarted]
        | Recorded[IncidentPutOnHold]
        | Recorded[IncidentResumed]
        | Recorded[IncidentResolved]
        | Recorded[OutcomeCorrected]
        | Recorded[IncidentReopened]
        | Recorded[IncidentClosed]
        | Recorded[SlaMissed]
        | Recorded[StatusLost],
        row: IncidentHistory,
    ) -> IncidentHistory:
        """One more entry."""
        return replace(row, timeline=[*row.timeline, _entry(recorded, in_words(recorded.event))])


def _entry(recorded: Recorded[IncidentEvent], what: str) -> TimelineEntry:
    save = recorded.event.save
    return TimelineEntry(save.at, what, save.status, recorded.metadata.actor)


def in_words(event: IncidentEvent) -> str:
    """What happened, as a person says it."""
    match event:
        case IncidentAssigned():
            return f"assigned to group {event.save.group or '-'}, person {event.person or '-'}"
        case PriorityChanged():
            return f"priority {event.previous_priority} -> {event.priority}"
        case IncidentPutOnHold():
            return f"waits for {event.waiting_for}"
        case IncidentReopened():
            return f"reopened for the {_ordinal(event.reopens)} time"
        case IncidentResolved():
            return f"resolved by {event.resolved_by}" if event.resolved_by else "resolved"
        case IncidentClosed():
            return f"closed with code {event.closed_code}" if event.closed_code else "closed"
        case StatusLost():
            return f"status {event.code}, which nobody knows"
        case _:
            return _WORDS.get(type(event), type(event).__name__)


_WORDS: dict[type[IncidentEvent], str] = {
    WorkStarted: "work started",
    IncidentResumed: "resumed",
    OutcomeCorrected: "outcome corrected",
    SlaMissed: "missed its target",
}


def _ordinal(number: int) -> str:
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number, 'th') }"


class IncidentView(msgspec.Struct, frozen=True):
    """One incident with everything the desk knows of it."""

    incident: IncidentRow
    details: Details
    timeline: list[TimelineEntry]


class GetIncident(Query[IncidentView | None]):
    """One incident, or ``null`` if there is none of that number."""

    incident_id: str


@answers
async def get_incident(
    query: GetIncident, incidents: Reader[IncidentRow], histories: Reader[IncidentHistory]
) -> IncidentView | None:
    """The row of the list and its history, put together."""
    row, history = await incidents.get(query.incident_id), await histories.get(query.incident_id)
    if row is None or history is None:
        return None
    return IncidentView(row, history.details, history.timeline)
