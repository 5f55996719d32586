"""Schema versions of the event log, and the rights they need."""

from __future__ import annotations

import asyncio

import asyncpg
import msgspec
import pytest

from headwater.backends.postgres import schema
from headwater.backends.postgres.connection import PostgresLog, open_connection
from headwater.backends.postgres.event_store import EVENT_LOG_SCHEMA
from headwater.backends.postgres.schema import prepare
from headwater.errors import SchemaOutdated, SchemaTooNew, StoreIOError, StoreReadOnly
from headwater.event_store import ALL, Appended, NewEvent, open_store
from headwater.event_store.protocol import Snapshot
from headwater.read_store import open_read_store

NEXT = msgspec.structs.replace(EVENT_LOG_SCHEMA, version=EVENT_LOG_SCHEMA.version + 1)


@pytest.fixture
def next_migration(monkeypatch):
    """The next version's migration, in two steps of which the second can be made to fail."""
    steps = ["CREATE TABLE extra (x integer)", "SELECT 1"]
    known = schema.statement

    def statement(name):
        return "; ".join(steps) if name == f"event_log_{NEXT.version:03}" else known(name)

    monkeypatch.setattr(schema, "statement", statement)
    return steps


async def prepared(url, wanted, *, migrate=True):
    """Prepare the log's schema."""
    connection = await open_connection(PostgresLog.of_url(url))
    try:
        await prepare(connection, wanted, "headwater", "db", migrate=migrate)
    finally:
        await connection.close()


async def test_a_new_schema_gets_the_newest_version(store, sql):
    """Every migration is noted."""
    versions = sql("SELECT version FROM headwater.event_log_version ORDER BY version")
    assert versions == [(version,) for version in range(1, EVENT_LOG_SCHEMA.version + 1)]


async def test_many_processes_may_open_a_new_log_at_once(postgres_url):
    """One makes the schema, the others find it."""

    async def use():
        async with open_store(postgres_url) as store:
            return await store.append([NewEvent("A", b"")])

    made = await asyncio.gather(*(use() for _ in range(6)))
    assert sorted(one.first for one in made) == list(range(1, 7))


async def test_an_older_schema_is_migrated(store, postgres_url, next_migration, sql):
    """The missing migration runs once, and what is stored stays."""
    await store.append([NewEvent("A", b"")])
    await asyncio.gather(*(prepared(postgres_url, NEXT) for _ in range(3)))
    assert sql("SELECT max(version) FROM headwater.event_log_version") == [(NEXT.version,)]
    assert sql("SELECT count(*) FROM headwater.extra") == [(0,)]
    assert await store.head() == 1


async def test_an_older_schema_may_be_refused(store, postgres_url, next_migration):
    """Where migrating was not allowed, the error says how to do it."""
    with pytest.raises(SchemaOutdated) as refusal:
        await prepared(postgres_url, NEXT, migrate=False)
    assert (refusal.value.fields["found"], refusal.value.fields["known"]) == (EVENT_LOG_SCHEMA.version, NEXT.version)
    assert "migrate" in refusal.value.remedy


async def test_a_schema_that_is_not_there_may_be_refused_too(postgres_url):
    """Nothing is made then."""
    with pytest.raises(SchemaOutdated) as refusal:
        async with open_store(postgres_url, migrate=False):
            pass
    assert refusal.value.fields["found"] == 0


async def test_a_migration_that_fails_changes_nothing(store, postgres_url, next_migration, sql):
    """All steps and the version are one transaction."""
    next_migration[1] = "SELECT 1 / 0"
    with pytest.raises(StoreIOError):
        await prepared(postgres_url, NEXT)
    assert sql("SELECT to_regclass('headwater.extra')") == [(None,)]
    await prepared(postgres_url, EVENT_LOG_SCHEMA)


async def test_a_newer_schema_is_refused(store, postgres_url, sql):
    """It is not guessed at, and not changed."""
    sql("INSERT INTO headwater.event_log_version VALUES (99)")
    with pytest.raises(SchemaTooNew) as refusal:
        async with open_store(postgres_url):
            pass
    assert refusal.value.fields["found"] == 99


