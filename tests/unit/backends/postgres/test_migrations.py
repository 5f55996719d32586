"""Schemas that grew version by version are those that a new database gets."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec
import pytest

from headwater.backends.postgres import schema as schemas
from headwater.backends.postgres.connection import PostgresLog, open_connection
from headwater.backends.postgres.event_store import EVENT_LOG_SCHEMA
from headwater.backends.postgres.integrity import log_checks
from headwater.backends.postgres.row_statements import RowStatements
from headwater.backends.postgres.row_writing import READ_STORE_SCHEMA
from headwater.backends.postgres.schema import prepare
from headwater.event_store import open_store
from headwater.event_store.protocol import AppendCondition, Appended, Conflict, EventQuery, NewEvent
from headwater.read_store import open_read_store

KINDS = pytest.mark.parametrize("schema", [EVENT_LOG_SCHEMA, READ_STORE_SCHEMA], ids=lambda schema: schema.name)

_NAMED = "n.nspname = 'grown'"
_CATALOGUE = f"""
    SELECT
        'relation' AS kind, c.relname::text AS name, concat_ws(' ', c.relkind, c.relpersistence, c.reloptions, c.relacl)
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE {_NAMED}
    UNION ALL
    SELECT 'column', c.relname || '.' || a.attname, concat_ws(
        ' ', a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attcollation::regcollation, a.attstorage,
        a.attidentity, a.attgenerated, pg_get_expr(d.adbin, d.adrelid)
    )
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE {_NAMED} AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'index', indexname::text, indexdef FROM pg_indexes WHERE schemaname = 'grown'
    UNION ALL
    SELECT 'constraint', x.conname::text, pg_get_constraintdef(x.oid)
    FROM pg_constraint AS x JOIN pg_namespace AS n ON n.oid = x.connamespace WHERE {_NAMED}
    UNION ALL
    SELECT 'view', viewname::text, definition FROM pg_views WHERE schemaname = 'grown'
    UNION ALL
    SELECT 'function', p.proname::text, concat_ws(' ', pg_get_functiondef(p.oid), p.proacl)
    FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace WHERE {_NAMED}
    UNION ALL
    SELECT 'trigger', t.tgname::text, concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
    FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE {_NAMED} AND NOT t.tgisinternal
    ORDER BY 1, 2, 3
