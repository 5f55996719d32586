"""What is said about an incident: its identity, the events that happen to it, the commands the desk gives.

Reads: nothing of the desk. Read next: incident.py (who decides).

All times are the desk's local time without a zone, as the desk writes them down.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from headwater import Command, Event, Tag

# -- identity and vocabulary -------------------------------------------------------------------------------------------

IncidentId = Annotated[str, Tag("incident"), Meta(min_length=1, max_length=40)]
DeskTime = Annotated[datetime, Meta(tz=False)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
Count = Annotated[int, Meta(ge=0)]
Level = Annotated[int, Meta(ge=1, le=3)]
"""1 is high, 3 is low."""
Priority = Annotated[int, Meta(ge=1, le=4)]
"""1 is critical, 4 is low."""
WaitingFor = Literal["user", "vendor", "problem", "evidence"]
Status = Literal[
    "new",
    "active",
    "awaiting-user",
    "awaiting-vendor",
    "awaiting-problem",
    "awaiting-evidence",
    "resolved",
    "closed",
    "unrecognised",
]

WAITING: dict[WaitingFor, Status] = {
    "user": "awaiting-user",
    "vendor": "awaiting-vendor",
    "problem": "awaiting-problem",
    "evidence": "awaiting-evidence",
}
SETTLED: frozenset[Status] = frozenset({"resolved", "closed"})
"""The statuses in which nobody has to work on an incident; in all others it is open."""


class Details(msgspec.Struct, frozen=True):
    """The rest of the form: kept and shown, but no rule depends on it. What is left out was not said."""

    opened_by: Text | UnsetType | None = UNSET
    contact_type: Text | UnsetType | None = UNSET
    location: Text | UnsetType | None = UNSET
    category: Text | UnsetType | None = UNSET
    subcategory: Text | UnsetType | None = UNSET
    symptom: Text | UnsetType | None = UNSET
    notify: Text | UnsetType | None = UNSET
    knowledge: bool | UnsetType = UNSET
    priority_confirmed: bool | UnsetType = UNSET


class Save(msgspec.Struct, frozen=True):
    """The save of the form that an event is part of, and where it leaves the incident.

    ``number`` counts the saves of this incident from 1, ``modifications`` is the platform's own count, which also
    counts saves that were never logged. ``first`` marks the first event of a save, so that saves can be counted.
    ``status`` and ``group`` are those from this event on; counters per status or group need no other event for them.
    """

    at: DeskTime
    number: int
    modifications: int
    first: bool
    status: Status
    previous_status: Status | None
    group: str | None


# -- events ------------------------------------------------------------------------------------------------------------


class IncidentEvent(Event):
    """What every event of an incident says: which one, and the save it is part of."""

    incident_id: IncidentId
    save: Save


class IncidentOpened(IncidentEvent):
    """A caller reported an incident."""

    opened_at: DeskTime
    caller: str | None
    impact: int
    urgency: int
    priority: int
    person: str | None
    details: Details


class IncidentImported(IncidentEvent):
    """An incident was taken over in the middle of its life, as it was found."""

    opened_at: DeskTime
    caller: str | None
    impact: int
    urgency: int
    priority: int
    person: str | None
    details: Details
    made_sla: bool
    reassignments: int
    reopens: int


class IncidentAssigned(IncidentEvent):
    """A person of the group, or another group, has it. ``reassigned`` if it went to a group, even back to the same."""

    previous_group: str | None
    person: str | None
    reassigned: bool


class PriorityChanged(IncidentEvent):
    """Impact, urgency, and the priority that follows from them, changed."""

    impact: int
    urgency: int
    priority: int
    previous_priority: int
    made_sla: bool


class WorkStarted(IncidentEvent):
    """Somebody began to work on a new incident."""


class IncidentPutOnHold(IncidentEvent):
    """Work waits for somebody or something."""

    waiting_for: WaitingFor


class IncidentResumed(IncidentEvent):
    """Work goes on after a wait."""


class IncidentResolved(IncidentEvent):
    """The desk found a solution. ``resolved_at`` is what the desk wrote down, ``None`` if it wrote nothing."""

    resolved_at: DeskTime | None
    resolved_by: str | None


class OutcomeCorrected(IncidentEvent):
    """What was written down about the resolution or the closing was replaced; what is left out stays."""

    resolved_at: DeskTime | UnsetType | None = UNSET
    resolved_by: str | UnsetType | None = UNSET
    closed_at: DeskTime | UnsetType = UNSET
    closed_code: str | UnsetType | None = UNSET


class IncidentReopened(IncidentEvent):
    """The solution did not hold; work goes on. ``reopens`` counts the times."""

    reopens: int
    priority: int


class IncidentClosed(IncidentEvent):
    """The incident is over."""

    closed_at: DeskTime
    closed_code: str | None
    resolved_by: str | UnsetType | None = UNSET


class SlaMissed(IncidentEvent):
    """The incident took longer than was promised."""

    priority: int


class ChangeRecorded(IncidentEvent):
    """Another change of the form, or a save of something the log does not show."""

    details: Details = Details()
    caller: str | UnsetType | None = UNSET


class StatusLost(IncidentEvent):
    """The platform showed a state that nobody knows the meaning of."""

    code: str


# -- commands ----------------------------------------------------------------------------------------------------------


class DeskCommand(Command):
    """What every command says: which incident, and if it is told afterwards, when and with which count of saves.

    Left out, ``occurred_at`` is now and ``modifications`` is one more than before.
    """

    incident_id: IncidentId
    occurred_at: DeskTime | None = None
    modifications: Count | None = None


class OpenIncident(DeskCommand):
    """A caller reports an incident. The priority follows from impact and urgency unless it is given."""

    caller: Text | None = None
    impact: Level = 2
    urgency: Level = 2
    priority: Priority | None = None
    group: Text | None = None
    person: Text | None = None
    details: Details = Details()
    opened_at: DeskTime | None = None


class ImportIncident(OpenIncident):
    """Take over an incident whose beginning is not known, in the state it is found in."""

    status: Status
    made_sla: bool = True
    reassignments: Count = 0
    reopens: Count = 0


class AssignIncident(DeskCommand):
    """Give the incident to a group, a person of it, or both. ``handed_back`` if it went away and came back at once."""

    group: Text | None
    person: Text | None = None
    handed_back: bool = False


class ChangePriority(DeskCommand):
    """Judge impact and urgency anew. The priority follows from them unless it is given."""

    impact: Level
    urgency: Level
    priority: Priority | None = None


class StartWork(DeskCommand):
    """Begin to work on a new incident."""


class AskUser(DeskCommand):
    """Wait for an answer of the caller."""


class WaitForVendor(DeskCommand):
    """Wait for a supplier."""


class WaitForProblem(DeskCommand):
    """Wait until the underlying problem is solved."""


class WaitForEvidence(DeskCommand):
    """Wait until the incident shows itself again."""


class ResumeIncident(DeskCommand):
    """Go on with the work after a wait."""


class ResolveIncident(DeskCommand):
    """Say that the solution is found. ``resolved_at`` left out is the time of the command, ``null`` is not known."""

    resolved_at: DeskTime | UnsetType | None = UNSET
    resolved_by: Text | None = None


class CorrectOutcome(DeskCommand):
    """Replace what was written down when the incident was resolved or closed. What is left out stays."""

    resolved_at: DeskTime | UnsetType | None = UNSET
    resolved_by: Text | UnsetType | None = UNSET
    closed_at: DeskTime | UnsetType = UNSET
    closed_code: Text | UnsetType | None = UNSET


class ReopenIncident(DeskCommand):
    """Go on with an incident that was resolved or closed."""


class CloseIncident(DeskCommand):
    """Put an end to the incident; usually some days after it was resolved, but nobody is forced to."""

    closed_code: Text | None = None
    resolved_by: Text | UnsetType | None = UNSET


class NoteMissedSla(DeskCommand):
    """Note that the promised time has passed."""


class RecordChange(DeskCommand):
    """Change anything else on the form. Without any field it records that something was saved."""

    caller: Text | UnsetType | None = UNSET
    details: Details = Details()


class ReportLostStatus(DeskCommand):
    """Note that the platform shows a state that nobody knows."""

    code: Text
