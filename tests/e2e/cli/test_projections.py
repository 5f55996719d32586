from __future__ import annotations

import importlib
import shutil
import sys
from time import monotonic

import apsw
import pytest
from tests.e2e.cli.test_work import working


def test_the_declared_projections_are_listed(headwater):
    """Without any log: what the app says."""
    assert headwater("projections", "list", "app:app", "--json").json == [
        {"name": "Tasks", "version": 1, "models": ["TaskRow"], "events": ["TaskAdded", "TaskCompleted"]}
    ]
    assert "TaskAdded TaskCompleted" in headwater("projections", "list", "app:app").out


def test_the_status_shows_how_far_each_is(headwater, tasks):
    """Sending runs no projection here, asking does: the lag goes away."""
    before = headwater("projections", "status", "app:app", "--json").json[0]
    assert (before["position"], before["head"], before["lag_positions"]) == (0, 4, 4)
    headwater("ask", "app:app", "find-tasks")
    after = headwater("projections", "status", "app:app", "--json").json[0]
    assert (after["position"], after["lag_positions"]) == (4, 0)
    assert "Tasks" in headwater("projections", "status", "app:app").out


def test_a_rebuild_ends_with_the_same_rows(headwater, tasks):
    """Building anew reads the whole log and changes no answer."""
    before = headwater("ask", "app:app", "find-tasks", "--json").json["value"]
    rebuilt = headwater("projections", "rebuild", "app:app", "Tasks", "--json").json
    assert (rebuilt["name"], rebuilt["position"]) == ("Tasks", 4)
    assert headwater("ask", "app:app", "find-tasks", "--json").json["value"]["items"] == before["items"]


def test_a_projection_nobody_has_is_named(headwater, tasks):
    """With the nearest right name."""
    ended = headwater("projections", "rebuild", "app:app", "Taks", "--json")
    assert (ended.code, ended.problem["code"], ended.problem["nearest"]) == (1, "unknown-message", "Tasks")


def test_catching_up_runs_them_here(headwater, tasks):
    """The lag is gone afterwards."""
    ended = headwater("projections", "status", "app:app", "--catch-up", "--json")
    assert (ended.code, ended.json[0]["position"], ended.json[0]["lag_positions"]) == (0, 4, 0)


def test_a_projection_that_sets_something_aside_fails_the_status(headwater, project, tasks):
    """How many sequences are parked stands in it, and in the list."""
    break_tasks(project)
    ended = headwater("projections", "status", "app:app", "--catch-up", "--json")
    assert (ended.code, ended.json[0]["parked"], ended.json[0]["position"]) == (1, 1, 4)
    (listed,) = headwater("projections", "list", "app:app", "--json").json
    assert (listed["name"], listed["position"], listed["lag_positions"], listed["parked"]) == ("Tasks", 4, 0, 1)
    assert (listed["workers"], listed["serving"], listed["building"], listed["eta_seconds"]) == (0, 1, None, None)
    assert listed["ranges"] == [{"low": 0, "high": 1023, "epoch": 1, "position": 4, "worker": None}]


def break_tasks(project):
    """From now on the code fails on each task that is completed."""
    module = project / "tasks.py"
    module.write_text(module.read_text().replace('return replace(row, status="done")', "raise KeyError(row.task_id)"))
    forget_the_code()


def mend_tasks(project):
    """It does not any more."""
    module = project / "tasks.py"
    module.write_text(module.read_text().replace("raise KeyError(row.task_id)", 'return replace(row, status="done")'))
    forget_the_code()


def forget_the_code():
    """The next command line reads the modules anew, as another process would."""
    for name in ("app", "tasks"):
        sys.modules.pop(name)
    importlib.invalidate_caches()
    shutil.rmtree("__pycache__", ignore_errors=True)  # the two versions are equally long, and of the same second


@pytest.fixture
def parked(headwater, project, tasks):
    """The task that was completed is parked."""
    break_tasks(project)
    assert headwater("projections", "status", "app:app", "--catch-up").code == 1


