"""SQL over an exported log and its read models, by DuckDB, which changes nothing. Reads: export.py, files.py.

There is a table ``events``, a view for each type of event with its fields as columns, and a table for each read model.
Read next: ../cli/verbs/report.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from headwater.analysis.export import EVENT_COLUMNS, TYPES
from headwater.analysis.files import duckdb, literal, name, reading_lines
from headwater.errors import QueryError, ReadOnlyViolation, StoreIOError

_HARMLESS = frozenset({"SELECT", "EXPLAIN"})


class Table(msgspec.Struct, frozen=True):
    """What a statement found: the ``columns``, and the ``rows`` as tuples."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def run_report(sql: str, folder: Path) -> Table:
    """The rows that a SELECT finds in an exported folder.

    Raises ``ReadOnlyViolation`` for any other statement, ``QueryError`` for one that cannot be run, ``StoreIOError`` if
    nothing was exported there, ``MissingExtra``.
    """
    driver = duckdb()
    with driver.connect(config={"allow_community_extensions": "false"}) as connection:
        try:
            _declare(connection, folder)
            # From here on it reads this folder, and nothing else in the world.
            connection.execute(f"SET allowed_directories = [{literal(folder.absolute())}]")
            connection.execute("SET enable_external_access = false")
            connection.execute("SET lock_configuration = true")
            statements = connection.extract_statements(sql)
            if len(statements) != 1:
                raise QueryError(f"a report is one statement, not {len(statements)}")
            if statements[0].type.name.removeprefix("StatementType.") not in _HARMLESS:
                raise ReadOnlyViolation("a report reads, and changes nothing", remedy="write a SELECT")
            found = connection.execute(statements[0])
            return Table(tuple(column[0] for column in found.description), found.fetchall())
        except driver.Error as error:
            raise QueryError(f"DuckDB refuses the statement: {error}") from error


def _declare(connection: Any, folder: Path) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET autoinstall_known_extensions = false")
    sources = list(_sources(folder.absolute()))
    if not sources:
        what = f"nothing was exported to {folder}" if folder.is_dir() else f"there is no folder {folder}"
        raise StoreIOError(what, remedy="headwater export APP FOLDER makes one; or give a URL or module:attribute")
    for table, source in sources:
        connection.execute(f"CREATE VIEW {name(table)} AS SELECT * FROM {source}")  # noqa: S608  names and texts are quoted
    if any(table == "events" for table, _ in sources):
        taken = {table.lower() for table, _ in sources}
        types = connection.execute("SELECT type, json_group_structure(data) FROM events GROUP BY type").fetchall()
        for kind, structure in types:
            if kind.lower() not in taken and structure and structure.startswith("{"):
                connection.execute(_view_of(kind, structure))


def _view_of(kind: str, structure: str) -> str:
    """The events of a type, their fields as columns beside where and when they stand."""
    own = ["position", "recorded_at", "tags", "metadata"]
    fields: dict[str, Any] = msgspec.json.decode(structure)
    taken = set(own)
    columns = [*own]
    for field in fields:
        shown = field if field.lower() not in taken else f"{field}_"
        taken.add(shown.lower())
        columns.append(f"struct_extract(fields, {literal(field)}) AS {name(shown)}")
    body = f"SELECT *, json_transform(data, {literal(structure)}) AS fields FROM events WHERE type = {literal(kind)}"  # noqa: S608  names and texts are quoted
    return f"CREATE VIEW {name(kind)} AS SELECT {', '.join(columns)} FROM ({body})"  # noqa: S608  names and texts are quoted


def _sources(folder: Path) -> Iterator[tuple[str, str]]:
    """Tables and what is read for them."""
    events = folder / "events"
    parts: list[str] = []
    if any(events.glob("*.parquet")):
        parts.append(f"SELECT * FROM read_parquet({literal(events / '*.parquet')})")  # noqa: S608  names and texts are quoted
    if any(events.glob("*.ndjson")):
        parts.append(f"SELECT * FROM {reading_lines(events / '*.ndjson', EVENT_COLUMNS)}")  # noqa: S608  names and texts are quoted
    if parts:
        yield "events", f"({' UNION ALL '.join(parts)})"
    for path in sorted((folder / "rows").glob("*.*")):
        if path.suffix == ".parquet":
            yield path.stem, f"read_parquet({literal(path)})"
        elif path.suffix == ".ndjson":
            types = msgspec.json.decode(path.with_suffix(TYPES).read_bytes(), type=dict[str, str])
            yield path.stem, reading_lines(path, types)
