from __future__ import annotations

import gzip
import signal
import subprocess
import sys
import urllib.request
from contextlib import closing, suppress
from importlib.resources import files

import apsw
import msgspec
import pytest

ROWS = "400"
LOG = "sqlite:///headwater-demo.db"


@pytest.fixture
def small_log(project):
    """The first rows of the shipped log as a plain CSV file."""
    shipped = files("headwater.servicedesk").joinpath("data", "incidents.csv.gz")
    with shipped.open("rb") as packed, gzip.open(packed, "rt", encoding="utf-8", newline="") as log:
        text = "".join(line for line, _ in zip(log, range(101), strict=False))
    path = project / "small.csv"
    path.write_text(text, newline="")
    return path


def test_the_demo_replays_checks_and_says_so(headwater):
    """One JSON object holds the counts, the time, the figures, and whether they are right."""
    ended = headwater("demo", "--limit", ROWS, "--json")
    assert ended.code == 0, ended.err
    assert {"commands", "events", "refused", "seconds", "figures", "figures_equal"} <= ended.json.keys()
    assert ended.json["figures_equal"] is True
    assert ended.json["events"] >= int(ROWS)
    assert headwater("verify", LOG, "--json").json["head"] == ended.json["events"]


def test_again_appends_nothing(headwater):
    """Every command is answered with its first receipt."""
    first = headwater("demo", "--limit", ROWS, "--json").json
    again = headwater("demo", "--limit", ROWS, "--again", "--json").json
    assert (again["events"], again["figures_equal"]) == (0, True)
    assert again["repeated"] == first["commands"]
    assert again["figures"] == first["figures"]


def test_people_get_the_reports(headwater):
    """Tables of the desk, the rate, and a sentence on the figures."""
    shown = headwater("demo", "--limit", ROWS).out
    for words in ("Monthly volume", "Busiest groups", "commands/s", "are equal"):
        assert words in shown


def test_data_that_cannot_be_read_costs_no_log(headwater):
    """The demo's last log is only replaced when there is something to replay."""
    events = headwater("demo", "--limit", "20", "--json").json["events"]
    assert headwater("demo", "--data", "nowhere.csv").code == 1
    assert headwater("verify", LOG, "--json").json["head"] == events


def test_a_log_in_memory_is_not_offered_to_look_around_in(headwater):
    """It is gone with the process."""
    assert "Look around" in headwater("demo", "--limit", "20").out
    assert "Look around" not in headwater("demo", "--limit", "20", "--url", "memory:").out


def events_in(file):
    """How many events a log has that another process may be writing; 0 if it is not there yet."""
    with suppress(apsw.Error), closing(apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        return connection.execute("SELECT count(*) FROM events").get
    return 0


def test_a_replay_killed_at_any_moment_ends_with_the_same_figures(headwater, project):
    """``kill -9``, then ``--resume``: nothing twice, nothing missing."""
    words = [sys.executable, "-m", "headwater", "demo", "--limit", "3000", "--url", "sqlite:///killed.db"]
    with subprocess.Popen(words, cwd=project, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as replay:
        while replay.poll() is None and events_in(project / "killed.db") < 500:
            pass
        replay.send_signal(signal.SIGKILL)
    assert replay.returncode == -signal.SIGKILL
    resumed = headwater("demo", "--limit", "3000", "--url", "sqlite:///killed.db", "--resume", "--json")
    whole = headwater("demo", "--limit", "3000", "--json")
    assert (resumed.code, whole.code) == (0, 0)
    assert resumed.json["figures"] == whole.json["figures"]
    assert headwater("verify", "sqlite:///killed.db", "--json").json["head"] == whole.json["events"]


def test_another_log_is_replayed(headwater, small_log):
    """Plain CSV of the same form, with its own truth counted from it."""
    ended = headwater("demo", "--data", small_log, "--json")
    assert (ended.code, ended.json["rows"], ended.json["figures_equal"]) == (0, 100, True)


def test_it_keeps_serving_afterwards(project):
    """With --serve the desk answers over HTTP until it is stopped."""
    words = [sys.executable, "-m", "headwater", "demo", "--limit", ROWS, "--serve", "--port", "0", "--json"]
    with subprocess.Popen(words, cwd=project, stdout=subprocess.PIPE, text=True) as demo:
        try:
            assert msgspec.json.decode(demo.stdout.readline())["figures_equal"] is True
            told = msgspec.json.decode(demo.stdout.readline())
            address = told["serving"]
            with urllib.request.urlopen(told["ui"], timeout=30) as pages:
                assert "Service desk" in pages.read().decode()
            with urllib.request.urlopen(f"{address}/queries/find-incidents?page.size=1", timeout=30) as answer:
                assert len(msgspec.json.decode(answer.read())["items"]) == 1
        finally:
            demo.terminate()
        assert demo.wait(timeout=30) == 0


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (("--again",), 1, "demo-refused"),
        (("--again", "--resume"), 2, "usage-error"),
        (("--limit", "0"), 2, "usage-error"),
        (("--url", "sqlite:///todo.db?nope=1"), 3, "unsupported-url"),
    ],
)
def test_what_cannot_be_replayed_is_named(headwater, words, code, problem):
    """Nothing to repeat, words that contradict each other, a wrong URL."""
    ended = headwater("demo", *words, "--json")
    assert (ended.code, ended.problem["code"]) == (code, problem)


@pytest.mark.parametrize("content", [None, "", "rubbish\n1\n"])
def test_a_log_that_cannot_be_read_is_named(headwater, project, content):
    """A missing, an empty and a foreign file each end in one line that says what was expected."""
    if content is not None:
        (project / "other.csv").write_text(content)
    ended = headwater("demo", "--data", "other.csv")
    assert ended.code == 1
    assert ended.err.startswith("error: ")
    assert "CSV" in ended.err or "other.csv" in ended.err


def test_a_broken_row_is_named_with_its_line(headwater, small_log):
    """The row is told by line and column; with --skip-broken the rest is replayed and the row listed."""
    lines = small_log.read_text().splitlines(keepends=True)
    lines[50] = "only,three,fields\n"
    small_log.write_text("".join(lines), newline="")
    stopped = headwater("demo", "--data", small_log)
    assert stopped.code == 1
    assert "line 51" in stopped.err
    skipped = headwater("demo", "--data", small_log, "--skip-broken", "--json")
    assert len(skipped.json["broken_rows"]) == 1
