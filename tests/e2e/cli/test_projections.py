from __future__ import annotations

import sys


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


def test_a_projection_that_stops_fails_the_status(headwater, project, tasks):
    """The event it stumbles over is named."""
    module = project / "tasks.py"
    module.write_text(module.read_text().replace('return replace(row, status="done")', "raise KeyError(row.task_id)"))
    for name in ("app", "tasks"):
        sys.modules.pop(name)
    ended = headwater("projections", "status", "app:app", "--catch-up", "--json")
    assert ended.code == 1
    assert "position 4" in ended.json[0]["error"]


def test_a_status_without_a_log_makes_none(headwater, project):
    """Looking never makes a file."""
    assert headwater("projections", "status", "app:app").code == 3
    assert list(project.glob("*.db")) == []
