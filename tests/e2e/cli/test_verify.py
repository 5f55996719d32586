from __future__ import annotations

from contextlib import closing

import apsw
import pytest

LOG = "sqlite:///todo.db"


def damage(project, statements):
    """Change the file behind the store's back, and leave it as one file without a write-ahead log."""
    with closing(apsw.Connection(str(project / "todo.db"))) as connection:
        connection.execute(statements)
        connection.pragma("wal_checkpoint", "truncate")


def faults(ended):
    """The names of the checks that found a fault."""
    return {check["name"]: check["first"] for check in ended.json["checks"] if not check["passed"]}


def test_a_whole_log_passes_with_its_figures(headwater, tasks):
    """Every check passes, and the figures are told to people and programs."""
    ended = headwater("verify", LOG, "--json")
    assert (ended.code, ended.json["passed"], ended.json["head"]) == (0, True, 4)
    assert ended.json["figures"]["events"] == 4
    assert ended.json["figures"]["tags"] == 3
    assert "the log is whole" in headwater("verify", LOG).out


@pytest.mark.parametrize(
    ("statements", "check", "fault"),
    [
        (
            "DROP TRIGGER events_are_never_updated",
            "the schema and its immutability triggers are in place",
            "trigger events_are_never_updated is missing",
        ),
        (
            "DROP TRIGGER events_are_never_deleted; DELETE FROM events WHERE position = 2",
            "positions are gapless",
            "3 follows 1",
        ),
        (
            "DROP TRIGGER events_are_never_updated; UPDATE events SET data = x'7b' WHERE position = 3",
            "bodies are JSON",
            "3: Input data was truncated",
        ),
    ],
)
def test_each_kind_of_tampering_is_found(headwater, project, tasks, statements, check, fault):
    """What was changed behind the store's back is named with its place, and the exit code says so."""
    damage(project, statements)
    ended = headwater("verify", LOG, "--json")
    assert ended.code == 1
    assert faults(ended)[check][0].startswith(fault)


def test_a_page_overwritten_on_the_disk_is_found(headwater, project, tasks):
    """Rubbish in the place of the events does not end in a traceback, but in a failed check."""
    damage(project, "SELECT 1")
    file = project / "todo.db"
    with closing(apsw.Connection(str(file))) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'events'").get
    content = bytearray(file.read_bytes())
    content[(page - 1) * 4096 : page * 4096] = b"\xa5" * 4096
    file.write_bytes(content)
    ended = headwater("verify", LOG, "--json")
    assert ended.code == 1
    assert "the file's pages are sound" in faults(ended)


@pytest.mark.parametrize("verb", ["verify", "events", "migrate"])
def test_a_file_that_is_no_log_is_refused(headwater, project, verb):
    """A typed error, and the file stays as it is."""
    (project / "todo.db").write_bytes(b"something else entirely" * 400)
    ended = headwater(verb, LOG, "--json")
    assert (ended.code, ended.problem["code"]) == (3, "store-corrupt")
    assert (project / "todo.db").read_bytes().startswith(b"something else")


def test_a_truncated_file_is_found(headwater, project, tasks):
    """Half a file is damage."""
    damage(project, "SELECT 1")
    file = project / "todo.db"
    file.write_bytes(file.read_bytes()[: 5 * 4096])
    assert headwater("verify", LOG, "--json").code in {1, 3}


def test_people_see_where_the_fault_is(headwater, project, tasks):
    """The table says which check failed, the lines below it why."""
    damage(project, "DROP TRIGGER events_are_never_updated")
    shown = headwater("verify", LOG).out
    assert "FAULT" in shown
    assert "trigger events_are_never_updated is missing" in shown
    assert "the log is damaged" in shown


def test_verifying_changes_nothing(headwater, project, tasks):
    """The file is the same before and after, byte for byte."""
    damage(project, "SELECT 1")
    before = (project / "todo.db").read_bytes()
    headwater("verify", LOG)
    assert (project / "todo.db").read_bytes() == before


def test_a_log_that_is_not_there_is_not_made(headwater, project):
    """Exit code 3 and no file."""
    assert headwater("verify", LOG).code == 3
    assert list(project.glob("*.db")) == []


def test_the_chain_proves_that_nothing_was_changed(headwater, project, tasks):
    """A change that every other check lets pass is found by who wrote the hash down before."""
    chain = headwater("verify", LOG, "--json").json["chain"]
    assert f"chain {chain}@4" in headwater("verify", LOG, "--expect", chain).out
    assert headwater("send", "app:app", "complete-task", "-f", "task_id=t1").code == 0
    assert headwater("verify", LOG, "--expect", f"{chain}@4").code == 0
    grown = headwater("verify", LOG, "--expect", chain, "--json")
    assert (grown.code, list(faults(grown))) == (1, ["the hash chain is the expected one"])
    assert headwater("verify", LOG, "--expect", f"{chain}@9").code == 1
    trigger = "BEFORE UPDATE ON events\nBEGIN\n    SELECT raise(ABORT, 'events cannot be updated');\nEND"
    damage(
        project,
        "DROP TRIGGER events_are_never_updated; UPDATE events SET recorded_us = recorded_us + 1 WHERE position = 2;"
        f"CREATE TRIGGER events_are_never_updated {trigger}",
    )
    changed = headwater("verify", LOG, "--expect", f"{chain}@4", "--json")
    assert list(faults(changed)) == ["the hash chain is the expected one"]


@pytest.mark.parametrize("text", ["abc", "g" * 64, f"{'0' * 64}@", f"{'0' * 64}@-1"])
def test_an_expected_chain_that_is_none_is_a_wrong_command_line(headwater, tasks, text):
    """It is told before the log is read."""
    ended = headwater("verify", LOG, "--expect", text)
    assert (ended.code, "64 hexadecimal digits" in ended.err) == (2, True)
