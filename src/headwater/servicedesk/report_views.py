"""What the desk counts: per group, month, priority and status, and which incidents came back.

Reads: incident_messages.py, incident_views.py. Read next: app.py.

Each counter moves by the event alone, because the events carry what it needs: the group before and after, the status
before and after, the priority before and after. No projection looks into another one's rows.
"""

from __future__ import annotations

from datetime import datetime
from statistics import median
from typing import Annotated

import msgspec
from msgspec.structs import replace

from headwater import Indexed, Key, Page, PageRequest, Projection, Query, Reader, ReadModel, Sort, answers, on
from headwater.servicedesk.incident_messages import (
    SETTLED,
    ChangeRecorded,
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
    Save,
    SlaMissed,
    Status,
    StatusLost,
    WorkStarted,
)
from headwater.servicedesk.incident_views import IncidentRow

_SECONDS_A_MINUTE = 60

# -- per group ---------------------------------------------------------------------------------------------------------


class GroupRow(ReadModel):
    """What a group has, ``assigned`` and of that ``open_now``, and what it ever ``received`` and ``resolved``."""

    group: Annotated[str, Key()]
    assigned: Annotated[int, Indexed()] = 0
    open_now: int = 0
    received: int = 0
    resolved: int = 0


def _group(save: Save) -> list[str]:
    return [] if save.group is None else [save.group]


def _groups_touched(event: IncidentAssigned) -> list[str]:
    if event.previous_group == event.save.group:
        return []
    return [group for group in (event.previous_group, event.save.group) if group is not None]


class GroupLoads(Projection[GroupRow]):
    """Keeps the workload. Incidents without a group have no row."""

    @on(key=lambda event: _group(event.save))
    def opened(self, event: IncidentOpened | IncidentImported, row: GroupRow | None) -> GroupRow:
        """One more, for the group that has it from the start."""
        return _received(row or GroupRow(group=event.save.group or ""), event.save)

    @on(key=_groups_touched)
    def assigned(self, event: IncidentAssigned, row: GroupRow | None) -> GroupRow:
        """Called once for each of the two groups: one has it from now on, the other no longer."""
        if row is None:
            row = GroupRow(group=event.save.group or "")
        if row.group == event.save.group:
            return _received(row, event.save)
        is_open = event.save.status not in SETTLED
        return replace(row, assigned=row.assigned - 1, open_now=row.open_now - is_open)

    @on(key=lambda event: _group(event.save))
    def settled(self, event: IncidentResolved | IncidentClosed | IncidentReopened, row: GroupRow) -> GroupRow:
        """Open or not any more, for the group that has it."""
        save = event.save
        change = (save.status not in SETTLED) - (save.previous_status not in SETTLED)
        return replace(row, open_now=row.open_now + change, resolved=row.resolved + isinstance(event, IncidentResolved))


def _received(row: GroupRow, save: Save) -> GroupRow:
    is_open = save.status not in SETTLED
    return replace(row, assigned=row.assigned + 1, open_now=row.open_now + is_open, received=row.received + 1)


class GroupWorkload(Query[list[GroupRow]]):
    """The groups that have the most incidents now, at most ``limit``."""

    limit: int = 20


@answers
async def group_workload(query: GroupWorkload, groups: Reader[GroupRow]) -> list[GroupRow]:
    """The busiest first."""
    page = await groups.sort("-assigned,group").page(PageRequest(size=query.limit))
    return list(page.items)


# -- per month ---------------------------------------------------------------------------------------------------------


class MonthRow(ReadModel):
    """What happened in a month (``2016-03``)."""

    month: Annotated[str, Key()]
    opened: int = 0
    resolved: int = 0
    reopened: int = 0
    closed: int = 0


