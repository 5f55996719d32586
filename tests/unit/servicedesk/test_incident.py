"""What the desk's rules accept and refuse."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from headwater.servicedesk import incident_messages as said
from headwater.servicedesk.expected import SHIPPED_LOG
from headwater.servicedesk.incident import Incident, priority_of
from headwater.servicedesk.log_rows import read_rows
from headwater.servicedesk.row_commands import commands_of
from headwater.testing import scenario

NOON = datetime(2016, 3, 1, 12, tzinfo=UTC)
LOCAL_NOON = datetime(2016, 3, 1, 12)  # noqa: DTZ001  the desk's times have no zone
INC = {"incident_id": "INC1"}
OPEN = said.OpenIncident(**INC, caller="c7", group="g1")
ASK, RESUME, START = said.AskUser(**INC), said.ResumeIncident(**INC), said.StartWork(**INC)
RESOLVE, CLOSE, REOPEN = said.ResolveIncident(**INC), said.CloseIncident(**INC), said.ReopenIncident(**INC)
MISS, NOTE = said.NoteMissedSla(**INC), said.RecordChange(**INC)
ASSIGN = said.AssignIncident(**INC, group="g2")
LOSE = said.ReportLostStatus(**INC, code="-100")
CORRECT = said.CorrectOutcome(**INC, closed_code="6")
URGENT = said.ChangePriority(**INC, impact=1, urgency=1)


def _after(*commands):
    """An incident that these commands were carried out on."""
    life = scenario(Incident, now=NOON)
    for command in commands:
        outcome = life.when(command)
        assert outcome.refusal is None
        life = outcome.then(*outcome.events)
    return life


def _save(number=1, **facts):
    usual = {"status": "new", "previous_status": None, "group": "g1", "first": True, "modifications": number - 1}
    return said.Save(at=LOCAL_NOON, number=number, **(usual | facts))


def test_an_incident_is_opened_with_what_the_caller_says():
    """Left out: the time is now, the level is medium, and the priority follows."""
    _after().when(OPEN).then(
        said.IncidentOpened(
            incident_id="INC1",
            save=_save(),
            opened_at=LOCAL_NOON,
            caller="c7",
            impact=2,
            urgency=2,
            priority=3,
            person=None,
            details=said.Details(),
        )
    )


def test_an_event_says_where_its_save_leaves_the_incident():
    """Status and group, before and after, so that counters need nothing else."""
    moved = (
        _after(OPEN)
        .when(ASSIGN)
        .then(
            said.IncidentAssigned(
                incident_id="INC1",
                save=_save(2, previous_status="new", group="g2"),
                previous_group="g1",
                person=None,
                reassigned=True,
            )
        )
    )
    moved.when(START).then(
        said.WorkStarted(incident_id="INC1", save=_save(3, status="active", previous_status="new", group="g2"))
    )


def test_commands_of_one_time_and_count_are_one_save():
    """The second event of a save does not begin another one."""
    told = {**INC, "occurred_at": LOCAL_NOON, "modifications": 7}
    outcome = _after(OPEN, said.StartWork(**told)).when(said.NoteMissedSla(**told))

    assert [(event.save.number, event.save.first) for event in outcome.events] == [(2, False)]


@pytest.mark.parametrize(
    "life",
    [
        (OPEN, RESOLVE, CLOSE),
        (OPEN, CLOSE),
        (OPEN, CLOSE, REOPEN, RESOLVE, REOPEN, ASK, RESUME, CLOSE),
        (OPEN, START, ASK, said.WaitForVendor(**INC), said.WaitForProblem(**INC), said.WaitForEvidence(**INC), RESOLVE),
        (OPEN, LOSE, RESUME, LOSE, RESOLVE),
        (OPEN, RESOLVE, CORRECT, CLOSE, CORRECT, NOTE, ASSIGN, URGENT, MISS),
        (said.ImportIncident(**INC, status="awaiting-problem"), RESUME, ASK, CLOSE),
    ],
)
def test_what_real_desks_do_is_accepted(life):
    """New may close at once, closed may come back, and a form may change even after the end."""
    _after(*life)


@pytest.mark.parametrize(
    ("life", "command", "reason"),
    [
        ((OPEN,), OPEN, "incident-exists"),
        ((OPEN,), said.ImportIncident(**INC, status="active"), "incident-exists"),
        ((OPEN,), said.AssignIncident(**INC, group="g1"), "nothing-changes"),
        ((OPEN,), said.ChangePriority(**INC, impact=2, urgency=2), "nothing-changes"),
        ((), RESOLVE, "not-available"),
        ((), CLOSE, "not-available"),
        ((), ASSIGN, "not-available"),
        ((), URGENT, "not-available"),
        ((), START, "not-available"),
        ((), ASK, "not-available"),
        ((), RESUME, "not-available"),
        ((), REOPEN, "not-available"),
        ((), MISS, "not-available"),
        ((), NOTE, "not-available"),
        ((), CORRECT, "not-available"),
        ((), LOSE, "not-available"),
        ((OPEN, CLOSE), RESOLVE, "not-available"),
        ((OPEN, CLOSE), CLOSE, "not-available"),
        ((OPEN, CLOSE), ASK, "not-available"),
        ((OPEN, RESOLVE), RESOLVE, "not-available"),
        ((OPEN, RESOLVE), LOSE, "not-available"),
        ((OPEN, RESOLVE), RESUME, "not-available"),
        ((OPEN,), REOPEN, "not-available"),
        ((OPEN,), CORRECT, "not-available"),
        ((OPEN,), RESUME, "not-available"),
        ((OPEN, START), START, "not-available"),
        ((OPEN, START), RESUME, "not-available"),
        ((OPEN, ASK), ASK, "not-available"),
        ((OPEN, MISS), MISS, "not-available"),
    ],
)
def test_what_makes_no_sense_is_refused(life, command, reason):
    """Each refusal has a reason."""
    _after(*life).when(command).then_refused(reason)


def test_a_refusal_says_what_to_do():
    """The reason against is written for the person who sent the command."""
    refusal = _after(OPEN, CLOSE).when(RESOLVE).refusal

    assert refusal.message == "incident INC1 is closed; reopen it first"


def test_handing_back_counts_as_a_reassignment():
    """It went to another group and came back before anybody saved."""
    outcome = _after(OPEN).when(said.AssignIncident(**INC, group="g1", handed_back=True))

    assert [event.reassigned for event in outcome.events] == [True]


def test_a_resolution_is_dated_by_its_command_unless_it_says_otherwise():
    """Left out is now, ``null`` is not known."""
    [dated] = _after(OPEN).when(RESOLVE).events
    [undated] = _after(OPEN).when(said.ResolveIncident(**INC, resolved_at=None)).events

    assert (dated.resolved_at, undated.resolved_at) == (LOCAL_NOON, None)


@pytest.mark.parametrize(
    ("impact", "urgency", "priority"),
    [(1, 1, 1), (1, 2, 2), (2, 1, 2), (2, 2, 3), (1, 3, 3), (3, 1, 3), (2, 3, 4), (3, 2, 4), (3, 3, 4)],
)
def test_the_priority_follows_from_impact_and_urgency(impact, urgency, priority):
    """The table is the one of the log."""
    assert priority_of(impact, urgency) == priority


def test_the_first_cases_of_the_real_log_are_accepted_command_by_command():
    """No rule refuses what really happened, and each save is counted once."""
    cases = {}
    for row in read_rows(SHIPPED_LOG, limit=400):
        cases.setdefault(row.case, []).append(row)
    for rows in cases.values():
        rows.sort(key=lambda row: row.seq)
        commands = [commands_of(row, before) for row, before in zip(rows, [None, *rows], strict=False)]

        life = _after(*(command for of_row in commands for command in of_row))

        assert life.history.events[-1].save.number == len(rows)
