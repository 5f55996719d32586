from __future__ import annotations

import logging
from contextlib import asynccontextmanager

import pytest

from headwater.backends.postgres.read_store import open_postgres
from headwater.errors import ContractChanged, SchemaOutdated, SchemaTooNew, StoreReadOnly
from headwater.read_store import Table
from headwater.testing.conformance.read_samples import ARTICLES, NOON, SEATS, Article, Seat, put
from headwater.testing.conformance.row_keeping import OtherSeat


@pytest.fixture
def sql(postgres_server, postgres_url):
    return lambda *statements: [postgres_server.execute(each, url=postgres_url) for each in statements][-1]


@pytest.fixture
def role(postgres_server, postgres_url, sql):
    """A role that may do nothing yet; roles belong to the whole server."""
    name = f"role_of_{postgres_url.rpartition('/')[2]}"
    postgres_server.execute(f"CREATE ROLE {name}")
    yield name
    sql(f"DROP OWNED BY {name}", f"DROP ROLE {name}")


@asynccontextmanager
async def _opened(url, *tables, migrate=True):
    store = await open_postgres(url, migrate=migrate)
    try:
        await store.prepare(tables or [ARTICLES, SEATS])
        yield store
    finally:
        await store.close()


async def _made(url):
    async with _opened(url) as store:
        await put(store, SEATS, Seat(day=NOON.date(), number=1))


async def test_a_role_without_ddl_rights_suffices_at_run_time(postgres_url, sql, role):
    """Once everything is there: it fills, reads and resets, and other versions' tables stay."""
    await _made(postgres_url)
    sql(
        f"GRANT USAGE ON SCHEMA headwater_read TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA headwater_read TO {role}",
    )
    async with _opened(f"{postgres_url}?role={role}", migrate=False) as store:
        assert await store.query("SELECT current_user::text") == [(role,)]
        await put(store, SEATS, Seat(day=NOON.date(), number=2), deletes=[])
        assert await store.reader(Seat).count() == 2
        assert not await store.identify(b"a log")
        await store.reset("Seats")
        await store.retire("Seats")
        assert await store.reader(Seat).count() == 0


async def test_queries_may_have_a_role_of_their_own(postgres_url, sql, role):
    """Which sees what it was granted, and nothing else."""
    await _made(postgres_url)
    sql(f"GRANT USAGE ON SCHEMA headwater_read TO {role}", f"GRANT SELECT ON headwater_read.seats_v1 TO {role}")
    async with _opened(f"{postgres_url}?reader_role={role}") as store:
        await put(store, ARTICLES, Article(code="a"))
        assert await store.reader(Seat).count() == 1
        with pytest.raises(StoreReadOnly):
            await store.reader(Article).count()


async def test_a_role_that_may_not_make_the_schema_is_told(postgres_url, role):
    """With an error of the store."""
    with pytest.raises(StoreReadOnly):
        await open_postgres(f"{postgres_url}?role={role}", migrate=True)


async def test_tables_of_older_versions_are_left_to_who_may_drop_them(postgres_url, sql, role, caplog):
    """The application goes on, and says so."""
    await _made(postgres_url)
    wider = Table("Seats", 2, OtherSeat)
    async with _opened(postgres_url, wider):
        pass
    sql(
        f"GRANT USAGE ON SCHEMA headwater_read TO {role}",
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA headwater_read TO {role}",
    )
    async with _opened(f"{postgres_url}?role={role}", wider) as store:
        with caplog.at_level(logging.WARNING):
            await store.retire("Seats")
    assert "older versions of Seats stay" in caplog.text
    async with _opened(postgres_url, wider) as store:
        await store.retire("Seats")
    assert sql("SELECT tablename::text FROM pg_tables WHERE tablename LIKE 'seats%'") == [("seats_v2",)]


async def test_another_shape_is_refused_before_anything_changes(postgres_url, sql):
    """The rows of the declared version stay what they are."""
    await _made(postgres_url)
    with pytest.raises(ContractChanged):
        async with _opened(postgres_url, ARTICLES, Table("Seats", 1, OtherSeat)):
            pass
    assert sql("SELECT count(*) FROM headwater_read.seats_v1") == [(1,)]


async def test_a_newer_schema_is_refused(postgres_url, sql):
    """An older Headwater must not write into it."""
    await _made(postgres_url)
    sql("INSERT INTO headwater_read.read_store_version (version) VALUES (99)")
    with pytest.raises(SchemaTooNew):
        await open_postgres(postgres_url, migrate=True)


async def test_nothing_is_made_where_migrating_is_not_allowed(postgres_url, sql):
    """Somebody else does that, with other rights."""
    with pytest.raises(SchemaOutdated):
        await open_postgres(postgres_url, migrate=False)
    assert sql("SELECT 1 FROM pg_namespace WHERE nspname = 'headwater_read'") == []
