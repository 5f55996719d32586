"""From URLs to read stores."""

from __future__ import annotations

import apsw
import pytest

from headwater.errors import QueryError, ReadOnlyViolation, SchemaTooNew, StoreCorrupt, StoreReadOnly, UnsupportedUrl
from headwater.event_store import open_store
from headwater.read_store import open_read_store, read_store_url


@pytest.mark.parametrize(
    ("log", "rows"),
    [
        ("memory:", "memory:"),
        ("sqlite:///desk.db", "sqlite:///desk.read.db"),
        ("sqlite:////var/lib/desk.sqlite3?durability=relaxed", "sqlite:////var/lib/desk.read.sqlite3"),
        ("sqlite:///data.d/desk", "sqlite:///data.d/desk.read.db"),
        ("sqlite:///.db", "sqlite:///.db.read.db"),
        ("postgresql://host/db", "postgresql://host/db"),
    ],
)
def test_read_models_stand_beside_the_log(log, rows):
    """In a file of their own, unless another URL is given."""
    assert read_store_url(log) == rows


@pytest.mark.parametrize("url", ["", "rows.db", "nothing:x", "memory:x", "sqlite:", "sqlite:///x.db?fast=1"])
async def test_what_cannot_be_opened_is_said(url):
    """With the schemes that can."""
    with pytest.raises(UnsupportedUrl):
        async with open_read_store(url):
            pass


async def test_an_error_shows_no_password():
    """It ends up in logs."""
    with pytest.raises(UnsupportedUrl) as unsupported:
        async with open_read_store("mysql://ann:secret@host/rows"):
            pass
    assert "secret" not in f"{unsupported.value}{unsupported.value.fields}"


async def test_a_log_is_no_read_store(tmp_path):
    """Nor the other way round: neither is touched."""
    url = f"sqlite:///{tmp_path}/x.db"
    async with open_store(url):
        pass
    with pytest.raises(StoreCorrupt, match="no Headwater read store"):
        async with open_read_store(url):
            pass


async def test_damage_is_said(tmp_path):
    """A file that is no database is left as it is."""
    (tmp_path / "x.db").write_bytes(b"not a database, but long enough to look like one" * 50)
    with pytest.raises(StoreCorrupt):
        async with open_read_store(f"sqlite:///{tmp_path}/x.db"):
            pass


async def test_a_newer_schema_is_refused(tmp_path):
    """With what to do."""
    url = f"sqlite:///{tmp_path}/x.db"
    async with open_read_store(url):
        pass
    connection = apsw.Connection(str(tmp_path / "x.db"))
    connection.execute("INSERT INTO schema_version VALUES (99, '')")
    connection.close()
    with pytest.raises(SchemaTooNew, match="upgrade"):
        async with open_read_store(url):
            pass


async def test_a_file_in_a_place_that_is_not_there(tmp_path):
    """The error names the directory."""
    with pytest.raises(OSError, match="no directory"):
        async with open_read_store(f"sqlite:///{tmp_path}/nowhere/x.db"):
            pass


async def test_writing_queries_fail(tmp_path):
    """On every connection that queries use."""
    async with open_read_store(f"sqlite:///{tmp_path}/x.db") as store:
        for statement in ("DELETE FROM facts", "CREATE TABLE x (y)", "INSERT INTO facts VALUES ('a', x'')"):
            with pytest.raises(ReadOnlyViolation):
                await store.query(statement)
        assert await store.query("SELECT ? + 1", (41,)) == [(42,)]


@pytest.mark.parametrize(
    "sql",
    [
        "PRAGMA query_only=OFF",
        "PRAGMA query_only(0); DELETE FROM facts",
        "PRAGMA locking_mode=EXCLUSIVE",
        "ATTACH '{0}/y.db' AS y",
        "VACUUM INTO '{0}/y.db'",
        "CREATE TEMP TABLE t (a)",
        "BEGIN",
    ],
)
async def test_a_query_cannot_talk_itself_into_writing(tmp_path, sql):
    """Neither here nor to another file, and nobody else finds its connection changed."""
    async with open_read_store(f"sqlite:///{tmp_path}/x.db") as store:
        with pytest.raises(ReadOnlyViolation):
            await store.query(sql.format(tmp_path))
        with pytest.raises(ReadOnlyViolation):
            await store.query("DELETE FROM facts")
        assert await store.query("SELECT count(*) > 0 FROM facts") == [(1,)]
    assert not (tmp_path / "y.db").exists()


async def test_a_read_that_takes_long_goes_on_in_a_thread(tmp_path):
    """And a wrong one is an error of the query."""
    long = "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 300000) SELECT max(x) FROM n"
    async with open_read_store(f"sqlite:///{tmp_path}/x.db") as store:
        assert await store.query(long) == [(300_000,)]
        with pytest.raises(QueryError, match="refused"):
            await store.query("SELECT nothing")


async def test_a_stream_that_takes_long_to_begin_or_fails_on_the_way(tmp_path):
    """It begins in a thread; after a failure the store reads on with other connections."""
    numbers = "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 300000)"
    async with open_read_store(f"sqlite:///{tmp_path}/x.db") as store:
        rows = store._reader.stream(f"{numbers} SELECT x FROM n ORDER BY -x LIMIT 600", (), lambda row: row[0])
        assert [row async for row in rows] == list(range(300_000, 299_400, -1))
        failing = store._reader.stream(f"{numbers} SELECT abs(iif(x < 900, x, -1 << 63)) FROM n", (), tuple)
        with pytest.raises(OSError, match="failed"):
            assert [row async for row in failing] == []
        with pytest.raises(OSError, match="failed"):
            assert [row async for row in store._reader.stream("SELECT nothing", (), tuple)] == []
        assert await store.query("SELECT 1") == [(1,)]


async def test_a_read_only_file_is_said(tmp_path):
    """If the system would keep us from writing it."""
    import os

    if os.geteuid() == 0:
        pytest.skip("root may write everything")
    path = tmp_path / "x.db"
    async with open_read_store(f"sqlite:///{path}"):
        pass
    path.chmod(0o400)
    with pytest.raises(StoreReadOnly):
        async with open_read_store(f"sqlite:///{path}"):
            pass
