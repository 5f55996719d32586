"""Brings a schema of the database to the version this Headwater knows. Reads: connection.py, statements.py.

Migration *n* is the file ``sql/<name>_<n>.sql``; it brings version *n - 1* to *n*. All missing ones run in one
transaction, so a crash leaves the old version or the new one. The table ``<name>_version`` has a row for each.
Read next: event_store.py.
"""

from __future__ import annotations

from typing import Any

import msgspec

from headwater.backends.postgres.driver import Connection
from headwater.backends.postgres.errors import store_error
from headwater.backends.postgres.statements import statement
from headwater.errors import SchemaOutdated, SchemaTooNew, StoreError, StoreIOError


class Schema(msgspec.Struct, frozen=True):
    """The newest ``version`` known of a kind of store; ``name`` is the stem of its migration files."""

    name: str
    version: int


async def prepare(connection: Connection, schema: Schema, where: str, place: str, *, migrate: bool = True) -> None:
    """Make the schema named ``where``, migrate an older one, refuse a newer one. A current one needs no rights to make.

    Raises ``SchemaTooNew``, ``SchemaOutdated`` (without ``migrate``), ``StoreReadOnly`` (without the right to),
    ``StoreIOError`` for a database that cannot hold every text.
    """
    try:
        await _refuse_other_encodings(connection, place)
        if _checked(await found_version(connection, schema, where), schema, place, migrate=migrate) == schema.version:
            return
        async with connection.transaction(isolation="read_committed"):
            await _migrate(connection, schema, where, place)
    except StoreError:
        raise
    except Exception as error:
        raise store_error(error, place) from error


async def _refuse_other_encodings(connection: Connection, place: str) -> None:
    """Else a text that the database has no characters for would fail, and with it whatever shares its commit."""
    encoding = await connection.fetchval("SELECT current_setting('server_encoding')")
    if encoding != "UTF8":
        remedy = "make it anew: CREATE DATABASE name ENCODING 'UTF8' TEMPLATE template0"
        raise StoreIOError(f"{place} is in a database that stores text as {encoding}, not UTF8", remedy=remedy)


async def found_version(connection: Connection, schema: Schema, where: str) -> int:
    """The version of the schema in the database, 0 if it is not there."""
    # Read from the catalogue's tables: to_regclass answers from the session's memory, older than the lock perhaps.
    if not await connection.fetchval(statement("table_exists"), where, f"{schema.name}_version"):
        return 0
    found = await connection.fetchval(f"SELECT max(version) FROM {quoted(where)}.{schema.name}_version")  # noqa: S608  quoted
    return int(found or 0)


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def _checked(found: int, schema: Schema, place: str, *, migrate: bool) -> int:
    facts: dict[str, Any] = {"place": place, "found": found, "known": schema.version}
    if found > schema.version:
        raise SchemaTooNew(f"{place} has schema version {found}, this Headwater knows {schema.version}", **facts)
    if found < schema.version and not migrate:
        raise SchemaOutdated(f"{place} has schema version {found}, this Headwater needs {schema.version}", **facts)
    return found


async def _migrate(connection: Connection, schema: Schema, where: str, place: str) -> None:
    """To be called in a transaction. Who comes second waits, and then finds everything done."""
    await connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 18519))", where)
    found = _checked(await found_version(connection, schema, where), schema, place, migrate=True)
    if not await connection.fetchval(statement("schema_exists"), where):
        await connection.execute(f"CREATE SCHEMA {quoted(where)}")
    # A migration that reads a function's text back expects names as they were written; and a strict database would
    # take a variable that hides another for an error.
    await connection.execute("SET LOCAL quote_all_identifiers = off; SET LOCAL plpgsql.extra_errors = 'none'")
    # Functions keep this path, so that they find their tables whatever path their caller has.
    await connection.execute(f"SET LOCAL search_path = {quoted(where)}, pg_temp")
    if not found:
        await connection.execute(
            f"CREATE TABLE IF NOT EXISTS {schema.name}_version"
            " (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
        )
    for version in range(found + 1, schema.version + 1):
        await connection.execute(statement(f"{schema.name}_{version:03}"))
        await connection.execute(f"INSERT INTO {schema.name}_version (version) VALUES ($1)", version)  # noqa: S608  ours
