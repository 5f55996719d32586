"""What the desk shows and counts, asked through its queries after commands were carried out."""

from __future__ import annotations

from datetime import datetime

import pytest

from headwater import PageRequest, Range
from headwater.servicedesk import app
from headwater.servicedesk import incident_messages as said
from headwater.servicedesk.incident_views import FindIncidents, GetIncident
from headwater.servicedesk.report_views import (
    GroupWorkload,
    MonthlyVolume,
    ReopenedIncidents,
    SlaReport,
    StatusOverview,
    SummariseDesk,
)


def _at(day, hour=12, month=3):
    return datetime(2016, month, day, hour)  # noqa: DTZ001  the desk's times have no zone


def _open(number, **facts):
    return said.OpenIncident(incident_id=f"INC{number}", **({"occurred_at": _at(number), "caller": "c1"} | facts))


@pytest.fixture
async def desk():
    """A desk in memory without incidents."""
    async with app.test() as desk:
        yield desk


async def _carry_out(desk, *commands):
    for command in commands:
        await desk.execute(command, actor="maria")


async def test_incidents_are_found_by_what_they_are(desk):
    """Each filter restricts, those left out do not."""
    await _carry_out(
        desk,
        _open(1, group="g1", caller="c1"),
        _open(2, group="g2", caller="c2", impact=1),
        _open(3, group="g1", caller="c2"),
        said.ResolveIncident(incident_id="INC3"),
        said.NoteMissedSla(incident_id="INC3"),
    )

    async def found(**filters):
        return [row.incident_id for row in (await desk.ask(FindIncidents(**filters))).items]

    assert await found() == ["INC3", "INC2", "INC1"]
    assert await found(status="new") == ["INC2", "INC1"]
    assert await found(group="g1", sort="opened_at") == ["INC1", "INC3"]
    assert await found(priority=2) == ["INC2"]
    assert await found(caller="c2", made_sla=True) == ["INC2"]
    assert await found(opened_at=Range(_at(2), _at(3))) == ["INC3", "INC2"]
    assert await found(search="c2") == ["INC3", "INC2"]
    assert await found(search="inc*", sort="opened_at", group="g1") == ["INC1", "INC3"]


async def test_incidents_come_in_pages(desk):
    """The cursor leads to the next page, the total counts all of them."""
    await _carry_out(desk, _open(1), _open(2), _open(3))

    first = await desk.ask(FindIncidents(page=PageRequest(size=2, total=True)))
    second = await desk.ask(FindIncidents(page=PageRequest(size=2, cursor=first.next)))

    assert ([row.incident_id for row in first.items], first.total) == (["INC3", "INC2"], 3)
    assert ([row.incident_id for row in second.items], second.next) == (["INC1"], None)


async def test_one_incident_is_shown_with_its_history(desk):
    """Who did what and when, and the form as it stands."""
    await _carry_out(
        desk,
        _open(1, details=said.Details(category="network", location="north")),
        said.RecordChange(incident_id="INC1", caller="c9", details=said.Details(category="mail")),
        said.RecordChange(incident_id="INC1"),
        said.ChangePriority(incident_id="INC1", impact=1, urgency=1),
    )

    view = await desk.ask(GetIncident(incident_id="INC1"))

    assert (view.incident.caller, view.incident.priority, view.incident.saves) == ("c9", 1, 4)
    assert view.details == said.Details(category="mail", location="north")
    assert [entry.what for entry in view.timeline] == [
        "opened",
        "changed category, caller",
        "saved",
        "priority 3 -> 1",
    ]
    assert {entry.by for entry in view.timeline} == {"maria"}


async def test_each_event_has_words_of_its_own(desk):
    """A whole life, as the timeline tells it."""
    inc = {"incident_id": "INC1"}
    await _carry_out(
        desk,
        said.ImportIncident(**inc, status="new"),
        said.AssignIncident(**inc, group="g1", person="p1"),
        said.StartWork(**inc),
        said.AskUser(**inc),
        said.ResumeIncident(**inc),
        said.ReportLostStatus(**inc, code="-100"),
        said.ResolveIncident(**inc, resolved_by="p1"),
        said.CorrectOutcome(**inc, resolved_by="p2"),
        said.ReopenIncident(**inc),
        said.NoteMissedSla(**inc),
        said.CloseIncident(**inc, closed_code="6"),
    )

    assert [entry.what for entry in (await desk.ask(GetIncident(incident_id="INC1"))).timeline] == [
        "taken over as new",
        "assigned to group g1, person p1",
        "work started",
        "waits for user",
        "resumed",
        "status -100, which nobody knows",
        "resolved by p1",
        "outcome corrected",
        "reopened for the 1st time",
        "missed its target",
        "closed with code 6",
    ]


async def test_an_unknown_incident_is_none(desk):
    """There is nothing to show."""
    assert await desk.ask(GetIncident(incident_id="INC404")) is None


