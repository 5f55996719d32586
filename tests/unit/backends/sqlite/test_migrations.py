"""Files that grew version by version are those that are made new."""

from __future__ import annotations

import msgspec
import pytest

from headwater.backends.sqlite import schema as schemas
from headwater.backends.sqlite.connection import SqliteFile, connect
from headwater.backends.sqlite.row_writing import READ_STORE_SCHEMA
from headwater.backends.sqlite.schema import prepare
from headwater.backends.sqlite.statements import statement
from headwater.backends.sqlite.writer import EVENT_LOG_SCHEMA

KINDS = pytest.mark.parametrize("schema", [EVENT_LOG_SCHEMA, READ_STORE_SCHEMA], ids=lambda schema: schema.name)


def made(schema, versions):
    """Bring a new file through these versions, and give its schema."""
    file = SqliteFile(path=":memory:", kind=schema.kind)
    connection = connect(file)
    try:
        for version in versions:
            prepare(connection, msgspec.structs.replace(schema, version=version), file)
        found = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY 1, 2").fetchall()
        columns = [row for kind, name, *_ in found if kind == "table" for row in connection.execute(_COLUMNS, (name,))]
        return found, columns, connection.execute("SELECT version FROM schema_version ORDER BY 1").fetchall()
    finally:
        connection.close()


_COLUMNS = 'SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?)'


@KINDS
def test_grown_and_new_files_are_equal(schema):
    """Tables, columns, indexes and triggers."""
    assert made(schema, range(1, schema.version + 1)) == made(schema, [schema.version])


@KINDS
def test_every_step_from_any_version_leads_to_the_same(schema, monkeypatch):
    """Also with a migration that comes later."""
    newest = schema.version + 1
    known = schemas.statement
    later = {f"{schema.name}_{newest:03}": "CREATE TABLE more (x INTEGER); CREATE INDEX more_x ON more (x)"}
    monkeypatch.setattr(schemas, "statement", lambda name: later.get(name) or known(name))
    fresh = made(schema, [newest])
    for start in range(1, newest):
        assert made(schema, range(start, newest + 1)) == fresh
        assert made(schema, [start, newest]) == fresh
    assert fresh != made(schema, [schema.version])


def test_checkpoints_of_version_1_become_ranges_of_all_slices():
    """They stay where they were, and nobody holds them."""
    file = SqliteFile(path=":memory:", kind=READ_STORE_SCHEMA.kind)
    connection = connect(file)
    try:
        prepare(connection, msgspec.structs.replace(READ_STORE_SCHEMA, version=1), file)
        connection.execute("INSERT INTO checkpoints VALUES ('Seats', 2, 70, 3), ('Articles', 1, 9, 1)")
        prepare(connection, msgspec.structs.replace(READ_STORE_SCHEMA, version=2), file)
        found = connection.execute(statement("load_checkpoints")).fetchall()
    finally:
        connection.close()
    assert found == [("Articles", 1, 9, 1, 9, 0, 1023, 0, "", 0), ("Seats", 2, 70, 3, 70, 0, 1023, 0, "", 0)]
