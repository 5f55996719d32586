from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import closing

import apsw
import pytest

from headwater.backends.sqlite.integrity import existing_file, file_checks, file_facts, readable_log
from headwater.errors import StoreCorrupt, StoreIOError, UnsupportedUrl
from headwater.event_store import NewEvent, open_store
from headwater.integration.verify import verify_log

HOLLOW_TRIGGER = """
DROP TRIGGER events_are_never_updated;
CREATE TRIGGER events_are_never_updated BEFORE UPDATE ON events BEGIN SELECT 1; END
"""


@pytest.fixture
async def log(tmp_path):
    """The URL of a log with three events, closed."""
    url = f"sqlite:///{tmp_path}/log.db"
    async with open_store(url) as store:
        await store.append([NewEvent(type="Placed", data=b"{}", tags=("order:1", 'said:"hi", \\'))])
        await store.append([NewEvent(type="Placed", data=b"{}", tags=("order:2",)), NewEvent(type="Noted", data=b"{}")])
    return url


def damage(url, statements):
    """Change the file behind the store's back."""
    with closing(apsw.Connection(url.removeprefix("sqlite:///"))) as connection:
        connection.execute(statements)


def faults(url):
    """The faults of the checks that did not pass."""
    return {check.name: check.faults for check in file_checks(url) if not check.passed}


async def test_a_whole_file_has_no_fault(log):
    """Tags with quotes, commas and backslashes are compared as they are."""
    assert faults(log) == {}


@pytest.mark.parametrize(
    ("statements", "check", "fault"),
    [
        (
            "DROP TRIGGER events_are_never_updated",
            "the schema and its immutability triggers are in place",
            "trigger events_are_never_updated is missing",
        ),
        (
            "CREATE TABLE notes (text)",
            "the schema and its immutability triggers are in place",
            "table notes does not belong here",
        ),
        (
            HOLLOW_TRIGGER,
            "the schema and its immutability triggers are in place",
            "trigger events_are_never_updated was changed",
        ),
        (
            "DROP TRIGGER event_tags_are_never_deleted; DELETE FROM event_tags WHERE position = 2",
            "every tag of an event is indexed",
            "2: order:2 is not indexed",
        ),
        (
            "DROP TRIGGER event_tags_are_never_updated; UPDATE event_tags SET type = 9 WHERE position = 2",
            "every tag of an event is indexed",
            "2: order:2 is not indexed",
        ),
        (
            "INSERT INTO event_tags VALUES ((SELECT id FROM tags WHERE tag = 'order:1'), 2, 1)",
            "every index entry is a tag of its event",
            "2: the index says order:1, the event does not",
        ),
        (
            "INSERT INTO event_tags VALUES ((SELECT id FROM tags WHERE tag = 'order:1'), 99, 1)",
            "every index entry is a tag of its event",
            "99: the index says order:1, the event does not",
        ),
        (
            "INSERT INTO events SELECT 4, type, version, recorded_us, event_id, '', metadata, data FROM events LIMIT 1",
            "no event id is stored twice",
            "4: another event has its id",
        ),
        (
            "UPDATE indexed_up_to SET position = 1; INSERT INTO event_types VALUES (1, 1)",
            "every event is indexed by id and type",
            "1: is not in the index by id",
        ),
        (
            "UPDATE indexed_up_to SET position = 1; INSERT INTO event_ids SELECT event_id, 1 FROM events LIMIT 1",
            "every event is indexed by id and type",
            "1: is not in the index by type",
        ),
        (
            "INSERT INTO event_types VALUES (2, 1)",
            "every index entry has its event",
            "1: the index by type has another event there",
        ),
        (
            "INSERT INTO event_ids VALUES (x'00', 9)",
            "every index entry has its event",
            "9: the index by id has another event there",
        ),
        (
            "DROP TRIGGER types_are_never_deleted; DELETE FROM types WHERE name = 'Noted'",
            "every event has a type",
            "3: type number 2 has no name",
        ),
    ],
)
async def test_each_kind_of_damage_is_found_and_named(log, statements, check, fault):
    """The check of that damage fails, and says where."""
    damage(log, statements)
    assert [found for found in faults(log)[check] if found.startswith(fault)]


