"""Opening SQLite files."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import apsw
import msgspec
import pytest

from headwater.backends.sqlite.connection import EVENT_LOG, READ_STORE, SqliteFile, connect
from headwater.backends.sqlite.schema import prepare
from headwater.backends.sqlite.writer import EVENT_LOG_SCHEMA
from headwater.errors import StoreBusy, StoreCorrupt, StoreIOError, StoreReadOnly, UnsupportedUrl
from headwater.event_store import NewEvent, open_store


def log_file(tmp_path):
    return SqliteFile(path=str(tmp_path / "log.db"))


async def written(tmp_path, count=300):
    """A log with some events; its path."""
    path = tmp_path / "log.db"
    async with open_store(f"sqlite:///{path}") as store:
        await store.append([NewEvent("A", b"x" * 200, (f"n:{number}",)) for number in range(count)])
    return path


async def opening(path):
    async with open_store(f"sqlite:///{path}") as store:
        await store.read()


def test_a_url_gives_path_and_options():
    """Three slashes are relative, four absolute; percent escapes are undone."""
    assert SqliteFile.of_url("sqlite:///a%20b.db").path == str(Path("a b.db").absolute())
    file = SqliteFile.of_url("sqlite:////tmp/x.db?durability=relaxed&busy_timeout=0.5")
    assert (file.path, file.durability, file.busy_timeout_seconds) == ("/tmp/x.db", "relaxed", 0.5)


def test_a_relative_path_is_that_of_the_moment(tmp_path, monkeypatch):
    """Whoever goes to another directory later does not get another file there."""
    monkeypatch.chdir(tmp_path)
    file = SqliteFile.of_url("sqlite:///log.db")
    away = tmp_path / "away"
    away.mkdir()
    monkeypatch.chdir(away)
    connect(file).close()
    assert (tmp_path / "log.db").exists()
    assert not (away / "log.db").exists()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite://x",
        "sqlite:///x%00y",
        "sqlite:///x?durability=none",
        "sqlite:///x?busy_timeout=soon",
        "sqlite:///x?cache=1",
    ],
)
def test_a_bad_url_is_refused_with_a_remedy(url):
    """Unknown options are not ignored: a typing error in ``durability`` would lose data."""
    with pytest.raises(UnsupportedUrl) as refusal:
        SqliteFile.of_url(url)
    assert refusal.value.remedy


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("relaxed", 1)])
def test_commits_are_durable_unless_relaxed_by_name(tmp_path, durability, synchronous):
    """The default syncs at each commit; write-ahead logging is always on."""
    connection = connect(SqliteFile(path=str(tmp_path / "log.db"), durability=durability))
    assert connection.pragma("synchronous") == synchronous
    assert connection.pragma("journal_mode") == "wal"
    connection.close()


def test_a_read_only_connection_cannot_write(tmp_path):
    """Also not by mistake."""
    file = log_file(tmp_path)
    writer = connect(file)
    prepare(writer, EVENT_LOG_SCHEMA, file)
    reader = connect(file, read_only=True)
    with pytest.raises(Exception, match="readonly"):
        reader.execute("INSERT INTO types VALUES (1, 'A')")
    reader.close()
    writer.close()


async def test_a_file_that_is_no_database(tmp_path):
    """It is left alone."""
    path = tmp_path / "log.db"
    path.write_bytes(b"these are my notes, " * 100)
    with pytest.raises(StoreCorrupt) as refusal:
        await opening(path)
    assert refusal.value.remedy
    assert path.read_bytes() == b"these are my notes, " * 100


async def test_somebody_elses_database_is_left_as_it_is(tmp_path):
    """No table is added, and its journal mode stays."""
    path = tmp_path / "log.db"
    with sqlite3.connect(path) as foreign:
        foreign.execute("CREATE TABLE customers (name TEXT)")
    foreign.close()
    before = path.read_bytes()
    with pytest.raises(StoreCorrupt) as refusal:
        await opening(path)
    assert "no Headwater event log" in str(refusal.value)
    assert path.read_bytes() == before


def test_a_read_store_is_not_taken_for_a_log(tmp_path):
    """Each kind of file has its own mark."""
    file = log_file(tmp_path)
    connection = connect(file)
    prepare(connection, EVENT_LOG_SCHEMA, file)
    connection.close()
    assert file.kind == EVENT_LOG
    with pytest.raises(StoreCorrupt):
        connect(msgspec.structs.replace(file, kind=READ_STORE))


@pytest.mark.parametrize("kept", [100, 4096, 20_000])
async def test_a_truncated_log(tmp_path, kept):
    """It is reported, not served in part."""
    path = await written(tmp_path)
    os.truncate(path, kept)
    with pytest.raises(StoreCorrupt):
        await opening(path)


async def test_a_log_with_a_damaged_page(tmp_path):
    """A read that meets the damage says so."""
    path = await written(tmp_path)
    content = bytearray(path.read_bytes())
    content[4096 * 2 :] = b"\xff" * (len(content) - 4096 * 2)
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt):
        await opening(path)


async def test_a_missing_directory(tmp_path):
    """It is not made behind the user's back."""
    with pytest.raises(StoreIOError) as refusal:
        await opening(tmp_path / "nowhere" / "log.db")
    assert refusal.value.remedy
    assert not (tmp_path / "nowhere").exists()


async def test_a_directory_in_place_of_the_file(tmp_path):
    """A typed error, not the driver's."""
    with pytest.raises(StoreIOError):
        await opening(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everything")
async def test_a_file_without_write_permission(tmp_path):
    """The error names the remedy."""
    path = await written(tmp_path)
    path.chmod(0o444)
    with pytest.raises(StoreReadOnly) as refusal:
        await opening(path)
    assert refusal.value.remedy


def test_who_waits_for_the_mode_switch_gives_up_in_time(tmp_path):
    """A file that somebody holds exclusively is reported busy."""
    path = tmp_path / "log.db"
    holder = apsw.Connection(str(path))  # the same library: file locks of a process do not keep out the process itself
    holder.execute("BEGIN EXCLUSIVE; CREATE TABLE t (x)")
    with pytest.raises(StoreBusy):
        connect(SqliteFile(path=str(path), busy_timeout_seconds=0.02))
    holder.close()
