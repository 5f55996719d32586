"""A law: whatever is said at the desk, the counters agree with the list of incidents."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from headwater import Refused
from headwater.servicedesk import app
from headwater.servicedesk import incident_messages as said
from headwater.servicedesk.incident_views import FindIncidents
from headwater.servicedesk.report_views import GroupWorkload, ReopenedIncidents, SlaReport, StatusOverview

_GROUPS = st.sampled_from([None, "g1", "g2"])
_LEVELS = st.integers(1, 3)
_STATUSES = st.sampled_from(["new", "active", "awaiting-user", "resolved", "closed"])
_INCIDENTS = st.sampled_from(["INC1", "INC2", "INC3"])


def _said(kind, **fields):
    return st.builds(kind, incident_id=_INCIDENTS, modifications=st.none() | st.integers(0, 2), **fields)


_COMMANDS = st.one_of(
    _said(said.OpenIncident, group=_GROUPS, impact=_LEVELS),
    _said(said.ImportIncident, group=_GROUPS, status=_STATUSES, made_sla=st.booleans(), reopens=st.integers(0, 2)),
    _said(said.AssignIncident, group=_GROUPS, handed_back=st.booleans()),
    _said(said.ChangePriority, impact=_LEVELS, urgency=_LEVELS),
    *map(_said, (said.StartWork, said.AskUser, said.WaitForVendor, said.ResumeIncident, said.RecordChange)),
    *map(_said, (said.ResolveIncident, said.ReopenIncident, said.CloseIncident, said.NoteMissedSla)),
)


@given(st.lists(_COMMANDS, max_size=30))
def test_the_counters_agree_with_the_list(commands):
    """Each counter moves by the events alone, and still none of them drifts."""
    asyncio.run(_say_and_compare(commands))


async def _say_and_compare(commands):
    async with app.test() as desk:
        for command in commands:
            with suppress(Refused):
                await desk.execute(command)
        rows = (await desk.ask(FindIncidents())).items
        statuses = await desk.ask(StatusOverview())
        groups = await desk.ask(GroupWorkload())
        priorities = await desk.ask(SlaReport())
        reopened = (await desk.ask(ReopenedIncidents())).items

    open_rows = [row for row in rows if row.status not in said.SETTLED]
    assert Counter(row.status for row in rows) == Counter({r.status: r.incidents for r in statuses})
    assert sum(row.saves for row in rows) == sum(r.saves for r in statuses)
    assert Counter(row.group for row in rows if row.group) == Counter({r.group: r.assigned for r in groups})
    assert Counter(row.group for row in open_rows if row.group) == Counter({r.group: r.open_now for r in groups})
    assert Counter(row.priority for row in rows) == Counter({r.priority: r.incidents for r in priorities})
    assert sum(not row.made_sla for row in rows) == sum(r.missed for r in priorities)
    assert {row.incident_id: row.reopens for row in rows if row.reopens} == {r.incident_id: r.reopens for r in reopened}
