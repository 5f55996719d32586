"""The write-ahead log is copied into the file beside the commits, and starts over."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import apsw
import msgspec
import pytest

from headwater.backends.sqlite import checkpoints
from headwater.backends.sqlite.checkpoints import Checkpoints
from headwater.backends.sqlite.connection import EVENT_LOG, SqliteFile, connect
from headwater.backends.sqlite.event_store import SqliteEventStore
from headwater.event_store import NewEvent
from headwater.event_store.protocol import ALL

EVERY = 20


@pytest.fixture(params=["auto", "thread"])
async def store(tmp_path, request):
    """A log that is copied every twenty pages."""
    kind = msgspec.structs.replace(EVENT_LOG, wal_pages=EVERY)
    opened = SqliteEventStore(SqliteFile(path=str(tmp_path / "log.db"), kind=kind, commits=request.param))
    yield opened
    await opened.close()


async def append(store, count):
    """So many commits, each with a moment in which the writer's thread may copy."""
    pages = []
    for _ in range(count):
        await store.append([NewEvent("A", b"x" * 1_000, ("tag",))])
        pages.append(store._writer.ledger.wal_pages)
        await asyncio.to_thread(lambda: None)
    return pages


async def test_the_write_ahead_log_starts_over_again_and_again(store, tmp_path):
    """It never grows far beyond the pages at which it is copied; everything is there afterwards."""
    pages = await append(store, 300)
    assert sum(after < before for before, after in pairwise(pages)) > 3
    assert (tmp_path / "log.db-wal").stat().st_size < 40 * EVERY * 4_120
    assert len((await store.read(ALL)).events) == 300


def test_the_log_starts_over_early_while_it_is_short(tmp_path):
    """Each round may be longer than the one before, up to what the kind of file allows."""
    kind = msgspec.structs.replace(EVENT_LOG, wal_pages=1_800)
    file = SqliteFile(path=str(tmp_path / "log.db"), kind=kind)
    made, connection = Checkpoints(file), connect(file)
    for least in (1_000, 1_500, 1_800, 1_800):
        assert not made.committed(connection, least - 1)
        assert made.committed(connection, least)
        made.copy()
        assert not made.committed(connection, least + 1)
        assert not made.committed(connection, 1)
    made.close()
    connection.close()


async def test_a_snapshot_held_elsewhere_only_delays_it(store, tmp_path):
    """While somebody reads the log as it was, it grows; then it starts over."""
    await append(store, 1)
    reader = apsw.Connection(str(tmp_path / "log.db"))
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchall()
    grown = await append(store, 50)
    assert grown == sorted(grown)
    reader.close()
    assert min(await append(store, 60)) < grown[-1]


async def test_a_copy_that_fails_fails_nobody(store, monkeypatch):
    """Commits go on, and it is tried again later."""
    with monkeypatch.context() as patch:
        patch.setattr(checkpoints, "connect", broken)
        await append(store, 30)
    pages = await append(store, 100)
    assert min(pages) < EVERY
    assert (await store.head()) == 130


def broken(file):
    """A file that cannot be opened just now."""
    raise checkpoints.StoreError("not now", path=file.path)
