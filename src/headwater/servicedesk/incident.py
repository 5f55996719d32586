"""An incident on a service desk, the model example of an aggregate: its state, and the decisions on it.

Reads: incident_messages.py (events and commands). Read next: incident_views.py (what is shown of it).

The rules accept what real desks do: a new incident may be closed at once, a closed one reopened, a resolved one wait
for its caller again. They refuse what makes no sense: to resolve what is closed, to open twice, to change nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec import UNSET, UnsetType

from headwater import Aggregate, Now, Refused, decide, evolve
from headwater.servicedesk.incident_messages import (
    SETTLED,
    WAITING,
    AskUser,
    AssignIncident,
    ChangePriority,
    ChangeRecorded,
    CloseIncident,
    CorrectOutcome,
    DeskCommand,
    ImportIncident,
    IncidentAssigned,
    IncidentClosed,
    IncidentId,
    IncidentImported,
    IncidentOpened,
    IncidentPutOnHold,
    IncidentReopened,
    IncidentResolved,
    IncidentResumed,
    NoteMissedSla,
    OpenIncident,
    OutcomeCorrected,
    PriorityChanged,
    RecordChange,
    ReopenIncident,
    ReportLostStatus,
    ResolveIncident,
    ResumeIncident,
    Save,
    SlaMissed,
    StartWork,
    Status,
    StatusLost,
    WaitForEvidence,
    WaitForProblem,
    WaitForVendor,
    WaitingFor,
    WorkStarted,
)

# -- when a command is on offer: true, or the reason why not -----------------------------------------------------------


def exists(incident: Incident) -> bool | str:
    """Most commands need an incident."""
    return incident.status is not None or f"there is no incident {incident.incident_id}; open it first"


def is_unknown(incident: Incident) -> bool:
    """A number is given to one incident."""
    if incident.status is None:
        return True
    raise Refused("incident-exists", f"incident {incident.incident_id} is already {incident.status}")


def is_new(incident: Incident) -> bool | str:
    """Work begins once."""
    if (known := exists(incident)) is not True:
        return known
    return incident.status == "new" or f"incident {incident.incident_id} is {incident.status}, not new"


def is_open(incident: Incident) -> bool | str:
    """Work needs an incident that is neither resolved nor closed."""
    if incident.status in SETTLED:
        return f"incident {incident.incident_id} is {incident.status}; reopen it first"
    return exists(incident)


def is_settled(incident: Incident) -> bool | str:
    """To reopen or to correct the outcome needs one."""
    if (known := exists(incident)) is not True:
        return known
    return incident.status in SETTLED or f"incident {incident.incident_id} is {incident.status}, not resolved or closed"


def is_waiting(incident: Incident) -> bool | str:
    """Only what waits, or shows a status nobody knows, can be resumed."""
    if (known := is_open(incident)) is not True:
        return known
    return incident.status not in ("new", "active") or f"incident {incident.incident_id} does not wait for anything"


def is_not_closed(incident: Incident) -> bool | str:
    """An incident is closed once."""
    if incident.status == "closed":
        return f"incident {incident.incident_id} is already closed"
    return exists(incident)


def keeps_its_promise(incident: Incident) -> bool | str:
    """A target is missed once."""
    if not incident.made_sla:
        return f"incident {incident.incident_id} has missed its target already"
    return exists(incident)


def can_wait_for(what: WaitingFor) -> Callable[[Incident], bool | str]:
    """Work that goes on can wait; what waits for the same already cannot."""

    def can_wait(incident: Incident) -> bool | str:
        if incident.status == WAITING[what]:
            return f"incident {incident.incident_id} already waits for the {what}"
        return is_open(incident)

    return can_wait


# -- state and decisions -----------------------------------------------------------------------------------------------


class Incident(Aggregate):
    """One incident. Its boundary is every event tagged ``incident:<id>``."""

    incident_id: IncidentId
    status: Status | None = None
    group: str | None = None
    person: str | None = None
    impact: int = 0
    urgency: int = 0
    priority: int = 0
    made_sla: bool = True
    reopens: int = 0
    saves: int = 0
    modifications: int = -1
    saved_at: datetime | None = None

    # How each event changes the state.

    @evolve
    def opened(self, event: IncidentOpened | IncidentImported) -> None:
        """It begins as it was reported or found."""
        self._saved(event.save)
        self.person = event.person
        self.impact, self.urgency, self.priority = event.impact, event.urgency, event.priority
        if isinstance(event, IncidentImported):
            self.made_sla, self.reopens = event.made_sla, event.reopens

    @evolve
    def assigned(self, event: IncidentAssigned) -> None:
        """Who has it; the group is in the save."""
        self._saved(event.save)
        self.person = event.person

    @evolve
    def judged(self, event: PriorityChanged) -> None:
        """How urgent it is."""
        self._saved(event.save)
        self.impact, self.urgency, self.priority = event.impact, event.urgency, event.priority

    @evolve
    def reopened(self, event: IncidentReopened) -> None:
        """How often it came back."""
        self._saved(event.save)
        self.reopens = event.reopens

    @evolve
    def sla_missed(self, event: SlaMissed) -> None:
        """The target was missed once and for all."""
        self._saved(event.save)
        self.made_sla = False

    @evolve
    def moved_on(
        self,
        event: WorkStarted
        | IncidentPutOnHold
        | IncidentResumed
        | IncidentResolved
        | OutcomeCorrected
        | IncidentClosed
        | ChangeRecorded
        | StatusLost,
    ) -> None:
        """Of these only the save matters for later decisions."""
        self._saved(event.save)

    # What follows from each command.

    @decide(when=is_unknown)
    def open(self, command: OpenIncident, now: Now) -> IncidentOpened:
        """A new incident, unless the number is taken."""
        save = self._save(command, now, status="new", group=command.group)
        return IncidentOpened(
            incident_id=self.incident_id,
            save=save,
            opened_at=command.opened_at or save.at,
            caller=command.caller,
            impact=command.impact,
            urgency=command.urgency,
            priority=command.priority or priority_of(command.impact, command.urgency),
            person=command.person,
            details=command.details,
        )

    @decide(when=is_unknown)
    def take_over(self, command: ImportIncident, now: Now) -> IncidentImported:
        """The incident as it was found, unless the number is taken."""
        save = self._save(command, now, status=command.status, group=command.group)
        return IncidentImported(
            incident_id=self.incident_id,
            save=save,
            opened_at=command.opened_at or save.at,
            caller=command.caller,
            impact=command.impact,
            urgency=command.urgency,
            priority=command.priority or priority_of(command.impact, command.urgency),
            person=command.person,
            details=command.details,
            made_sla=command.made_sla,
            reassignments=command.reassignments,
            reopens=command.reopens,
        )

    @decide(when=exists)
    def assign(self, command: AssignIncident, now: Now) -> IncidentAssigned:
        """A reassignment counts when the group changes, or when the incident went away and came back."""
        moved = command.group != self.group
        if not moved and command.person == self.person and not command.handed_back:
            raise Refused("nothing-changes", f"incident {self.incident_id} is assigned like that already")
        return IncidentAssigned(
            incident_id=self.incident_id,
            save=self._save(command, now, group=command.group),
            previous_group=self.group,
            person=command.person,
            reassigned=moved or command.handed_back,
        )

    @decide(when=exists)
    def judge(self, command: ChangePriority, now: Now) -> PriorityChanged:
        """The new priority, with the old one for whoever counts incidents per priority."""
        priority = command.priority or priority_of(command.impact, command.urgency)
        if (command.impact, command.urgency, priority) == (self.impact, self.urgency, self.priority):
            raise Refused("nothing-changes", f"incident {self.incident_id} is judged like that already")
        return PriorityChanged(
            incident_id=self.incident_id,
            save=self._save(command, now),
            impact=command.impact,
            urgency=command.urgency,
            priority=priority,
            previous_priority=self.priority,
            made_sla=self.made_sla,
        )

    @decide(when=is_new)
    def start_work(self, command: StartWork, now: Now) -> WorkStarted:
        """A new incident becomes an active one."""
        return WorkStarted(incident_id=self.incident_id, save=self._save(command, now, status="active"))

    @decide(when=can_wait_for("user"))
    def ask_user(self, command: AskUser, now: Now) -> IncidentPutOnHold:
        """It waits for its caller."""
        return self._put_on_hold("user", command, now)

    @decide(when=can_wait_for("vendor"))
    def wait_for_vendor(self, command: WaitForVendor, now: Now) -> IncidentPutOnHold:
        """It waits for a supplier."""
        return self._put_on_hold("vendor", command, now)

    @decide(when=can_wait_for("problem"))
    def wait_for_problem(self, command: WaitForProblem, now: Now) -> IncidentPutOnHold:
        """It waits for the solution of a problem."""
        return self._put_on_hold("problem", command, now)

    @decide(when=can_wait_for("evidence"))
    def wait_for_evidence(self, command: WaitForEvidence, now: Now) -> IncidentPutOnHold:
        """It waits until it shows itself again."""
        return self._put_on_hold("evidence", command, now)

    @decide(when=is_waiting)
    def resume(self, command: ResumeIncident, now: Now) -> IncidentResumed:
        """What waited is active again."""
        return IncidentResumed(incident_id=self.incident_id, save=self._save(command, now, status="active"))

    @decide(when=is_open)
    def resolve(self, command: ResolveIncident, now: Now) -> IncidentResolved:
        """A solution for what is open, whether somebody had begun to work on it or not."""
        save = self._save(command, now, status="resolved")
        return IncidentResolved(
            incident_id=self.incident_id,
            save=save,
            resolved_at=save.at if command.resolved_at is UNSET else command.resolved_at,
            resolved_by=command.resolved_by,
        )

    @decide(when=is_settled)
    def correct_outcome(self, command: CorrectOutcome, now: Now) -> OutcomeCorrected:
        """Other words about a resolution or a closing that stands."""
        return OutcomeCorrected(
            incident_id=self.incident_id,
            save=self._save(command, now),
            resolved_at=command.resolved_at,
            resolved_by=command.resolved_by,
            closed_at=command.closed_at,
            closed_code=command.closed_code,
        )

    @decide(when=is_settled)
    def reopen(self, command: ReopenIncident, now: Now) -> IncidentReopened:
        """What was resolved or closed is active again."""
        return IncidentReopened(
            incident_id=self.incident_id,
            save=self._save(command, now, status="active"),
            reopens=self.reopens + 1,
            priority=self.priority,
        )

    @decide(when=is_not_closed)
    def close(self, command: CloseIncident, now: Now) -> IncidentClosed:
        """The end, also for what was never resolved: callers withdraw what they reported."""
        save = self._save(command, now, status="closed")
        return IncidentClosed(
            incident_id=self.incident_id,
            save=save,
            closed_at=save.at,
            closed_code=command.closed_code,
            resolved_by=command.resolved_by,
        )

    @decide(when=keeps_its_promise)
    def note_missed_sla(self, command: NoteMissedSla, now: Now) -> SlaMissed:
        """The target is missed; the desk often sees it only when it closes the incident."""
        return SlaMissed(incident_id=self.incident_id, save=self._save(command, now), priority=self.priority)

    @decide(when=exists)
    def record_change(self, command: RecordChange, now: Now) -> ChangeRecorded:
        """Anything else that was saved; also on a closed incident."""
        return ChangeRecorded(
            incident_id=self.incident_id,
            save=self._save(command, now),
            details=command.details,
            caller=command.caller,
        )

    @decide(when=is_open)
    def lose_status(self, command: ReportLostStatus, now: Now) -> StatusLost:
        """From an unrecognised status every open way leads on."""
        save = self._save(command, now, status="unrecognised")
        return StatusLost(incident_id=self.incident_id, save=save, code=command.code)

    # What several decisions share.

    def _put_on_hold(self, what: WaitingFor, command: DeskCommand, now: datetime) -> IncidentPutOnHold:
        save = self._save(command, now, status=WAITING[what])
        return IncidentPutOnHold(incident_id=self.incident_id, save=save, waiting_for=what)

    def _save(
        self,
        command: DeskCommand,
        now: datetime,
        *,
        status: Status | None = None,
        group: str | UnsetType | None = UNSET,
    ) -> Save:
        """The save a command is part of: commands with the same time and count belong to one save of the form."""
        at = command.occurred_at or desk_time(now)
        modifications = self.modifications + 1 if command.modifications is None else command.modifications
        first = modifications != self.modifications or at != self.saved_at
        return Save(
            at=at,
            number=self.saves + first,
            modifications=modifications,
            first=first,
            status=status or self.status or "new",
            previous_status=self.status,
            group=self.group if group is UNSET else group,
        )

    def _saved(self, save: Save) -> None:
        self.status, self.group = save.status, save.group
        self.saves, self.modifications, self.saved_at = save.number, save.modifications, save.at


def priority_of(impact: int, urgency: int) -> int:
    """The desk's table: both high is critical (1), one high and one medium is high (2), and so on down to low (4)."""
    return min(impact + urgency - 1, 4)


def desk_time(moment: datetime) -> datetime:
    """A moment as the desk writes it down: to the minute, without a zone (a live desk writes UTC)."""
    return moment.replace(second=0, microsecond=0, tzinfo=None)
