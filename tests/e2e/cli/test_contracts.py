from __future__ import annotations

import json
import sys

import pytest


@pytest.fixture
def change(project):
    """Change the text of a module of the project, as a developer would between two runs."""

    def rewrite(before, after, module="task.py"):
        module = project / module
        text = module.read_text()
        assert before in text
        module.write_text(text.replace(before, after))
        for name in ("app", "task", "tasks"):
            sys.modules.pop(name, None)
        for cached in project.glob("__pycache__/task*"):
            cached.unlink()

    return rewrite


def test_frozen_contracts_are_compatible_with_themselves(headwater, project):
    """Freezing writes a file, and checking right after finds nothing."""
    frozen = headwater("contracts", "freeze", "app:app", "--json").json
    assert (frozen["lock"], frozen["messages"]) == ("contracts.lock.json", 6)
    assert (project / "contracts.lock.json").exists()
    checked = headwater("contracts", "check", "app:app", "--json")
    assert (checked.code, checked.json) == (0, {"compatible": True, "changes": []})


def test_a_breaking_change_fails_with_its_reason(headwater, change):
    """A renamed field of a stored event is named, with what to do about it."""
    headwater("contracts", "freeze", "app:app")
    change("    task_id: TaskId\n    title: str\n", "    task_id: TaskId\n    name: str\n")
    change("title=command.title", "name=command.title")
    checked = headwater("contracts", "check", "app:app", "--json")
    assert (checked.code, checked.json["compatible"]) == (1, False)
    assert {each["message"] for each in checked.json["changes"] if each["breaking"]} == {"TaskAdded"}
    shown = headwater("contracts", "check", "app:app")
    assert shown.code == 1
    assert "BREAKS  TaskAdded" in shown.out
    assert "upcast" in shown.out


def test_freezing_a_breaking_change_says_that_it_breaks(headwater, change):
    """Whoever writes the lock anew learns what that means."""
    headwater("contracts", "freeze", "app:app")
    change("    task_id: TaskId\n    title: str\n", "    task_id: TaskId\n    name: str\n")
    change("title=command.title", "name=command.title")
    assert "of them break" in headwater("contracts", "freeze", "app:app").out


def test_a_compatible_change_passes_and_is_told(headwater, change):
    """A new optional field breaks nobody."""
    headwater("contracts", "freeze", "app:app")
    change("    title: Title\n", "    title: Title\n    note: str | None = None\n")
    checked = headwater("contracts", "check", "app:app", "--json")
    assert (checked.code, checked.json["compatible"]) == (0, True)
    assert [each["message"] for each in checked.json["changes"]] == ["AddTask"]
    assert len(headwater("contracts", "freeze", "app:app", "--json").json["changes"]) == 1


def test_a_change_of_an_answer_fails_with_its_reason(headwater, change):
    """A row that lost a field breaks whoever reads it, though no command and no event has changed."""
    headwater("contracts", "freeze", "app:app")
    change("    title: str\n", "", "tasks.py")
    checked = headwater("contracts", "check", "app:app")
    assert checked.code == 1
    assert "BREAKS  FindTasks (answer) /items/*/title: was removed" in checked.out
    assert "BREAKS  GetTask (answer) /title: was removed" in checked.out


def test_a_missing_lock_comes_with_the_line_that_writes_it(headwater):
    """The remedy can be pasted."""
    ended = headwater("contracts", "check", "app:app", "--lock", "other.json")
    assert ended.code == 1
    assert "headwater contracts freeze app:app --lock other.json" in ended.err
    told = json.loads(headwater("contracts", "check", "app:app", "--lock", "other.json", "--json").err)
    assert told["code"] == "contract-error"
    assert told["remedy"].startswith("write it with")


def test_a_lock_that_cannot_be_written_says_where_to(headwater):
    """As every other error, with a remedy of its own."""
    ended = headwater("contracts", "freeze", "app:app", "--lock", "missing/contracts.json", "--json")
    assert ended.code == 1
    assert json.loads(ended.err)["code"] == "contract-error"


def test_a_damaged_lock_is_an_error_of_its_own(headwater, project):
    """Rubbish is not taken for contracts."""
    (project / "contracts.lock.json").write_text("{")
    ended = headwater("contracts", "check", "app:app", "--json")
    assert (ended.code, ended.problem["code"]) == (1, "contract-error")


def test_the_contracts_are_shown(headwater):
    """All of them by kind, or the JSON Schema of one."""
    listed = headwater("contracts", "show", "app:app", "--json").json
    assert {"kind": "command", "name": "AddTask", "version": 1} in listed
    assert {each["kind"] for each in listed} == {"command", "query", "event"}
    schema = headwater("contracts", "show", "app:app", "add-task", "--json").json
    assert "title" in str(schema)
    assert "AddTask" in headwater("contracts", "show", "app:app").out
    missing = headwater("contracts", "show", "app:app", "AddTsk", "--json")
    assert (missing.code, missing.problem["nearest"]) == (1, "AddTask")