"""


@pytest.fixture
def made(postgres_url, sql):
    """Bring a new schema through these versions, and give what the catalogue then says of it."""

    async def make(schema, versions):
        connection = await open_connection(PostgresLog.of_url(postgres_url))
        try:
            for version in versions:
                await prepare(connection, msgspec.structs.replace(schema, version=version), "grown", "db")
        finally:
            await connection.close()
        found = sql(_CATALOGUE)
        noted = sql(f"SELECT version FROM grown.{schema.name}_version ORDER BY version")
        sql("DROP SCHEMA grown CASCADE")
        return found, noted

    return make


@pytest.fixture
def further(monkeypatch):
    """Two more migrations of either schema: a column, a function and its trigger; then another body and an index."""
    function = "CREATE OR REPLACE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN {}; END $$"
    steps = [
        f"CREATE TABLE more (x integer); {function.format('OLD')};"
        " CREATE TRIGGER more BEFORE UPDATE ON more FOR EACH ROW EXECUTE FUNCTION more()",
        f"ALTER TABLE more ADD y bigint NOT NULL DEFAULT 7; {function.format('NEW')}; CREATE INDEX more_y ON more (y)",
    ]
    later = {
        f"{schema.name}_{schema.version + 1 + number:03}": step
        for schema in (EVENT_LOG_SCHEMA, READ_STORE_SCHEMA)
        for number, step in enumerate(steps)
    }
    known = schemas.statement
    monkeypatch.setattr(schemas, "statement", lambda name: later.get(name) or known(name))
    return len(steps)


@KINDS
async def test_grown_and_new_schemas_are_equal(made, schema):
    """Tables, columns, constraints, indexes, views, functions, triggers and rights."""
    grown = await made(schema, range(1, schema.version + 1))
    assert grown == await made(schema, [schema.version])
    kinds = {kind for kind, *_ in grown[0]}
    assert {"relation", "column", "index", "constraint"} <= kinds
    assert schema is READ_STORE_SCHEMA or {"view", "function", "trigger"} <= kinds


@KINDS
async def test_every_step_from_any_version_leads_to_the_same(made, schema, further):
    """Also with migrations that come later, from whichever version a database starts."""
    newest = schema.version + further
    fresh = await made(schema, [newest])
    for start in range(1, newest):
        assert await made(schema, range(start, newest + 1)) == fresh
        assert await made(schema, [start, newest]) == fresh
    assert fresh[1] == [(version,) for version in range(1, newest + 1)]


@KINDS
async def test_the_comparison_sees_a_difference(made, schema, further):
    """A column, an index or a body that only one of them has."""
    older, _ = await made(schema, [schema.version + 1])
    newer, _ = await made(schema, [schema.version + 2])
    differ = {(kind, name) for kind, name, *_ in set(older) ^ set(newer)}
    assert {("column", "more.y"), ("index", "more_y"), ("function", "more")} <= differ


async def test_checkpoints_of_version_1_become_ranges_of_all_slices(postgres_url, sql):
    """They stay where they were, and nobody holds them."""
    connection = await open_connection(PostgresLog.of_url(postgres_url))
    try:
        await prepare(connection, msgspec.structs.replace(READ_STORE_SCHEMA, version=1), "grown", "db")
        sql("INSERT INTO grown.checkpoints VALUES ('Seats', 2, 70, 3), ('Articles', 1, 9, 1)")
        await prepare(connection, msgspec.structs.replace(READ_STORE_SCHEMA, version=2), "grown", "db")
    finally:
        await connection.close()
    assert sql(RowStatements("grown")["load_checkpoints"]) == [
        ("Articles", 1, 9, 1, 9, 0, 1023, 0, "", 0),
        ("Seats", 2, 70, 3, 70, 0, 1023, 0, "", 0),
    ]


async def test_who_was_let_append_still_is(postgres_url, sql):
    """Version 3 of the log has another function of that name, and nobody had to be granted it anew."""
    connection = await open_connection(PostgresLog.of_url(postgres_url))
    allowed = "SELECT has_function_privilege('{}', p.oid, 'execute') FROM pg_proc AS p WHERE p.proname = '{}'"
    try:
        await prepare(connection, msgspec.structs.replace(EVENT_LOG_SCHEMA, version=2), "grown", "db")
        await connection.execute("CREATE ROLE let_append; GRANT EXECUTE ON FUNCTION grown.append_batch TO let_append")
        await prepare(connection, EVENT_LOG_SCHEMA, "grown", "db")
        assert sql(allowed.format("let_append", "append_batch")) == [(True,)]
        assert sql(allowed.format("let_append", "append_any_batch")) == [(False,)]  # it is called as its owner
        await connection.execute("DROP OWNED BY let_append; DROP ROLE let_append")
    finally:
        await connection.close()


STRICT = "quote_all_identifiers = on", "plpgsql.extra_errors = 'all'"


@pytest.fixture(params=["DATABASE", "ROLE"])
def strict_url(request, postgres_url, sql):
    """A database, or a role, that says how SQL is to be written."""
    of_url = urlsplit(postgres_url)
    whose = f"DATABASE {of_url.path[1:]}" if request.param == "DATABASE" else f"ROLE {of_url.username}"
    for setting in STRICT:
        sql(f"ALTER {whose} SET {setting}")
    yield postgres_url
    sql(f"ALTER {whose} RESET ALL")


@pytest.mark.parametrize("version", range(1, EVENT_LOG_SCHEMA.version + 1))
async def test_strict_settings_of_a_database_or_role_do_not_matter(strict_url, version):
    """From any version the same functions are made, and they store and refuse what they do elsewhere."""
    connection = await open_connection(PostgresLog.of_url(strict_url))
    try:
        assert await connection.fetchval("SHOW quote_all_identifiers") == "on"
        await prepare(connection, msgspec.structs.replace(EVENT_LOG_SCHEMA, version=version), "headwater", "db")
    finally:
        await connection.close()
    condition = AppendCondition(EventQuery.of(tags=("a:1",)))
    first, second = ([NewEvent(type="Added", data=b"{}", tags=("a:1", "b:1"))] for _ in range(2))
    async with open_store(strict_url) as store, open_read_store(strict_url):
        assert await store.append(first, condition) == Appended(1, 1)
        assert await store.append(first, condition) == Appended(1, 1, replayed=True)
        assert await store.append(second, condition) == Conflict(1)
    assert [check.faults for check in await log_checks(strict_url)] == [()] * 4
