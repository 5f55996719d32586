"""The service desk, put together: every part is named, nothing is discovered. Reads: all of the above.

Try it: ``headwater serve headwater.servicedesk.app:app``, or ``headwater demo``.
"""

from __future__ import annotations

from headwater import App
from headwater.servicedesk.incident import Incident
from headwater.servicedesk.incident_views import FindIncidents, IncidentHistories, Incidents, get_incident
from headwater.servicedesk.report_views import (
    GroupLoads,
    MonthVolumes,
    ReopenedList,
    SlaCounts,
    StatusCounts,
    group_workload,
    monthly_volume,
    reopened_incidents,
    sla_report,
    status_overview,
    summarise_desk,
)

app = App(
    "servicedesk",
    Incident,
    # What is shown of incidents.
    Incidents,
    IncidentHistories,
    FindIncidents,
    get_incident,
    # What is counted.
    GroupLoads,
    MonthVolumes,
    SlaCounts,
    StatusCounts,
    ReopenedList,
    group_workload,
    monthly_volume,
    sla_report,
    status_overview,
    reopened_incidents,
    summarise_desk,
)
