"""Schema versions of the event log."""

from __future__ import annotations

import apsw
import msgspec
import pytest

from headwater.backends.sqlite import schema
from headwater.backends.sqlite.connection import SqliteFile, connect
from headwater.backends.sqlite.schema import prepare
from headwater.backends.sqlite.writer import EVENT_LOG_SCHEMA
from headwater.errors import SchemaOutdated, SchemaTooNew, StoreCorrupt
from headwater.event_store import NewEvent, open_store

NEXT = msgspec.structs.replace(EVENT_LOG_SCHEMA, version=EVENT_LOG_SCHEMA.version + 1)


@pytest.fixture
def file(tmp_path):
    return SqliteFile(path=str(tmp_path / "log.db"))


@pytest.fixture
def connection(file):
    opened = connect(file)
    prepare(opened, EVENT_LOG_SCHEMA, file)
    yield opened
    opened.close()


@pytest.fixture
def next_migration(monkeypatch):
    """The next version's migration, in two steps of which the second can be made to fail."""
    steps = ["CREATE TABLE extra (x)", "SELECT 1"]
    known = schema.statement

    def statement(name):
        return "; ".join(steps) if name == f"event_log_{NEXT.version:03}" else known(name)

    monkeypatch.setattr(schema, "statement", statement)
    return steps


def test_a_new_file_gets_the_newest_schema(connection, file):
    """Every migration is noted; preparing again changes nothing."""
    prepare(connection, EVENT_LOG_SCHEMA, file)
    versions = connection.execute("SELECT version FROM schema_version").fetchall()
    assert versions == [(version,) for version in range(1, EVENT_LOG_SCHEMA.version + 1)]


def test_an_older_file_is_migrated(connection, file, next_migration):
    """The missing migration runs, and what is stored stays."""
    connection.execute("INSERT INTO types VALUES (1, 'A')")
    prepare(connection, NEXT, file)
    assert connection.execute("SELECT max(version) FROM schema_version").get == NEXT.version
    assert connection.execute("SELECT name FROM types").get == "A"
    assert connection.table_exists(None, "extra")


def test_an_older_file_may_be_refused(connection, file, next_migration):
    """Where migrating was not allowed, the error says how to do it."""
    with pytest.raises(SchemaOutdated) as refusal:
        prepare(connection, NEXT, file, migrate=False)
    assert (refusal.value.fields["found"], refusal.value.fields["known"]) == (EVENT_LOG_SCHEMA.version, NEXT.version)
    assert "migrate" in refusal.value.remedy


def test_a_migration_that_fails_changes_nothing(connection, file, next_migration):
    """All steps and the version are one transaction."""
    next_migration[1] = "SELECT * FROM no_such_table"
    with pytest.raises(Exception, match="log.db"):
        prepare(connection, NEXT, file)
    assert not connection.table_exists(None, "extra")
    prepare(connection, EVENT_LOG_SCHEMA, file)


async def test_a_newer_file_is_refused(tmp_path):
    """It is not guessed at, and not changed."""
    url = f"sqlite:///{tmp_path / 'log.db'}"
    async with open_store(url) as store:
        await store.append([NewEvent("A", b"")])
    newer = apsw.Connection(str(tmp_path / "log.db"))
    newer.execute("INSERT INTO schema_version VALUES (99, 'later')")
    newer.close()
    with pytest.raises(SchemaTooNew) as refusal:
        async with open_store(url):
            pass
    assert refusal.value.fields["found"] == 99


def test_a_log_without_its_version_is_damaged(connection, file):
    """A marked file that lost the table is not taken for new."""
    connection.execute("DROP TABLE schema_version")
    with pytest.raises(StoreCorrupt):
        prepare(connection, EVENT_LOG_SCHEMA, file)
