"""The figures of a desk, read from its read models through its queries; none is counted from the log it came from.

Reads: report_views.py. Read next: expected.py (the same figures, counted from the raw rows).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from headwater import Page, PageRequest, Runtime
from headwater.servicedesk.log_rows import STATUS_OF
from headwater.servicedesk.report_views import (
    GroupWorkload,
    MonthlyVolume,
    ReopenedIncidents,
    ReopenedRow,
    SlaReport,
    StatusOverview,
    SummariseDesk,
)

_TOP_GROUPS = 10
_PAGE = 500
_PLATFORM_NAME = {status: name for name, status in STATUS_OF.items()}


async def read_figures(desk: Runtime) -> dict[str, Any]:
    """The figures under the names that the truth file gives them."""
    summary = await desk.ask(SummariseDesk())
    statuses = await desk.ask(StatusOverview())
    months = await desk.ask(MonthlyVolume())
    priorities = await desk.ask(SlaReport())
    groups = await desk.ask(GroupWorkload(limit=_TOP_GROUPS))
    reopens = Counter([row.reopens async for row in _reopened(desk)])
    reopens[0] = summary.incidents - reopens.total()
    return {
        "cases": summary.incidents,
        "events": sum(row.saves for row in statuses),
        "longest_case": summary.longest_case,
        "rows_per_state": {_PLATFORM_NAME[row.status]: row.saves for row in statuses if row.saves},
        "last_state": {_PLATFORM_NAME[row.status]: row.incidents for row in statuses if row.incidents},
        "opened_per_month": {row.month: row.opened for row in months if row.opened},
        "last_priority": {str(row.priority): row.incidents for row in priorities if row.incidents},
        "reopen_count_at_end": {str(count): reopens[count] for count in sorted(reopens) if reopens[count]},
        "figures": {
            "reassignments (sum of last values)": summary.reassignments,
            "modifications (sum of last values)": summary.modifications,
            "has resolved_at": summary.with_resolution,
            "reassigned at least once": summary.reassigned,
            "first row is not New": summary.not_found_new,
            "SLA missed": sum(row.missed for row in priorities),
            "rows not in time order": summary.late_saves,
        },
        "median_minutes_to_resolve": summary.median_minutes_to_resolve,
        "negative_resolve_times": summary.negative_resolve_times,
        "top_groups_at_end": [[row.group, row.assigned] for row in groups if row.assigned],
        "distinct_callers": summary.callers,
    }


async def _reopened(desk: Runtime) -> AsyncIterator[ReopenedRow]:
    """Every incident that came back, page by page, as a caller over HTTP would read them."""
    cursor: str | None = None
    while True:
        page: Page[ReopenedRow] = await desk.ask(ReopenedIncidents(page=PageRequest(size=_PAGE, cursor=cursor)))
        for row in page.items:
            yield row
        cursor = page.next
        if cursor is None:
            return