async def test_overwritten_pages_fail_their_check(log, tmp_path):
    """Rubbish in the file is a fault of the pages, not an exception."""
    with closing(apsw.Connection(str(tmp_path / "log.db"))) as connection:
        connection.execute("PRAGMA wal_checkpoint(truncate)")
        page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'event_tags'").get
    with (tmp_path / "log.db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 4096)
    assert "the file's pages are sound" in faults(log)


async def test_a_file_that_is_no_database_is_refused(tmp_path):
    """The header is looked at before anything else."""
    (tmp_path / "log.db").write_bytes(b"something else entirely" * 400)
    with pytest.raises(StoreCorrupt):
        file_checks(f"sqlite:///{tmp_path}/log.db")


async def test_the_facts_of_a_file_are_read_without_changing_it(log, tmp_path):
    """Looking leaves every byte as it is."""
    before = (tmp_path / "log.db").read_bytes()
    facts = file_facts(log)
    assert (facts.journal_mode, facts.synchronous, facts.schema_version) == ("wal", "FULL", facts.known_version)
    assert facts.file_bytes == len(before)
    assert facts.writable
    assert file_facts(f"{log}?durability=relaxed").synchronous == "NORMAL"
    assert (tmp_path / "log.db").read_bytes() == before


def test_a_file_that_is_not_there_is_not_made(tmp_path):
    """Who only looks gets an error that says what to do."""
    with pytest.raises(StoreIOError, match="there is no log"):
        existing_file(f"sqlite:///{tmp_path}/log.db")
    with pytest.raises(UnsupportedUrl):
        existing_file("sqlite:///")
    assert list(tmp_path.iterdir()) == []


async def test_a_log_where_nobody_can_write_is_read_as_it_is(log, tmp_path, monkeypatch):
    """Nothing is made beside it, which a file in write-ahead mode else needs."""
    monkeypatch.setattr("headwater.backends.sqlite.connection.is_on_fixed_medium", lambda _path: True)
    before = sorted(tmp_path.iterdir())
    with readable_log(log) as readable:
        outcome = await verify_log(readable)
        assert sorted(tmp_path.iterdir()) == before
    assert (outcome.head, outcome.passed, faults(log)) == (3, True, {})


async def test_commits_that_only_a_write_ahead_log_has_are_not_left_out(log, tmp_path, monkeypatch):
    """Where that cannot be read, the log is not whole, and nobody is told that it were."""
    async with open_store(log) as store:
        await store.append([NewEvent(type="Placed", data=b"{}")])
        shutil.copytree(tmp_path, tmp_path / "copy")
    monkeypatch.setattr("headwater.backends.sqlite.connection.is_on_fixed_medium", lambda _path: True)
    with pytest.raises(StoreIOError, match=r"last commits are in log\.db-wal") as told:
        file_checks(f"sqlite:///{tmp_path}/copy/log.db")
    assert "copy both files" in told.value.remedy


def test_a_backup_on_a_read_only_medium_is_verified(log, tmp_path):
    """As from a snapshot that is mounted to be read."""
    mounted = f"mount --bind {tmp_path} {tmp_path} && mount -o remount,ro,bind {tmp_path}"
    alone = ("unshare", "--mount", "sh", "-c")
    if (
        os.name != "posix"
        or shutil.which("unshare") is None
        or subprocess.run([*alone, mounted], check=False).returncode
    ):
        pytest.skip("only root may mount")
    verify = f"! touch {tmp_path}/here 2>/dev/null && {sys.executable} -m headwater verify {log}"
    done = subprocess.run([*alone, f"{mounted} && {verify}"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "the log is whole" in done.stdout
