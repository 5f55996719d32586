"""Brings a file to the schema this version knows. Reads: connection.py, statements.py. Read next: event_store.py.

Migration *n* is the file ``sql/<name>_<n>.sql``; it brings version *n - 1* to *n*. All missing ones run in one
transaction, so a crash leaves the old version or the new one. The table ``schema_version`` has a row for each.
"""

from __future__ import annotations

from typing import Any

import msgspec

from headwater.backends.sqlite.connection import FileKind, SqliteFile
from headwater.backends.sqlite.driver import Connection
from headwater.backends.sqlite.errors import translated
from headwater.backends.sqlite.statements import statement
from headwater.errors import SchemaOutdated, SchemaTooNew, StoreCorrupt


class Schema(msgspec.Struct, frozen=True):
    """The newest ``version`` known of a kind of file; ``name`` is the stem of its migration files."""

    name: str
    kind: FileKind
    version: int


def prepare(connection: Connection, schema: Schema, file: SqliteFile, *, migrate: bool = True) -> None:
    """Make the schema in a new file, migrate an older one, refuse a newer one.

    Raises ``SchemaTooNew``, ``SchemaOutdated`` (without ``migrate``), ``StoreCorrupt``.
    """
    with translated(file.path):
        if _checked(connection, schema, file, migrate=migrate) == schema.version:
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            _migrate(connection, schema, _checked(connection, schema, file, migrate=migrate))
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")


def _checked(connection: Connection, schema: Schema, file: SqliteFile, *, migrate: bool) -> int:
    found = _version(connection, file)
    facts: dict[str, Any] = {"path": file.path, "found": found, "known": schema.version}
    if found > schema.version:
        raise SchemaTooNew(f"{file.path} has schema version {found}, this Headwater knows {schema.version}", **facts)
    if 0 < found < schema.version and not migrate:
        raise SchemaOutdated(f"{file.path} has schema version {found}, this Headwater needs {schema.version}", **facts)
    return found


def _version(connection: Connection, file: SqliteFile) -> int:
    """The schema version of the file, 0 for an empty one."""
    if connection.execute("SELECT count(*) FROM sqlite_schema").get == 0:
        return 0
    if not connection.table_exists(None, "schema_version"):
        raise StoreCorrupt(f"{file.path} has no schema version", remedy="restore it from a backup", path=file.path)
    found = connection.execute(statement("schema_version")).get
    return found if isinstance(found, int) else 0


def _migrate(connection: Connection, schema: Schema, found: int) -> None:
    for version in range(found + 1, schema.version + 1):
        connection.execute(statement(f"{schema.name}_{version:03}"))
        connection.execute(statement("record_schema_version"), (version,))
    connection.execute(f"PRAGMA application_id={schema.kind.application_id}")
