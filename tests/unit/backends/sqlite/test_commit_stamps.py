"""Stamps of a file: equal only while nobody commits, whoever it is."""

from __future__ import annotations

import subprocess
import sys
from threading import Thread

import apsw
import pytest

from headwater.backends.sqlite import commit_stamps
from headwater.backends.sqlite.commit_stamps import CommitStamps
from headwater.backends.sqlite.connection import READ_STORE, SqliteFile, connect
from headwater.errors import StoreClosed, StoreIOError

_WRITER = """
import sys, apsw
connection = apsw.Connection(sys.argv[1])
for _ in sys.stdin:
    connection.execute("UPDATE counted SET number = number + 1")
    print("done", flush=True)
"""


@pytest.fixture(params=["shared memory", "pragma"])
def file(request, tmp_path, monkeypatch):
    """A file of one table, with a writing connection; stamps are told in either way."""
    if request.param == "pragma":
        monkeypatch.setattr(commit_stamps, "_head_of", lambda _connection: None)
    file = SqliteFile(path=str(tmp_path / "rows.db"), kind=READ_STORE)
    writing = connect(file)
    writing.execute(f"PRAGMA application_id={READ_STORE.application_id}; CREATE TABLE counted (number INTEGER)")
    writing.execute("INSERT INTO counted VALUES (0)")
    yield file, writing
    writing.close()


@pytest.fixture
def stamps(file):
    """The stamps of that file."""
    made = CommitStamps(file[0])
    yield made
    made.close()


def test_they_are_equal_while_nobody_commits(file, stamps):
    """Reading, a transaction that is rolled back, and copying the log into the file are no commits."""
    _, writing = file
    before = stamps.now()

    writing.execute("SELECT * FROM counted").fetchall()
    writing.execute("BEGIN; UPDATE counted SET number = 9; ROLLBACK")
    writing.wal_checkpoint()

    assert stamps.now() == before


def test_no_stamp_comes_again(file, stamps):
    """Also where the log begins anew and is as long as it was."""
    _, writing = file
    seen = {stamps.now()}
    for number in range(1, 51):
        writing.execute("UPDATE counted SET number = ?", (number % 2,))
        writing.execute("PRAGMA wal_checkpoint(RESTART)")
        seen.add(stamps.now())

    assert len(seen) == 51


def test_a_commit_of_another_process_shows_at_once(file, stamps):
    """As soon as that process could tell anybody."""
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, file[0].path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with writer:
        for _ in range(200):
            before = stamps.now()
            writer.stdin.write("commit\n")
            writer.stdin.flush()
            assert writer.stdout.readline() == "done\n"
            assert stamps.now() != before
        writer.stdin.close()


def test_an_equal_stamp_never_hides_a_commit(file, stamps):
    """A thread commits as fast as it can; what was told before a stamp is in what is read after it."""
    told = [0]

    def write() -> None:
        connection = apsw.Connection(file[0].path)
        for number in range(1, 3001):
            connection.execute("UPDATE counted SET number = ?", (number,))
            told[0] = number
        connection.close()

    reading = connect(file[0], read_only=True)
    thread = Thread(target=write)
    thread.start()
    stamp, known, looks = None, 0, 0
    while told[0] < 3000:
        least, now = told[0], stamps.now()
        if now != stamp:
            stamp, known = now, reading.execute("SELECT number FROM counted").get
            looks += 1
        assert known >= least
    thread.join()
    reading.close()
    assert looks > 1


def test_on_linux_they_cost_no_system_call(tmp_path, monkeypatch):
    """Where the memory is there, it is what is looked at."""
    file = SqliteFile(path=str(tmp_path / "rows.db"), kind=READ_STORE)
    connect(file).close()
    stamps = CommitStamps(file)

    assert isinstance(stamps.now(), bytes) is (sys.platform == "linux")
    monkeypatch.setattr(commit_stamps, "is_on_fixed_medium", lambda _path: True)
    other = CommitStamps(file)
    assert isinstance(other.now(), int)
    stamps.close()
    other.close()


def test_a_closed_one_says_so(stamps):
    """Nothing is looked at that may be gone."""
    stamps.now()
    stamps.close()
    with pytest.raises(StoreClosed):
        stamps.now()


def test_a_file_that_cannot_be_opened_is_a_store_error(tmp_path):
    """As for any other reading."""
    with pytest.raises(StoreIOError):
        CommitStamps(SqliteFile(path=str(tmp_path / "none" / "rows.db"), kind=READ_STORE)).now()