async def test_an_outcome_can_be_corrected_and_falls_with_a_reopening(desk):
    """The list shows the outcome that stands."""
    inc = {"incident_id": "INC1"}
    await _carry_out(
        desk,
        _open(1),
        said.ResolveIncident(**inc, occurred_at=_at(2), resolved_by="p1"),
        said.CloseIncident(**inc, occurred_at=_at(4), closed_code="6"),
        said.CorrectOutcome(**inc, resolved_at=_at(3), closed_code="7"),
    )
    [corrected] = (await desk.ask(FindIncidents())).items
    await _carry_out(desk, said.ReopenIncident(**inc))
    [reopened] = (await desk.ask(FindIncidents())).items

    assert (corrected.resolved_at, corrected.resolved_by) == (_at(3), "p1")
    assert (corrected.closed_at, corrected.closed_code) == (_at(4), "7")
    assert (reopened.resolved_at, reopened.resolved_by, reopened.closed_at, reopened.closed_code) == (None,) * 4


async def test_the_workload_moves_with_the_incident(desk):
    """From group to group, and out of the open ones when it is settled."""
    inc = {"incident_id": "INC1"}

    async def loads():
        return {r.group: (r.assigned, r.open_now, r.received) for r in await desk.ask(GroupWorkload())}

    await _carry_out(desk, _open(1, group="g1"), _open(2, group="g1"), _open(3))
    assert await loads() == {"g1": (2, 2, 2)}
    await _carry_out(desk, said.AssignIncident(**inc, group="g2"), said.AssignIncident(**inc, group="g2", person="p"))
    assert await loads() == {"g1": (1, 1, 2), "g2": (1, 1, 1)}
    await _carry_out(desk, said.ResolveIncident(**inc), said.CloseIncident(**inc))
    assert await loads() == {"g1": (1, 1, 2), "g2": (1, 0, 1)}
    await _carry_out(desk, said.AssignIncident(**inc, group=None), said.ReopenIncident(**inc))
    assert await loads() == {"g1": (1, 1, 2), "g2": (0, 0, 1)}


async def test_months_count_what_happened_in_them(desk):
    """Opened when it was opened, the rest when it was saved."""
    inc = {"incident_id": "INC1"}
    await _carry_out(
        desk,
        _open(1, opened_at=_at(29, month=2)),
        said.ResolveIncident(**inc, occurred_at=_at(31)),
        said.ReopenIncident(**inc, occurred_at=_at(1, month=4)),
        said.CloseIncident(**inc, occurred_at=_at(2, month=4)),
    )

    assert [(r.month, r.opened, r.resolved, r.reopened, r.closed) for r in await desk.ask(MonthlyVolume())] == [
        ("2016-02", 1, 0, 0, 0),
        ("2016-03", 0, 1, 0, 0),
        ("2016-04", 0, 0, 1, 1),
    ]


async def test_a_missed_target_moves_along_with_the_priority(desk):
    """The report counts by the priority of today."""
    inc = {"incident_id": "INC1"}
    await _carry_out(
        desk,
        _open(1),
        said.NoteMissedSla(**inc),
        said.ChangePriority(**inc, impact=1, urgency=1),
        said.ImportIncident(incident_id="INC2", status="active", made_sla=False),
        said.ChangePriority(incident_id="INC2", impact=1, urgency=3),
    )

    assert [(r.priority, r.incidents, r.missed) for r in await desk.ask(SlaReport())] == [(1, 1, 1), (3, 1, 1)]


async def test_a_save_counts_for_the_status_it_ends_in(desk):
    """Reopened and put on hold in one save: one save, of the second status."""
    told = {"incident_id": "INC1", "occurred_at": _at(9), "modifications": 5}
    await _carry_out(
        desk,
        _open(1),
        said.ResolveIncident(incident_id="INC1"),
        said.ReopenIncident(**told),
        said.NoteMissedSla(**told),
        said.AskUser(**told),
    )

    assert [(r.status, r.incidents, r.saves) for r in await desk.ask(StatusOverview())] == [
        ("active", 0, 0),
        ("awaiting-user", 1, 1),
        ("new", 0, 1),
        ("resolved", 0, 1),
    ]


async def test_what_came_back_is_listed_the_most_often_first(desk):
    """An import brings its own count along."""
    inc = {"incident_id": "INC1"}
    await _carry_out(
        desk,
        _open(1),
        said.CloseIncident(**inc),
        said.ReopenIncident(**inc),
        said.ImportIncident(incident_id="INC2", status="active", reopens=3),
        said.ImportIncident(incident_id="INC3", status="active"),
    )

    page = await desk.ask(ReopenedIncidents())

    assert [(row.incident_id, row.reopens) for row in page.items] == [("INC2", 3), ("INC1", 1)]


async def test_sums_are_made_over_all_incidents(desk):
    """Imports are told apart, and late saves are counted."""
    await _carry_out(
        desk,
        _open(5, group="g1"),
        said.AssignIncident(incident_id="INC5", group="g2", occurred_at=_at(4)),
        said.ResolveIncident(incident_id="INC5", occurred_at=_at(6)),
        said.ImportIncident(incident_id="INC6", status="active", reassignments=2, made_sla=False),
    )

    summary = await desk.ask(SummariseDesk())

    assert (summary.incidents, summary.longest_case, summary.reassignments, summary.reassigned) == (2, 3, 3, 2)
    assert (summary.not_found_new, summary.missed_sla, summary.late_saves, summary.callers) == (1, 1, 1, 2)
    assert (summary.with_resolution, summary.median_minutes_to_resolve) == (1, 24 * 60)


async def test_an_empty_desk_has_sums_too(desk):
    """Nothing is a number as well."""
    assert (await desk.ask(SummariseDesk())).median_minutes_to_resolve == 0
