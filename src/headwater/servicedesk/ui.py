"""How the service desk is shown to people: a few words where the names alone would not do. Reads: app.py.

Try it: ``headwater serve headwater.servicedesk:app --ui headwater.servicedesk.ui:ui``, or ``headwater demo --serve``.
"""

from __future__ import annotations

from headwater.messages import Command
from headwater.servicedesk.incident_messages import (
    AssignIncident,
    ChangePriority,
    CloseIncident,
    ImportIncident,
    NoteMissedSla,
    OpenIncident,
    RecordChange,
    ReportLostStatus,
    ResolveIncident,
)
from headwater.servicedesk.incident_views import FindIncidents, GetIncident
from headwater.servicedesk.report_views import GroupWorkload, SlaReport, SummariseDesk
from headwater.ui import Show, TaskUi

_TOLD_AFTERWARDS: tuple[type[Command], ...] = (ImportIncident, ReportLostStatus)
"""What only the replay of an old log says."""

ui = TaskUi(
    title="Service desk",
    show={
        FindIncidents: Show(
            columns=["incident_id", "status", "priority", "group", "person", "caller", "opened_at", "made_sla"],
            labels={"search": "Number or caller"},
        ),
        GetIncident: Show(help="", labels={"modifications": "Modifications"}),
        SlaReport: Show(title="Promises kept"),
        GroupWorkload: Show(labels={"limit": "How many groups"}),
        SummariseDesk: Show(title="Summary"),
        OpenIncident: Show(fields=["incident_id", "caller", "impact", "urgency", "group", "person", "details"]),
        AssignIncident: Show(fields=["incident_id", "group", "person", "handed_back"]),
        ChangePriority: Show(fields=["incident_id", "impact", "urgency"]),
        ResolveIncident: Show(fields=["incident_id", "resolved_by"]),
        CloseIncident: Show(fields=["incident_id", "closed_code"]),
        NoteMissedSla: Show(title="Note a missed target"),
        RecordChange: Show(fields=["incident_id", "caller", "details"]),
    },
    hide=_TOLD_AFTERWARDS,
    labels={"made_sla": "In time", "occurred_at": "When (if not now)", "missed_sla": "Missed target"},
)