def test_what_is_parked_is_listed(headwater, parked):
    """Which row, at which event, why, since when; for people and for programs, of all or of one projection."""
    (found,) = headwater("parked", "list", "app:app", "Tasks", "--json").json
    assert (found["projection"], found["sequence"], found["position"], found["event"], found["error"]) == (
        *("Tasks", "t2", 4, "TaskCompleted"),
        "KeyError: 't2'",
    )
    shown = headwater("parked", "list", "app:app")
    assert (shown.code, "KeyError" in shown.out) == (0, True)
    wrong = headwater("parked", "list", "app:app", "Taks", "--json")
    assert (wrong.code, wrong.problem["nearest"]) == (1, "Tasks")


def test_a_sequence_goes_on_once_the_code_is_mended(headwater, project, parked):
    """Before that the retry fails, and says where it stands."""
    again = headwater("parked", "retry", "app:app", "Tasks", "t2", "--json")
    assert (again.code, again.json[0]["goes_on"], again.json[0]["parked"]["position"]) == (1, False, 4)
    (of_all,) = headwater("parked", "retry", "app:app", "Tasks", "--all", "--json").json
    assert of_all["sequence"] == of_all["parked"]["sequence"] == "t2"
    assert "t2 stands at position 4: KeyError" in headwater("parked", "retry", "app:app", "Tasks", "t2").out
    mend_tasks(project)
    done = headwater("parked", "retry", "app:app", "Tasks", "--all")
    assert (done.code, done.out) == (0, "t2 goes on\n")
    assert headwater("parked", "list", "app:app", "--json").json == []
    rows = headwater("ask", "app:app", "find-tasks", "--json").json["value"]["items"]
    assert {row["task_id"]: row["status"] for row in rows}["t2"] == "done"
    gone = headwater("parked", "retry", "app:app", "Tasks", "t2", "--json")
    assert (gone.code, gone.problem["code"]) == (1, "not-parked")


def test_of_several_one_that_cannot_go_on_holds_up_no_other(headwater, project, parked):
    """Each is told of, and the exit code is that of a failure."""
    mend_tasks(project)
    ended = headwater("parked", "retry", "app:app", "Tasks", "t9", "t2", "--json")
    assert (ended.code, [(each["sequence"], each["goes_on"]) for each in ended.json]) == (
        1,
        [("t9", False), ("t2", True)],
    )
    assert "no parked sequence t9" in ended.json[0]["error"]
    again = headwater("parked", "retry", "app:app", "Tasks", "t9", "t8")
    assert (again.code, again.out.count("cannot go on: Tasks has no parked sequence")) == (1, 2)


def test_an_event_is_discarded_with_a_reason(headwater, parked):
    """Which is kept with who did it and when; without one it is refused."""
    words = ("parked", "discard", "app:app", "Tasks", "t2")
    assert headwater(*words, "--reason", " ").code == headwater(*words).code == 2
    done = headwater(*words, "--reason", "entered twice", "--by", "ann", "--json")
    assert (done.code, done.json) == (0, [{"sequence": "t2", "goes_on": True, "parked": None, "error": None}])
    (record,) = headwater("parked", "list", "app:app", "--discarded", "--json").json
    assert (record["position"], record["discarded_by"], record["reason"]) == (4, "ann", "entered twice")
    assert headwater("projections", "status", "app:app").code == 0


@pytest.mark.parametrize("words", [(), ("t2", "--all")])
def test_a_retry_says_which(headwater, parked, words):
    """Some sequences, or all of them."""
    ended = headwater("parked", "retry", "app:app", "Tasks", *words, "--json")
    assert (ended.code, ended.problem["code"]) == (2, "usage-error")


