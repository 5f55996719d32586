from __future__ import annotations

import array
import fcntl
import os
import signal
import subprocess
import sys
import termios

import pytest


def add(headwater, number, *more):
    """Send a command that adds a task."""
    return headwater("send", "app:app", "add-task", "-f", f"task_id=t{number}", "-f", f"title=Task {number}", *more)


def test_a_command_is_answered_with_a_receipt(headwater, project):
    """The receipt goes to standard output, the log to the file named like the app."""
    assert add(headwater, 1, "--json").json == {"position": 1, "replayed": False}
    assert "position  2" in add(headwater, 2).out
    assert (project / "todo.db").exists()


@pytest.mark.parametrize("name", ["AddTask", "add-task"])
def test_the_body_is_json_in_place(headwater, name):
    """Both spellings of a command's name are understood."""
    assert headwater("send", "app:app", name, '{"task_id": "t1", "title": "Milk"}', "--json").json["position"] == 1


def test_fields_stand_with_their_option_or_alone(headwater):
    """As they do for a query."""
    assert headwater("send", "app:app", "add-task", "task_id=t1", "-f", "title=Milk", "--json").json["position"] == 1


def test_the_body_comes_from_standard_input_or_a_file(process, project):
    """``-`` reads standard input, ``@FILE`` a file."""
    (project / "body.json").write_text('{"task_id": "t2", "title": "Bread"}')
    assert process("send", "app:app", "add-task", "-", given='{"task_id": "t1", "title": "Milk"}').code == 0
    assert process("send", "app:app", "add-task", "@body.json", "--json").json["position"] == 2


def unread(pipe):
    """How many bytes wait in a pipe."""
    size = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, size)
    return size[0]


def test_who_types_a_body_may_interrupt(project):
    """Once is enough, though the input has not come to an end."""
    words = (sys.executable, "-m", "headwater", "send", "app:app", "add-task", "-")
    ours, typed = os.pipe()
    with subprocess.Popen(words, stdin=ours, stderr=subprocess.PIPE) as sender:
        os.write(typed, b"{")
        while unread(ours) and sender.poll() is None:  # until it stands at the second read
            os.sched_yield()
        sender.send_signal(signal.SIGINT)
        try:
            assert sender.wait(timeout=30) == 130
        finally:
            sender.kill()
    os.close(typed)
    os.close(ours)


def test_a_refusal_exits_with_1_and_its_reason(headwater):
    """The rule's reason reaches people and programs."""
    add(headwater, 1)
    assert add(headwater, 1).err == "error: task t1 is already there\n"
    refused = add(headwater, 1, "--json")
    assert refused.code == 1
    assert refused.out == ""
    assert refused.problem["code"] == "task-exists"


def test_an_idempotency_key_makes_a_repeat_harmless(headwater):
    """The first receipt comes back, and no event is stored."""
    add(headwater, 1, "--idempotency-key", "k1")
    assert add(headwater, 1, "--idempotency-key", "k1", "--json").json == {"position": 1, "replayed": True}
    assert add(headwater, 2, "--idempotency-key", "k1", "--json").problem["code"] == "idempotency-mismatch"


def test_an_expectation_that_fails_changes_nothing(headwater, tasks):
    """``--expect`` is the position the sender saw last."""
    words = ("send", "app:app", "complete-task", "-f", "task_id=t1", "--json")
    assert headwater(*words, "--expect", 0).problem["code"] == "expectation-failed"
    assert headwater(*words, "--expect", 1).json["position"] == 5


def test_the_actor_stands_in_the_metadata(headwater):
    """``--actor`` says who sent it."""
    add(headwater, 1, "--actor", "ann")
    found = headwater("events", "sqlite:///todo.db", "--json").json
    assert found["events"][0]["metadata"]["actor"] == "ann"


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (("add-task", "{"), 1, "malformed-message"),
        (("add-task", '{"task_id": 1, "titel": "x"}'), 1, "invalid-message"),
        (("add-tsk", "{}"), 1, "unknown-message"),
        (("add-task", "{}", "-f", "task_id=t1"), 2, "usage-error"),
        (("add-task", "-f", "task_id"), 2, "usage-error"),
        (("add-task", "task_id"), 2, "usage-error"),
        (("add-task", "{}", "@body.json"), 2, "usage-error"),
        (("add-task", "@nowhere.json"), 2, "usage-error"),
        (("add-task", "{}", "--expect", "-1"), 2, "usage-error"),
        (("add-task", '{"task_id": "\udcff", "title": "x"}'), 1, "malformed-message"),
    ],
)
def test_bad_input_is_named_and_leaves_no_file(headwater, project, words, code, problem):
    """A body that cannot be sent never opens the log."""
    ended = headwater("send", "app:app", *words, "--json")
    assert (ended.code, ended.problem["code"]) == (code, problem)
    assert not (project / "todo.db").exists()


