"""What only SQLite can say of a log: its pages, its schema and triggers, its index, its place on the disk.

Reads: connection.py, schema.py. Read next: headwater/integration/verify.py (what holds for every backend).
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec

from headwater.backends.sqlite.connection import EVENT_LOG, FileKind, SqliteFile, connect
from headwater.backends.sqlite.driver import Connection
from headwater.backends.sqlite.errors import translated
from headwater.backends.sqlite.lanes import Lanes, Types
from headwater.backends.sqlite.reading import EventReader
from headwater.backends.sqlite.schema import prepare
from headwater.backends.sqlite.statements import statement
from headwater.backends.sqlite.writer import EVENT_LOG_SCHEMA
from headwater.errors import StoreCorrupt, StoreIOError
from headwater.event_store.protocol import ALL, EventQuery, Slice
from headwater.integration.verify import Check, checked

_IN_MEMORY = SqliteFile(path=":memory:")
_MOST_FAULTS = 100


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A log's file: sizes in bytes, how it is written, its schema version, and whether this user may write it."""

    path: str
    file_bytes: int
    wal_bytes: int
    free_bytes: int
    journal_mode: str
    synchronous: str
    schema_version: int
    known_version: int
    permissions: str
    writable: bool


def existing_file(url: str) -> SqliteFile:
    """The file that the URL names. Raises ``StoreIOError`` if there is none, for those who must not make one."""
    file = SqliteFile.of_url(url)
    if not Path(file.path).exists():
        remedy = "give the URL of a log, or send a command first"
        raise StoreIOError(f"there is no log at {file.path}", remedy=remedy, path=file.path)
    return file


def version_of_file(url: str, kind: FileKind = EVENT_LOG) -> int | None:
    """The schema version of a file of that kind, ``None`` if there is no file. Raises ``StoreError``."""
    file = msgspec.structs.replace(SqliteFile.of_url(url), kind=kind)
    if not Path(file.path).exists():
        return None
    with closing(connect(file, read_only=True)) as connection, translated(file.path):
        return _version(connection)


class FileLog:
    """The log in a file, to be read only."""

    def __init__(self, reader: EventReader) -> None:
        self._reader = reader

    async def head(self) -> int:
        """See ``EventStore.head``."""
        return self._reader.head()

    async def read(self, query: EventQuery = ALL, *, after: int = 0, limit: int | None = None) -> Slice:
        """See ``EventStore.read``."""
        return await self._reader.read(query, after, limit, backwards=False)


@contextmanager
def readable_log(url: str) -> Generator[FileLog, None, None]:
    """The log in the file that the URL names, to be read only: nothing is made or changed beside it either.

    Raises ``StoreCorrupt``, ``StoreIOError``, ``SchemaTooNew``, ``SchemaOutdated``.
    """
    file = existing_file(url)
    with closing(connect(file, read_only=True)) as connection:
        prepare(connection, EVENT_LOG_SCHEMA, file, migrate=False)
    with closing(Lanes(file)) as lanes:
        yield FileLog(EventReader(lanes, Types()))


def file_facts(url: str) -> FileFacts:
    """How the log's file stands. Changes nothing. Raises ``StoreError`` if it cannot be opened."""
    file = existing_file(url)
    path = Path(file.path)
    wal = Path(f"{file.path}-wal")
    with closing(connect(file, read_only=True)) as connection, translated(file.path):
        journal_mode = str(connection.pragma("journal_mode"))
        version = _version(connection)
    return FileFacts(
        path=str(path.absolute()),
        file_bytes=path.stat().st_size,
        wal_bytes=wal.stat().st_size if wal.exists() else 0,
        free_bytes=shutil.disk_usage(path.absolute().parent).free,
        journal_mode=journal_mode,
        synchronous="FULL" if file.durability == "full" else "NORMAL",
        schema_version=version,
        known_version=EVENT_LOG_SCHEMA.version,
        permissions=stat.filemode(path.stat().st_mode),
        writable=os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK),
    )


def file_checks(url: str) -> tuple[Check, ...]:
    """SQLite's own check of its pages, then the schema with its triggers, then the indexes, both ways.

    Raises ``StoreError`` if the file cannot even be opened.
    """
    file = existing_file(url)
    with closing(connect(file, read_only=True)) as connection:
        return tuple(
            _checked(name, connection, how_many, find)
            for name, how_many, find in (
                ("the file's pages are sound", "PRAGMA page_count", _page_faults),
                (
                    "the schema and its immutability triggers are in place",
                    "SELECT count(*) FROM sqlite_schema",
                    _schema_faults,
                ),
                ("every event has a type", "SELECT count(*) FROM events", _type_faults),
                ("no event id is stored twice", "SELECT count(*) FROM events", _repeated_ids),
                ("every event is indexed by id and type", "SELECT position FROM indexed_up_to", _missing_events),
                ("every index entry has its event", "SELECT count(*) FROM event_ids", _extra_entries),
                ("every tag of an event is indexed", "SELECT count(*) FROM events", _missing_tags),
                ("every index entry is a tag of its event", "SELECT count(*) FROM event_tags", _extra_tags),
            )
        )


def _checked(name: str, connection: Connection, how_many: str, find: Callable[[Connection], Iterable[str]]) -> Check:
    """Run one check. Damage that stops the check is its fault."""
    try:
        with translated("the file"):
            return checked(name, connection.execute(how_many).get, list(find(connection)))
    except StoreCorrupt as error:
        return checked(name, 0, [error.message])


def _page_faults(connection: Connection) -> Iterator[str]:
    for (found,) in connection.execute(f"PRAGMA integrity_check({_MOST_FAULTS})"):
        if found != "ok":
            yield str(found)


def _schema_faults(connection: Connection) -> Iterator[str]:
    """What stands otherwise than in a fresh file of this version."""
    found = _objects(connection)
    with closing(connect(_IN_MEMORY)) as fresh:
        prepare(fresh, EVENT_LOG_SCHEMA, _IN_MEMORY)
        expected = _objects(fresh)
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            yield f"{name} is missing"
        elif name not in expected:
            yield f"{name} does not belong here"
        elif found[name] != expected[name]:
            yield f"{name} was changed"


def _version(connection: Connection) -> int:
    if not connection.table_exists(None, "schema_version"):
        return 0
    found = connection.execute(statement("schema_version")).get
    return found if isinstance(found, int) else 0


def _objects(connection: Connection) -> dict[str, str]:
    rows = connection.execute("SELECT type, name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")
    return {f"{kind} {name}": sql for kind, name, sql in rows}


def _rows_of(name: str, words: str) -> Callable[[Connection], Iterator[str]]:
    """Finds what a statement finds, a row each, put into these words."""

    def find(connection: Connection) -> Iterator[str]:
        for row in connection.execute(statement(name)):
            yield words.format(*row)

    return find


_type_faults = _rows_of("events_without_type", "{}: type number {} has no name")
_repeated_ids = _rows_of("ids_stored_twice", "{}: another event has its id {}")
_missing_events = _rows_of("events_missing_in_indexes", "{}: is not in the index by {}")
_extra_entries = _rows_of("entries_without_event", "{}: the index by {} has another event there")
_missing_tags = _rows_of("tags_missing_in_index", "{}: {} is not indexed")
_extra_tags = _rows_of("tags_only_in_index", "{}: the index says {}, the event does not")