def test_a_projection_stands_still_until_it_is_resumed(headwater, tasks):
    """Asking waits for nothing then, and the list shows it."""
    headwater("projections", "status", "app:app", "--catch-up")
    paused = headwater("projections", "pause", "app:app", "Tasks", "--json")
    assert paused.json == {"name": "Tasks", "paused": True, "position": 4, "lag_positions": 0}
    headwater("send", "app:app", "add-task", "-f", "task_id=t9", "-f", "title=Later")
    for words in (("list", "app:app"), ("status", "app:app", "--catch-up")):
        (found,) = headwater("projections", *words, "--json").json
        assert (found["state"], found["position"], found["lag_positions"]) == ("paused", 4, 1)
    refused = headwater("projections", "rebuild", "app:app", "Tasks", "--json")
    assert (refused.code, refused.problem["code"]) == (1, "projection-paused")
    assert headwater("projections", "resume", "app:app", "Tasks").code == 0
    (found,) = headwater("projections", "status", "app:app", "--catch-up", "--json").json
    assert found["position"] == 5


def test_rows_are_held_against_the_log(headwater, project, tasks):
    """Equal ones end with 0; one that was changed by hand is shown with both values, and ends with 1."""
    headwater("projections", "status", "app:app", "--catch-up")
    same = headwater("projections", "diff", "app:app", "Tasks")
    assert (same.code, same.out) == (0, "3 rows up to position 4: 0 missing, 0 extra, 0 changed.\n")
    rows = apsw.Connection(str(project / "todo.read.db"))
    rows.execute("UPDATE tasks_v1 SET title = 'Forged' WHERE task_id = 't1'; DELETE FROM tasks_v1 WHERE task_id = 't3'")
    rows.close()
    wrong = headwater("projections", "diff", "app:app", "Tasks", "--json")
    assert (wrong.code, wrong.json["missing"], wrong.json["changed"]) == (1, 1, 1)
    differences = {each["key"]: each for each in wrong.json["differences"]}
    assert differences["t1"]["fields"] == {"title": {"stored": "Forged", "expected": "Task 1"}}
    assert differences["t3"]["kind"] == "missing"
    shown = headwater("projections", "diff", "app:app", "Tasks")
    assert ("Forged" in shown.out, "1 missing" in shown.out) == (True, True)
    assert headwater("projections", "rebuild", "app:app", "Tasks").code == 0
    assert headwater("projections", "diff", "app:app", "Tasks").code == 0


def test_a_status_without_a_log_makes_none(headwater, project):
    """Looking never makes a file."""
    assert headwater("projections", "status", "app:app").code == 3
    assert list(project.glob("*.db")) == []


def test_a_projection_that_others_build_is_listed_with_its_pace(headwater, project, tasks):
    """A process of its own works on it: who, on which slices, and nothing is left to wait for."""
    with working(project):
        deadline = monotonic() + 60
        while True:
            (listed,) = headwater("projections", "list", "app:app", "--json").json
            if listed["position"] == 4 or monotonic() > deadline:
                break
        (held,) = listed["ranges"]
        assert (held["low"], held["high"], held["worker"]["pid"] > 0, listed["workers"]) == (0, 1023, True, 1)
        assert (listed["state"], listed["events_per_second"]) == ("live", None)


def test_a_projection_is_shown_step_by_step(headwater, tasks):
    """Which rows each event changes: all of them, a range, or those of one key."""
    found = headwater("projections", "stepper", "app:app", "Tasks", "--json").json
    assert [step["position"] for step in found] == [1, 2, 3, 4]
    assert found[0]["changes"][0]["before"] is None
    ((change,),) = [step["changes"] for step in found if step["type"] == "TaskCompleted"]
    assert (change["before"]["status"], change["after"]["status"]) == ("open", "done")
    some = headwater("projections", "stepper", "app:app", "Tasks", "--from", 2, "--to", 3, "--json").json
    assert [step["position"] for step in some] == [2, 3]
    one = headwater("projections", "stepper", "app:app", "Tasks", "--key", change["key"], "--json").json
    assert {each["key"] for step in one for each in step["changes"]} == {change["key"]}
    assert "status: open -> done" in headwater("projections", "stepper", "app:app", "Tasks").out
    unknown = headwater("projections", "stepper", "app:app", "Nothing", "--json").problem
    assert (unknown["code"], unknown["remedy"]) == ("unknown-message", "there are: Tasks")
