"""From rows of the log to commands: what a person at the desk must have said for the form to change like that.

Reads: log_rows.py, incident_messages.py. Read next: replay.py.

Commands are made from the difference between a row and the one before it in the same case. Nothing of a later row
decides about an earlier command, and the outcome of a case, which the publisher wrote on all of its rows, is used only
from the save on that it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import UNSET

from headwater.servicedesk.incident_messages import (
    SETTLED,
    AskUser,
    AssignIncident,
    ChangePriority,
    CloseIncident,
    CorrectOutcome,
    DeskCommand,
    Details,
    ImportIncident,
    NoteMissedSla,
    OpenIncident,
    RecordChange,
    ReopenIncident,
    ReportLostStatus,
    ResolveIncident,
    ResumeIncident,
    StartWork,
    Status,
    WaitForEvidence,
    WaitForProblem,
    WaitForVendor,
)
from headwater.servicedesk.log_rows import BrokenRow, LogRow


def commands_of(row: LogRow, before: LogRow | None) -> list[DeskCommand]:
    """The commands that lead from the row before (``None`` at the start of a case) to this one, in order.

    Raises ``BrokenRow`` for a change that no command makes, such as a missed target that is met again.
    """
    if before is None:
        return list(_beginning(row))
    return list(_changes(row, before)) or [RecordChange(**_told(row))]


def incident_id_of(case: str) -> str:
    """The number of an incident as the desk writes it: ``INC0000045``."""
    return f"INC{case}"


def _told(row: LogRow) -> dict[str, Any]:
    """What every command of a row says: which incident, when, and the platform's count of saves."""
    return {"incident_id": incident_id_of(row.case), "occurred_at": row.at, "modifications": row.modifications}


def _beginning(row: LogRow) -> Iterator[DeskCommand]:
    form: dict[str, Any] = {
        "opened_at": row.opened_at,
        "caller": row.caller,
        "impact": row.impact,
        "urgency": row.urgency,
        "priority": row.priority,
        "group": row.group,
        "person": row.person,
        "details": Details(**{name: getattr(row, name) for name in Details.__struct_fields__}),
    }
    if row.status == "new" and not row.reassignments and not row.reopens:
        yield OpenIncident(**_told(row), **form)
        if not row.made_sla:
            yield NoteMissedSla(**_told(row))
        return
    # The log begins in the middle of this case.
    yield ImportIncident(
        **_told(row),
        **form,
        status=row.status,
        made_sla=row.made_sla,
        reassignments=row.reassignments,
        reopens=row.reopens,
    )
    yield from _outcome(row, None)


def _changes(row: LogRow, before: LogRow) -> Iterator[DeskCommand]:
    reopened = before.status in SETTLED and row.status not in (before.status, "closed")
    if reopened:
        yield ReopenIncident(**_told(row))
    yield from _assignment(row, before)
    if (row.impact, row.urgency, row.priority) != (before.impact, before.urgency, before.priority):
        yield ChangePriority(**_told(row), impact=row.impact, urgency=row.urgency, priority=row.priority)
    yield from _form(row, before)
    yield from _target(row, before)
    yield from _status(row, "active" if reopened else before.status)
    yield from _outcome(row, before)


def _assignment(row: LogRow, before: LogRow) -> Iterator[DeskCommand]:
    moved = row.group != before.group
    if moved or row.person != before.person:
        yield AssignIncident(**_told(row), group=row.group, person=row.person)
    # More reassignments than the save shows: it went to another group and came back before it was saved.
    for _ in range(row.reassignments - before.reassignments - moved):
        yield AssignIncident(**_told(row), group=row.group, person=row.person, handed_back=True)


def _form(row: LogRow, before: LogRow) -> Iterator[DeskCommand]:
    if row[_FORM] == before[_FORM]:
        return
    changed = {
        name: getattr(row, name) for name in Details.__struct_fields__ if getattr(row, name) != getattr(before, name)
    }
    caller = UNSET if row.caller == before.caller else row.caller
    if changed or caller is not UNSET:
        yield RecordChange(**_told(row), details=Details(**changed), caller=caller)


_FORM = slice(LogRow._fields.index("caller"), LogRow._fields.index("notify") + 1)


def _target(row: LogRow, before: LogRow) -> Iterator[DeskCommand]:
    if row.made_sla == before.made_sla:
        return
    if row.made_sla:
        raise BrokenRow(row.line, "made_sla", "a missed target is met again, which no command does")
    yield NoteMissedSla(**_told(row))


def _status(row: LogRow, old: Status) -> Iterator[DeskCommand]:
    if row.status == old:
        return
    match row.status:
        case "new":
            raise BrokenRow(row.line, "activity", "an incident is new again, which no command does")
        case "active":
            yield StartWork(**_told(row)) if old == "new" else ResumeIncident(**_told(row))
        case "resolved":
            yield ResolveIncident(
                **_told(row),
                resolved_at=row.final_resolved_at if row.knows_resolution else None,
                resolved_by=row.final_resolved_by if row.knows_resolution else None,
            )
        case "closed":
            yield CloseIncident(
                **_told(row),
                closed_code=row.final_closed_code if row.knows_closing else None,
                resolved_by=row.final_resolved_by if row.knows_closing else UNSET,
            )
        case "unrecognised":
            yield ReportLostStatus(**_told(row), code=row.code)
        case waiting:
            yield _WAIT[waiting](**_told(row))


_WAIT: dict[Status, type[DeskCommand]] = {
    "awaiting-user": AskUser,
    "awaiting-vendor": WaitForVendor,
    "awaiting-problem": WaitForProblem,
    "awaiting-evidence": WaitForEvidence,
}


def _outcome(row: LogRow, before: LogRow | None) -> Iterator[DeskCommand]:
    """The outcome, where it became known by a save that did not resolve or close the incident itself."""
    just = row.status if before is not None and before.status != row.status else None
    knew_resolution = before is not None and before.knows_resolution
    knew_closing = before is not None and before.knows_closing
    resolution_is_new = row.knows_resolution and not knew_resolution and just != "resolved"
    closing_is_new = row.knows_closing and not knew_closing and just != "closed"
    if resolution_is_new or closing_is_new:
        yield CorrectOutcome(
            **_told(row),
            resolved_at=row.final_resolved_at if resolution_is_new else UNSET,
            resolved_by=row.final_resolved_by,
            closed_at=row.final_closed_at or UNSET if closing_is_new else UNSET,
            closed_code=row.final_closed_code if closing_is_new else UNSET,
        )
