from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

LOG = "sqlite:///todo.db"


def test_events_come_in_order_with_all_they_carry(headwater, tasks):
    """Each event has its envelope and its body."""
    found = headwater("events", LOG, "--json").json
    assert found["head"] == 4
    last = found["events"][-1]
    assert (last["position"], last["type"], last["tags"], last["data"]) == (
        4,
        "TaskCompleted",
        ["task:t2"],
        {"task_id": "t2"},
    )
    assert {"id", "version", "recorded_at", "metadata"} <= last.keys()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--type", "TaskCompleted"), [4]),
        (("--type", "TaskCompleted", "--type", "TaskAdded"), [1, 2, 3, 4]),
        (("--tag", "task:t2"), [2, 4]),
        (("--tag", "task:t1", "--tag", "task:t2"), []),
        (("--tag", "task:t2", "--type", "TaskAdded"), [2]),
        (("--after", "2"), [3, 4]),
        (("--limit", "2"), [1, 2]),
        (("--backwards", "--limit", "2"), [4, 3]),
        (("--follow", "--limit", "2"), [1, 2]),
    ],
)
def test_options_choose_the_events(headwater, tasks, words, expected):
    """Types are alternatives, tags come together, and positions are exclusive."""
    ended = headwater("events", LOG, *words, "--json")
    lines = [msgspec.json.decode(line) for line in ended.out.splitlines()]
    found = lines if "--follow" in words else lines[0]["events"]
    assert [event["position"] for event in found] == expected


def test_people_get_a_table(headwater, tasks):
    """One line an event, and how far the log goes."""
    shown = headwater("events", LOG)
    assert "TaskCompleted" in shown.out
    assert '{"task_id":"t2"}' in shown.out
    assert "4 events; the log ends at 4" in shown.err


def test_following_shows_what_comes_later(project, headwater, tasks):
    """A follower that waits sees the next event of another process."""
    words = [
        sys.executable,
        "-u",
        "-m",
        "headwater",
        "events",
        LOG,
        "--follow",
        "--after",
        "3",
        "--json",
        "--limit",
        "2",
    ]
    with subprocess.Popen(words, cwd=project, stdout=subprocess.PIPE, text=True) as following:
        assert msgspec.json.decode(following.stdout.readline())["position"] == 4
        headwater("send", "app:app", "complete-task", "-f", "task_id=t3")
        assert msgspec.json.decode(following.stdout.readline())["position"] == 5
        assert following.wait(timeout=30) == 0


def test_markup_in_the_data_stays_data(headwater):
    """What looks like colours of the terminal is shown as it is."""
    headwater("send", "app:app", "add-task", "-f", "task_id=t1", "-f", "title=[red]milk[/red]")
    assert "[red]milk[/red]" in headwater("events", LOG).out


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (("sqlite:///none.db",), 3, "store-io-error"),
        (("ftp://log",), 3, "unsupported-url"),
        ((), 2, "usage-error"),
        ((LOG, "--follow", "--backwards"), 2, "usage-error"),
        ((LOG, "--limit", "0"), 2, "usage-error"),
    ],
)
def test_what_cannot_be_read_is_named(headwater, words, code, problem):
    """Missing files, unknown schemes and wrong words each have their exit code."""
    ended = headwater("events", *words, "--json")
    assert (ended.code, ended.problem["code"]) == (code, problem)
