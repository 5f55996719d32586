"""Opens connections to one SQLite file, all set up alike. Reads: driver.py, errors.py. Read next: schema.py.

A file has one writing connection per store and any number of reading ones. Readers see a snapshot and never block the
writer (write-ahead log); ``query_only`` makes a reader that tries to write fail.
"""

from __future__ import annotations

import os
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Literal
from urllib.parse import parse_qsl, quote, unquote

import apsw
import msgspec

from headwater.backends.sqlite.driver import Connection
from headwater.backends.sqlite.errors import read_only_error, translated
from headwater.errors import StoreCorrupt, StoreIOError, UnsupportedUrl

Durability = Literal["full", "relaxed"]
Commits = Literal["auto", "thread"]
_SYNCHRONOUS = {"full": "FULL", "relaxed": "NORMAL"}
_SCHEME = "sqlite:///"
_WAL_BYTES_KEPT = 64 << 20
_RETRY_SECONDS = 0.005


class FileKind(msgspec.Struct, frozen=True):
    """What a file holds: ``application_id`` stands in its header, so that no other file is taken for one.

    After so many ``wal_pages`` the write-ahead log is copied into the file. Of an event log that is done beside the
    commits, so seldom is better, up to what SQLite finds its way about with one table (4,062 pages).
    """

    name: str
    application_id: int
    wal_pages: int


EVENT_LOG = FileKind("event log", 0x48574C47, 3_500)
READ_STORE = FileKind("read store", 0x48575253, 1_000)


class SqliteFile(msgspec.Struct, frozen=True, kw_only=True):
    """Which file, and how: ``relaxed`` durability survives a crash, but may lose the last commits at a power cut.

    With ``commits="thread"`` an event loop never waits for the disk itself; ``auto`` lets it as long as that is quick.
    """

    path: str
    kind: FileKind = EVENT_LOG
    durability: Durability = "full"
    commits: Commits = "auto"
    busy_timeout_seconds: float = 5.0
    cache_kibibytes: int = 16_384

    @classmethod
    def of_url(cls, url: str) -> SqliteFile:
        """``sqlite:///relative.db`` or ``sqlite:////absolute.db``, options after ``?``. Raises ``UnsupportedUrl``.

        What is relative is so to the directory of now: connections that are made later are to the same file.
        """
        address, _, query = url.partition("?")
        path = unquote(address.removeprefix(_SCHEME))
        if not address.startswith(_SCHEME) or path in ("", ":memory:") or "\0" in path:
            remedy = "write sqlite:///file.db; what lives in memory is memory:"
            raise UnsupportedUrl(f"{url!r} names no SQLite file", remedy=remedy, url=url)
        path = str(Path(path).absolute())
        options = dict(parse_qsl(query, keep_blank_values=True))
        unknown = sorted(options.keys() - _OPTIONS.keys())
        if unknown:
            known = ", ".join(sorted(_OPTIONS))
            raise UnsupportedUrl(f"unknown option {unknown[0]!r} in {url!r}", remedy=f"known are: {known}", url=url)
        try:
            return msgspec.convert({"path": path, **{_OPTIONS[k]: v for k, v in options.items()}}, cls, strict=False)
        except msgspec.ValidationError as error:
            remedy = "durability is full or relaxed, commits is auto or thread, busy_timeout is in seconds"
            raise UnsupportedUrl(f"{url!r} has a bad option: {error}", remedy=remedy, url=url) from None


_OPTIONS = {"durability": "durability", "commits": "commits", "busy_timeout": "busy_timeout_seconds"}


def connect(file: SqliteFile, *, read_only: bool = False) -> Connection:
    """A connection in write-ahead mode; the file is made if it is missing, unless ``read_only``.

    A file that is no ``file.kind`` is left as it is. Raises ``StoreReadOnly``, ``StoreCorrupt``, ``StoreBusy``,
    ``StoreIOError``.
    """
    directory = Path(file.path).absolute().parent
    if not directory.is_dir():
        raise StoreIOError(f"there is no directory {directory}", remedy="make it first", path=file.path)
    flags = apsw.SQLITE_OPEN_READWRITE | (0 if read_only else apsw.SQLITE_OPEN_CREATE)
    path = file.path
    if read_only and is_on_fixed_medium(path):
        path, flags = _unchanging(path), apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    with translated(file.path):
        connection: Connection = _open(path, flags)
        try:
            _set_up(connection, file, read_only=read_only)
        except BaseException:
            connection.close(force=True)
            raise
    return connection


def is_on_fixed_medium(path: str) -> bool:
    """Whether the file is where nobody can write, as on a disc or a snapshot that is mounted to be read."""
    asked = getattr(os, "statvfs", None)
    if asked is None or not Path(path).exists():
        return False
    return bool(asked(path).f_flag & os.ST_RDONLY)


def _unchanging(path: str) -> str:
    """The name under which SQLite reads a file of the write-ahead mode without the files it else needs beside it."""
    wal = Path(f"{path}-wal")
    if wal.exists() and wal.stat().st_size:
        raise StoreIOError(
            f"{path} is on a read-only medium, and its last commits are in {wal.name} beside it",
            remedy="copy both files to where they can be written, and open the copy",
            path=path,
        )
    return f"file:{quote(str(Path(path).absolute()))}?immutable=1"


def _open(path: str, flags: int) -> Any:
    connection = apsw.Connection(path, flags=flags)
    # Plans must not depend on bound values: SQLite would prepare a statement anew at each call, at thrice the cost.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    return connection


def _set_up(connection: Connection, file: SqliteFile, *, read_only: bool) -> None:
    connection.set_busy_timeout(int(file.busy_timeout_seconds * 1000))
    connection.execute(f"PRAGMA cache_size=-{file.cache_kibibytes}")
    _refuse_foreign(connection, file)
    if read_only:
        connection.execute("PRAGMA query_only=ON")
        return
    if connection.readonly("main"):  # SQLite falls back to reading silently when the file is write-protected
        raise read_only_error(file.path)
    # A statement of many rows can be undone by itself; without this, SQLite keeps what that takes in a temporary file.
    connection.execute("PRAGMA temp_store=MEMORY")
    _write_ahead(connection, file)
    connection.execute(f"PRAGMA synchronous={_SYNCHRONOUS[file.durability]}")
    connection.execute(f"PRAGMA wal_autocheckpoint={file.kind.wal_pages}")
    connection.execute(f"PRAGMA journal_size_limit={_WAL_BYTES_KEPT}")


def _write_ahead(connection: Connection, file: SqliteFile) -> None:
    """Switch a file to write-ahead mode. SQLite does not wait for others who are about to do the same, so this does."""
    give_up = monotonic() + file.busy_timeout_seconds
    while True:
        try:
            connection.pragma("journal_mode", "wal")
            return
        except apsw.BusyError:
            if monotonic() > give_up:
                raise
            sleep(_RETRY_SECONDS)


def _refuse_foreign(connection: Connection, file: SqliteFile) -> None:
    found = connection.pragma("application_id")
    empty = connection.execute("SELECT count(*) FROM sqlite_schema").get == 0
    if found != file.kind.application_id and not (empty and found == 0):
        raise StoreCorrupt(
            f"{file.path} is an SQLite file, but no Headwater {file.kind.name}",
            remedy="give the path of one, or of a file that does not exist yet",
            path=file.path,
        )