@pytest.mark.parametrize("words", [("-f", "title=\udcff"), ("-f", "title=Milk", "--actor", "\udcff")])
def test_a_byte_that_is_no_utf_8_is_told_with_its_place(headwater, words):
    """A shell passes on whatever bytes it is given."""
    ended = headwater("send", "app:app", "add-task", "-f", "task_id=t1", *words, "--json")
    assert (ended.code, ended.problem["code"]) == (1, "invalid-message")
    assert [each["pointer"] for each in ended.problem["errors"]] == ["/actor" if "--actor" in words else "/title"]


def test_json_is_utf_8_whatever_the_locale_says(process, monkeypatch):
    """RFC 8259 allows nothing else, and no character may stop an answer."""
    process("send", "app:app", "add-task", "-", given='{"task_id": "t1", "title": "Caf\\u00e9"}')
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    assert process("events", "sqlite:///todo.db", "--json").json["events"][0]["data"]["title"] == "Café"


def test_all_faults_of_a_body_come_at_once(headwater):
    """Each with its pointer."""
    found = headwater("send", "app:app", "add-task", '{"task_id": 1, "titel": "x"}', "--json").problem
    assert {each["pointer"] for each in found["errors"]} == {"/task_id", "/titel", "/title"}


def test_an_answer_includes_everything_in_the_log(headwater, tasks):
    """Reading your own write needs no option."""
    answer = headwater("ask", "app:app", "find-tasks", "--json").json
    assert answer["position"] >= 4
    assert [(row["task_id"], row["status"]) for row in answer["value"]["items"]] == [
        ("t3", "open"),
        ("t2", "done"),
        ("t1", "open"),
    ]


def test_an_answer_as_it_was(headwater, tasks):
    """From the log alone, at a position or a time."""
    then = headwater("ask", "app:app", "find-tasks", "--as-of", 2, "--json").json
    assert (then["position"], [row["task_id"] for row in then["value"]["items"]]) == (2, ["t2", "t1"])
    assert headwater("ask", "app:app", "find-tasks", "--as-of", "2001-01-01T00:00:00Z", "--json").json["position"] == 0
    assert headwater("ask", "app:app", "find-tasks", "--as-of", 9, "--json").problem["code"] == "invalid-as-of"
    assert headwater("ask", "app:app", "find-tasks", "--as-of", "soon").code == 2


def test_fields_narrow_sort_and_page(headwater, tasks):
    """Words after the name are the query's fields, nested ones with a dot."""
    words = ("ask", "app:app", "find-tasks", "status=open", "sort=added_at", "page.size=1")
    first = headwater(*words, "--json").json["value"]
    assert [row["task_id"] for row in first["items"]] == ["t1"]
    second = headwater(*words, f"page.cursor={first['next']}", "--json").json["value"]
    assert [row["task_id"] for row in second["items"]] == ["t3"]


@pytest.mark.parametrize(
    "words", [('{"status": "done"}',), ("@query.json",), ("-",), ("status=done",), ("-f", "status=done")]
)
def test_a_query_is_given_as_a_command_is(process, project, tasks, words):
    """In place, in a file, on standard input, or by fields."""
    (project / "query.json").write_text('{"status": "done"}')
    ended = process("ask", "app:app", "find-tasks", *words, "--json", given='{"status": "done"}')
    assert [row["task_id"] for row in ended.json["value"]["items"]] == ["t2"]


def test_people_get_a_table(headwater, tasks):
    """Columns are the row's fields; what is beside the data goes to standard error."""
    shown = headwater("ask", "app:app", "find-tasks", "page.size=2")
    assert "task_id" in shown.out
    assert "Task 3" in shown.out
    assert "as of position" in shown.err
    assert "next: page.cursor=" in shown.err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("statsu=open",), "invalid-message"),
        (("sort=colour",), "unknown-field"),
        (("page.cursor=x",), "invalid-cursor"),
    ],
)
def test_a_wrong_field_of_a_query_is_named(headwater, tasks, words, code):
    """Names come from the contract only."""
    ended = headwater("ask", "app:app", "find-tasks", *words, "--json")
    assert (ended.code, ended.problem["code"]) == (1, code)


def test_asking_never_makes_a_log(headwater, project):
    """Without a log there is nothing to ask, and no empty file is left."""
    ended = headwater("ask", "app:app", "find-tasks", "--json")
    assert (ended.code, ended.problem["code"]) == (3, "store-io-error")
    assert list(project.glob("*.db")) == []


def test_the_environment_may_name_the_log(headwater, project, monkeypatch):
    """``HEADWATER_URL`` stands for ``--url``, and ``--url`` goes before it."""
    monkeypatch.setenv("HEADWATER_URL", "sqlite:///other.db")
    add(headwater, 1)
    add(headwater, 1, "--url", "sqlite:///third.db")
    assert {path.name for path in project.glob("*.db")} >= {"other.db", "third.db"}
    assert not (project / "todo.db").exists()


def test_one_row_is_told_in_the_singular(headwater):
    """A remark for people reads like one."""
    add(headwater, 1)
    assert "1 row, as of position 1" in headwater("ask", "app:app", "find-tasks").err
