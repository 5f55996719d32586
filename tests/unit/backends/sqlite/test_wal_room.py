"""Room ahead of the end of the write-ahead log."""

from __future__ import annotations

import errno
import shutil
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import apsw
import pytest

from headwater.backends.sqlite import wal_room
from headwater.event_store import NewEvent, open_store

STEP = 256 << 10
FRAME = 4_096 + 24


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'log.db'}"


def wal_bytes(tmp_path):
    return (tmp_path / "log.db-wal").stat().st_size


async def test_the_log_grows_in_steps_that_serve_many_commits(url, tmp_path):
    """Most commits find their room there."""
    sizes = []
    async with open_store(url) as store:
        for _ in range(100):
            await store.append([NewEvent("A", b"")])
            sizes.append(wal_bytes(tmp_path))
    assert all(later - earlier in (0, STEP) for earlier, later in pairwise(sizes))
    assert 2 <= len(set(sizes)) <= 2 + 100 * 4 * FRAME // STEP


async def test_a_log_that_was_cut_gets_its_room_again(url, tmp_path):
    """As somebody's checkpoint may do between two commits."""
    async with open_store(url) as store:
        for _ in range(20):
            await store.append([NewEvent("A", b"")])
        with closing(apsw.Connection(str(tmp_path / "log.db"))) as other:
            other.execute("PRAGMA wal_checkpoint(truncate)")
        assert wal_bytes(tmp_path) == 0
        for _ in range(2):
            await store.append([NewEvent("A", b"")])
        assert wal_bytes(tmp_path) > STEP


async def test_zeros_behind_the_last_commit_are_its_end(url, tmp_path):
    """A copy taken while the log is open, as a power cut leaves it, has every event."""
    async with open_store(url) as store:
        for number in range(10):
            await store.append([NewEvent("A", b"%d" % number)])
        (tmp_path / "cut").mkdir()
        for name in ("log.db", "log.db-wal"):
            shutil.copy(tmp_path / name, tmp_path / "cut" / name)
    async with open_store(f"sqlite:///{tmp_path / 'cut' / 'log.db'}") as store:
        assert [event.data for event in (await store.read()).events] == [b"%d" % number for number in range(10)]
        assert (await store.append([NewEvent("A", b"")])).first == 11


async def test_a_full_disk_is_left_to_the_commit(url, tmp_path, monkeypatch):
    """Room is a convenience: SQLite says what cannot be stored."""

    def full(*_):
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(wal_room.os, "pwrite", full)
    async with open_store(url) as store:
        assert (await store.append([NewEvent("A", b"")])).first == 1
        assert wal_bytes(tmp_path) < STEP


def open_files():
    """How many descriptors this process has open."""
    return len(list(Path("/dev/fd").iterdir()))


async def test_closing_leaves_no_file_open(url):
    """However often a log is opened."""
    counts = []
    for _ in range(3):
        async with open_store(url) as store:
            await store.append([NewEvent("A", b"")])
        counts.append(open_files())
    assert counts[1] == counts[2]
