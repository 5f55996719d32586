"""From rows to commands: one save of the form may say several things, and no row tells the future."""

from __future__ import annotations

from datetime import datetime

import pytest
from msgspec import UNSET

from headwater.servicedesk import incident_messages as said
from headwater.servicedesk.expected import SHIPPED_LOG
from headwater.servicedesk.log_rows import BrokenRow, read_rows
from headwater.servicedesk.row_commands import commands_of


@pytest.fixture(scope="module")
def new():
    """The first row of the shipped log: a new incident that was resolved at 11:29 and closed days later."""
    return next(read_rows(SHIPPED_LOG))


def _at(text):
    return datetime.fromisoformat(text)


def test_a_case_that_begins_as_new_is_opened(new):
    """The form goes into one command; the outcome on the row does not."""
    [command] = commands_of(new, None)

    assert isinstance(command, said.OpenIncident)
    assert (command.incident_id, command.occurred_at, command.opened_at) == ("INC0000045", new.at, new.opened_at)
    assert (command.caller, command.group, command.person, command.priority) == ("2403", "56", None, 3)
    assert command.details.category == "55"


@pytest.mark.parametrize("status", ["active", "awaiting-user", "resolved", "closed", "unrecognised"])
def test_a_case_that_begins_otherwise_is_imported(new, status):
    """Its start is missing from the log, so it is taken over in the state it was found in."""
    command = commands_of(new._replace(status=status, reassignments=2), None)[0]

    assert isinstance(command, said.ImportIncident)
    assert (command.status, command.reassignments) == (status, 2)


def test_the_final_outcome_is_not_used_before_its_time(new):
    """A resolution that the publisher dates later than the save is still unknown."""
    early = new._replace(seq=1, status="resolved", at=_at("2016-02-29T08:53"))
    closed = new._replace(seq=2, status="closed", at=_at("2016-02-29T09:00"))

    [resolve] = commands_of(early, new)
    [close] = commands_of(closed, early)

    assert (resolve.resolved_at, resolve.resolved_by) == (None, None)
    assert (close.closed_code, close.resolved_by) == (None, UNSET)


def test_the_final_outcome_is_used_from_its_save_on(new):
    """The save at the very minute of the resolution says when and by whom; the closing adds its code."""
    resolved = new._replace(seq=1, status="resolved", at=new.final_resolved_at)
    closed = new._replace(seq=2, status="closed", at=new.final_closed_at)

    [resolve] = commands_of(resolved, new)
    [close] = commands_of(closed, resolved)

    assert (resolve.resolved_at, resolve.resolved_by) == (new.final_resolved_at, "149")
    assert close.closed_code == "5"


def test_a_resolution_written_down_later_is_a_correction(new):
    """Resolved twice in a row: the second save brings the outcome."""
    early = new._replace(seq=1, status="resolved", at=_at("2016-02-29T08:53"))
    later = new._replace(seq=2, status="resolved", at=new.final_resolved_at)

    [correct] = commands_of(later, early)

    assert isinstance(correct, said.CorrectOutcome)
    assert (correct.resolved_at, correct.closed_code) == (new.final_resolved_at, UNSET)


def test_one_save_may_say_several_things(new):
    """Another group, other urgency, a missed target and a new status: four commands of one moment and count."""
    row = new._replace(
        seq=1, modifications=1, group="70", reassignments=1, urgency=1, priority=2, made_sla=False, status="active"
    )

    commands = commands_of(row, new)

    assert [type(command) for command in commands] == [
        said.AssignIncident,
        said.ChangePriority,
        said.NoteMissedSla,
        said.StartWork,
    ]
    assert {(command.occurred_at, command.modifications) for command in commands} == {(row.at, 1)}


def test_a_reassignment_nobody_sees_was_handed_back(new):
    """The count went up, but the group is the same."""
    [command] = commands_of(new._replace(seq=1, reassignments=1), new)

    assert isinstance(command, said.AssignIncident)
    assert command.handed_back


@pytest.mark.parametrize(
    ("old", "status", "types"),
    [
        ("new", "active", [said.StartWork]),
        ("active", "awaiting-user", [said.AskUser]),
        ("active", "awaiting-vendor", [said.WaitForVendor]),
        ("awaiting-user", "awaiting-problem", [said.WaitForProblem]),
        ("new", "awaiting-evidence", [said.WaitForEvidence]),
        ("awaiting-vendor", "active", [said.ResumeIncident]),
        ("unrecognised", "resolved", [said.ResolveIncident]),
        ("new", "closed", [said.CloseIncident]),
        ("resolved", "closed", [said.CloseIncident]),
        ("resolved", "active", [said.ReopenIncident]),
        ("closed", "active", [said.ReopenIncident]),
        ("resolved", "awaiting-user", [said.ReopenIncident, said.AskUser]),
        ("active", "unrecognised", [said.ReportLostStatus]),
        ("active", "active", [said.RecordChange]),
    ],
)
def test_each_way_from_status_to_status_has_its_commands(new, old, status, types):
    """These are the ways that occur in the log; a save without any visible change is recorded as one."""
    before = new._replace(status=old)

    assert [type(command) for command in commands_of(before._replace(seq=1, status=status), before)] == types


def test_a_change_of_the_form_says_only_what_changed(new):
    """What stayed is left out; what was cleared is absent."""
    [command] = commands_of(new._replace(seq=1, caller=None, category="9"), new)

    assert isinstance(command, said.RecordChange)
    assert (command.caller, command.details) == (None, said.Details(category="9"))


@pytest.mark.parametrize(
    ("before", "after", "column"),
    [({"made_sla": False}, {"made_sla": True}, "made_sla"), ({"status": "active"}, {"status": "new"}, "activity")],
)
def test_a_change_that_no_command_makes_is_a_broken_row(new, before, after, column):
    """A target once missed is not met again, and nothing becomes new again."""
    with pytest.raises(BrokenRow) as raised:
        commands_of(new._replace(**after, seq=1, line=9), new._replace(**before))

    assert (raised.value.line, raised.value.column) == (9, column)