class MonthVolumes(Projection[MonthRow]):
    """Keeps the volumes."""

    @on(key=lambda event: _month(event.opened_at))
    def opened(self, event: IncidentOpened | IncidentImported, row: MonthRow | None) -> MonthRow:
        """Counted when it was opened, which is not always when the desk first saved it."""
        row = row or MonthRow(month=_month(event.opened_at))
        return replace(row, opened=row.opened + 1)

    @on(key=lambda event: _month(event.save.at))
    def moved(self, event: IncidentResolved | IncidentReopened | IncidentClosed, row: MonthRow | None) -> MonthRow:
        """Counted when it was saved."""
        row = row or MonthRow(month=_month(event.save.at))
        match event:
            case IncidentResolved():
                return replace(row, resolved=row.resolved + 1)
            case IncidentReopened():
                return replace(row, reopened=row.reopened + 1)
            case IncidentClosed():
                return replace(row, closed=row.closed + 1)


def _month(moment: datetime) -> str:
    return f"{moment.year:04}-{moment.month:02}"


class MonthlyVolume(Query[list[MonthRow]]):
    """What was opened, resolved, reopened and closed, month by month."""


@answers
async def monthly_volume(_query: MonthlyVolume, months: Reader[MonthRow]) -> list[MonthRow]:
    """The oldest month first."""
    return [row async for row in months.sort("month").stream()]


# -- per priority ------------------------------------------------------------------------------------------------------


class SlaRow(ReadModel):
    """How many incidents have a priority now, and how many of them missed their target."""

    priority: Annotated[int, Key()]
    incidents: int = 0
    missed: int = 0


def _priorities_touched(event: PriorityChanged) -> list[int]:
    return [] if event.previous_priority == event.priority else [event.previous_priority, event.priority]


class SlaCounts(Projection[SlaRow]):
    """Keeps the counts; they move along when an incident gets another priority."""

    @on(key=lambda event: event.priority)
    def opened(self, event: IncidentOpened, row: SlaRow | None) -> SlaRow:
        """One more that may still be done in time."""
        row = row or SlaRow(priority=event.priority)
        return replace(row, incidents=row.incidents + 1)

    @on(key=lambda event: event.priority)
    def imported(self, event: IncidentImported, row: SlaRow | None) -> SlaRow:
        """One more, perhaps late already."""
        row = row or SlaRow(priority=event.priority)
        return replace(row, incidents=row.incidents + 1, missed=row.missed + (not event.made_sla))

    @on(key=_priorities_touched)
    def judged(self, event: PriorityChanged, row: SlaRow | None) -> SlaRow:
        """Called once for each of the two priorities."""
        row = row or SlaRow(priority=event.priority)
        change = 1 if row.priority == event.priority else -1
        missed = row.missed if event.made_sla else row.missed + change
        return replace(row, incidents=row.incidents + change, missed=missed)

    @on(key=lambda event: event.priority)
    def missed(self, _event: SlaMissed, row: SlaRow) -> SlaRow:
        """One of them is late."""
        return replace(row, missed=row.missed + 1)


class SlaReport(Query[list[SlaRow]]):
    """How well the promises were kept, per priority."""


@answers
async def sla_report(_query: SlaReport, counts: Reader[SlaRow]) -> list[SlaRow]:
    """The most urgent first."""
    return [row async for row in counts.sort("priority").stream()]


# -- per status --------------------------------------------------------------------------------------------------------


class StatusRow(ReadModel):
    """How many incidents are in a status now, and how many saves of the form ever ended in it."""

    status: Annotated[Status, Key()]
    incidents: int = 0
    saves: int = 0


class StatusCounts(Projection[StatusRow]):
    """Keeps the counts. A save counts where it ends, even if it went through several statuses."""

    @on(key=lambda event: _statuses_touched(event.save))
    def saved(
        self,
        event: IncidentOpened
        | IncidentImported
        | IncidentAssigned
        | PriorityChanged
        | WorkStarted
        | IncidentPutOnHold
        | IncidentResumed
        | IncidentResolved
        | OutcomeCorrected
        | IncidentReopened
        | IncidentClosed
        | SlaMissed
        | ChangeRecorded
        | StatusLost,
        row: StatusRow | None,
    ) -> StatusRow:
        """Called for the status from now on, and for the one before if it is another."""
        save = event.save
        row = row or StatusRow(status=save.status)
        if row.status == save.status:
            arrived = save.previous_status != save.status
            counted = save.first or arrived
            return replace(row, incidents=row.incidents + arrived, saves=row.saves + counted)
        return replace(row, incidents=row.incidents - 1, saves=row.saves - (not save.first))


