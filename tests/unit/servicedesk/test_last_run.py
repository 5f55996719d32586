"""What a new run of the demo may replace: the files of a demo, and nobody else's."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager

import pytest

from headwater.errors import SchemaOutdated
from headwater.event_store import open_store
from headwater.event_store.protocol import NewEvent
from headwater.read_store import open_read_store
from headwater.servicedesk.demo import DemoOptions, DemoRefused, run_demo
from headwater.servicedesk.last_run import remove_last_run


class Silent:
    """A report that nobody reads."""

    def line(self, text=""):
        """Say nothing."""

    def table(self, columns, rows, *, title=""):
        """Show nothing."""

    @contextmanager
    def progress(self, what):
        """Nobody asks how far it is."""
        yield lambda done, total: None


@pytest.fixture
def log(tmp_path):
    """Where the demo's log stands."""
    return tmp_path / "headwater-demo.db"


@pytest.fixture
def rows(tmp_path):
    """Where its read store stands."""
    return tmp_path / "headwater-demo.read.db"


async def run_once(log):
    """A short run of the demo."""
    return await run_demo(DemoOptions(url=f"sqlite:///{log}", limit=10), Silent())


async def test_the_files_of_a_demo_are_removed(log, tmp_path):
    """Both of them, and what SQLite left beside them; where there is nothing, nothing happens."""
    assert not await remove_last_run(log)
    await run_once(log)
    assert await remove_last_run(log)
    assert list(tmp_path.iterdir()) == []


async def test_a_log_without_events_is_no_loss(log, rows, tmp_path):
    """A run that was killed before its first commit leaves one, or an empty file."""
    async with open_store(f"sqlite:///{log}"), open_read_store(f"sqlite:///{rows}"):
        pass
    assert await remove_last_run(log)
    log.touch()
    rows.touch()
    assert await remove_last_run(log)
    assert list(tmp_path.iterdir()) == []


async def append(log, *events):
    """A log with these events."""
    async with open_store(f"sqlite:///{log}") as store:
        await store.append(list(events))


@pytest.mark.parametrize(
    "event",
    [
        NewEvent(type="CourseDefined", data=b"{}", tags=("course:c1", "idempotency:c1/0/0")),
        NewEvent(type="IncidentOpened", data=b"{}", tags=("incident:INC1",)),
        NewEvent(type="IncidentOpened", data=b"{}", tags=("incident:INC1", "idempotency:a-key-of-mine")),
    ],
    ids=["another app", "a desk without keys", "a desk with its own keys"],
)
async def test_the_log_of_somebody_else_stays(log, event):
    """Also of a service desk that somebody works with."""
    await append(log, event)
    with pytest.raises(DemoRefused, match="none of the demo's") as caught:
        await remove_last_run(log)
    assert "--url" in caught.value.remedy
    async with open_store(f"sqlite:///{log}") as store:
        assert await store.head() == 1


@pytest.mark.parametrize("name", ["headwater-demo.db", "headwater-demo.read.db"])
@pytest.mark.parametrize("kind", ["text", "sqlite"])
async def test_a_file_of_another_kind_stays(tmp_path, name, kind):
    """Notes, or a database of another program: not a byte of it changes."""
    file = tmp_path / name
    if kind == "text":
        file.write_bytes(b"my notes " * 1_000)
    else:
        with sqlite3.connect(file) as other:
            other.execute("CREATE TABLE notes (text)")
        other.close()
    before = file.read_bytes()
    with pytest.raises(DemoRefused, match=name) as caught:
        await remove_last_run(tmp_path / "headwater-demo.db")
    assert "--url" in caught.value.remedy
    assert file.read_bytes() == before


async def test_rows_of_another_log_stay_and_so_does_the_log(log, rows, tmp_path):
    """Either both are replaced or neither."""
    await run_once(log)
    other = tmp_path / "other.db"
    await run_once(other)
    rows.unlink()
    other.with_suffix(".read.db").rename(rows)
    with pytest.raises(DemoRefused, match="rows of another log"):
        await remove_last_run(log)
    assert log.exists()
    log.unlink()
    with pytest.raises(DemoRefused, match="rows of another log"):
        await remove_last_run(log)
    assert rows.exists()


async def test_a_log_of_an_older_release_stays(log):
    """It says what to do about that itself."""
    await run_once(log)
    with sqlite3.connect(log) as older:
        older.execute("DELETE FROM schema_version WHERE version > 1")
    older.close()
    with pytest.raises(SchemaOutdated) as caught:
        await remove_last_run(log)
    assert caught.value.remedy
    assert log.exists()