async def test_what_migrations_make_is_what_a_fresh_schema_has(postgres_server, postgres_url, next_migration, sql):
    """Version by version or all at once, the catalogue says the same."""
    await prepared(postgres_url, EVENT_LOG_SCHEMA)
    await prepared(postgres_url, NEXT)
    grown = sql(_CATALOGUE)
    sql("DROP SCHEMA headwater CASCADE")
    await prepared(postgres_url, NEXT)
    assert sql(_CATALOGUE) == grown
    assert len(grown) > 40


_CATALOGUE = """
    SELECT 'column', table_name::text, column_name::text, concat(data_type, is_nullable, column_default, collation_name)
    FROM information_schema.columns WHERE table_schema = 'headwater'
    UNION ALL SELECT 'index', tablename::text, indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'headwater'
    UNION ALL SELECT 'function', proname::text, '', pg_get_functiondef(oid) FROM pg_proc
    WHERE pronamespace = 'headwater'::regnamespace
    UNION ALL SELECT 'trigger', tgrelid::regclass::text, tgname::text, pg_get_triggerdef(oid) FROM pg_trigger
    WHERE tgrelid::regclass::text LIKE 'headwater.%' AND NOT tgisinternal
    ORDER BY 1, 2, 3
"""


@pytest.fixture
def role(postgres_server, sql, postgres_url):
    """A role that may connect and nothing else, with the URL as which it does."""
    name = postgres_url.rpartition("/")[2] + "_app"
    sql(f"CREATE ROLE {name} LOGIN")
    yield name, postgres_url.replace("headwater@", f"{name}@")
    sql(f"DROP OWNED BY {name}")
    sql(f"DROP ROLE {name}")


_GRANTS = (
    "GRANT USAGE ON SCHEMA headwater TO {}",
    "GRANT SELECT ON ALL TABLES IN SCHEMA headwater TO {}",
    "GRANT INSERT, UPDATE ON headwater.snapshots TO {}",
    "GRANT EXECUTE ON FUNCTION headwater.append_batch TO {}",
)


async def test_an_application_needs_no_right_to_make_or_to_insert(store, role, sql):
    """It reads, and appends through the function alone."""
    name, url = role
    for grant in _GRANTS:
        sql(grant.format(name))
    async with open_store(url, migrate=False) as restricted:
        assert await restricted.append([NewEvent("A", b"", ("x",))]) == Appended(1, 1)
        await restricted.save_snapshot("k", Snapshot(1, "v", b""))
        assert [event.type for event in (await restricted.read(ALL)).events] == ["A"]
    connection = await open_connection(PostgresLog.of_url(url))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("INSERT INTO headwater.types VALUES (7, 'Forged')")
    finally:
        await connection.close()


async def test_a_role_that_only_reads_cannot_append(store, role, sql):
    """Being able to see the schema is not enough: the function writes as its owner."""
    name, url = role
    for grant in _GRANTS[:2]:
        sql(grant.format(name))
    async with open_store(url, migrate=False) as reading:
        assert (await reading.read(ALL)).head == 0
        with pytest.raises(StoreReadOnly) as refusal:
            await reading.append([NewEvent("A", b"")])
    assert refusal.value.fields["sqlstate"] == "42501"


async def test_a_role_without_rights_is_told_so(store, role):
    """Not that something broke."""
    _, url = role
    with pytest.raises(StoreReadOnly) as refusal:
        async with open_store(url, migrate=False):
            pass
    assert refusal.value.fields["sqlstate"] == "42501"


@pytest.mark.parametrize("opened", [open_store, open_read_store])
async def test_a_database_that_cannot_hold_every_text_is_refused(postgres_server, opened):
    """Else one text in a commit would fail whatever else is in it."""
    url = postgres_server.url_of("headwater_latin1")
    settings = "ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    postgres_server.execute(f"CREATE DATABASE headwater_latin1 {settings}")
    try:
        with pytest.raises(StoreIOError, match="LATIN1") as refusal:
            async with opened(url):
                pass
        assert "UTF8" in refusal.value.remedy
    finally:
        postgres_server.drop_database(url)