def _statuses_touched(save: Save) -> list[Status]:
    if save.previous_status == save.status:
        return [save.status] if save.first else []
    return [save.status] if save.previous_status is None else [save.previous_status, save.status]


class StatusOverview(Query[list[StatusRow]]):
    """How many incidents are in each status, and how busy each status was."""


@answers
async def status_overview(_query: StatusOverview, statuses: Reader[StatusRow]) -> list[StatusRow]:
    """In the order of their names."""
    return [row async for row in statuses.sort("status").stream()]


# -- what came back ----------------------------------------------------------------------------------------------------


class ReopenedRow(ReadModel):
    """An incident whose solution did not hold: how often, when last, and who had it then."""

    incident_id: Annotated[str, Key()]
    reopens: Annotated[int, Indexed()]
    reopened_at: Annotated[datetime, Indexed()]
    group: str | None
    priority: int


class ReopenedList(Projection[ReopenedRow]):
    """Keeps the list. An import brings along how often an incident came back before."""

    @on
    def imported(self, event: IncidentImported) -> ReopenedRow | None:
        """Only if it came back before."""
        return _reopened(event, event.reopens, event.priority) if event.reopens else None

    @on
    def reopened(self, event: IncidentReopened) -> ReopenedRow:
        """The newest facts replace the older ones."""
        return _reopened(event, event.reopens, event.priority)


def _reopened(event: IncidentEvent, reopens: int, priority: int) -> ReopenedRow:
    return ReopenedRow(
        incident_id=event.incident_id,
        reopens=reopens,
        reopened_at=event.save.at,
        group=event.save.group,
        priority=priority,
    )


class ReopenedIncidents(Query[Page[ReopenedRow]]):
    """Incidents that came back, the most often reopened first."""

    sort: Sort = "-reopens"
    page: PageRequest = PageRequest(size=50)


@answers
async def reopened_incidents(query: ReopenedIncidents, reopened: Reader[ReopenedRow]) -> Page[ReopenedRow]:
    """One page of the list."""
    return await reopened.sort(query.sort).page(query.page)


# -- sums over all of them ---------------------------------------------------------------------------------------------


class DeskSummary(msgspec.Struct, frozen=True):
    """Sums over all incidents as they stand."""

    incidents: int
    longest_case: int
    reassignments: int
    modifications: int
    with_resolution: int
    reassigned: int
    not_found_new: int
    missed_sla: int
    late_saves: int
    callers: int
    negative_resolve_times: int
    median_minutes_to_resolve: int


class SummariseDesk(Query[DeskSummary]):
    """Sums over all incidents: how many, how long, how often handed on."""


@answers
async def summarise_desk(_query: SummariseDesk, incidents: Reader[IncidentRow]) -> DeskSummary:
    """One pass over the list. No caller counts as a caller, because the platform has one without a name."""
    rows = [row async for row in incidents.stream()]
    minutes = [
        (row.resolved_at - row.opened_at).total_seconds() / _SECONDS_A_MINUTE
        for row in rows
        if row.resolved_at is not None
    ]
    return DeskSummary(
        incidents=len(rows),
        longest_case=max((row.saves for row in rows), default=0),
        reassignments=sum(row.reassignments for row in rows),
        modifications=sum(row.modifications for row in rows),
        with_resolution=len(minutes),
        reassigned=sum(row.reassignments > 0 for row in rows),
        not_found_new=sum(row.found_in not in (None, "new") for row in rows),
        missed_sla=sum(not row.made_sla for row in rows),
        late_saves=sum(row.late_saves for row in rows),
        callers=len({row.caller for row in rows}),
        negative_resolve_times=sum(taken < 0 for taken in minutes),
        median_minutes_to_resolve=int(median(minutes)) if minutes else 0,
    )
