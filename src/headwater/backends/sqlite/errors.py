"""Driver errors become domain errors here, by result code. Reads: headwater.errors. Read next: connection.py."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
import msgspec

from headwater.errors import (
    OutcomeUnknown,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreIOError,
    StoreReadOnly,
)

MISSHAPEN = (TypeError, ValueError, AttributeError, LookupError, ArithmeticError, msgspec.MsgspecError)
"""What comes of reading a row of a lost page, which SQLite takes for one without values."""
_PRIMARY = 0xFF
_READ_ONLY = {apsw.SQLITE_READONLY, apsw.SQLITE_PERM, apsw.SQLITE_AUTH}
_BUSY = {apsw.SQLITE_BUSY, apsw.SQLITE_LOCKED}
_DAMAGED = {apsw.SQLITE_CORRUPT, apsw.SQLITE_NOTADB, apsw.SQLITE_FORMAT}
_NEEDS_SPACE = {apsw.SQLITE_IOERR_SHMSIZE, apsw.SQLITE_IOERR_SHMOPEN, apsw.SQLITE_IOERR_WRITE}
_PAGE_BYTES = 65_536


def store_error(error: Exception, path: str, *, committing: bool = False) -> StoreError:
    """The domain error for what the driver or the system raised while working on ``path``.

    ``committing`` says that a COMMIT was under way: an I/O error then leaves the outcome open, because the frames may
    already stand in the write-ahead log. A full disk does not: the frame that makes a commit valid is written last.
    """
    made = _by_code(error, path, committing=committing)
    made.__cause__ = error
    return made


def damaged(path: str) -> StoreError:
    """The domain error for damage that SQLite did not notice."""
    return store_error(apsw.exception_for(apsw.SQLITE_CORRUPT), path)


@contextmanager
def translated(path: str, *, committing: bool = False) -> Generator[None, None, None]:
    """Raise the domain error for every driver error in the block."""
    try:
        yield
    except (apsw.Error, OSError) as error:
        if isinstance(error, StoreError):
            raise
        raise store_error(error, path, committing=committing) from error


def _by_code(error: Exception, path: str, *, committing: bool) -> StoreError:
    if not isinstance(error, apsw.Error):
        return _of_system(error, path)
    extended: int = getattr(error, "extendedresult", 0)
    primary = extended & _PRIMARY
    facts: dict[str, Any] = {"path": path, "result_code": extended}
    if primary == apsw.SQLITE_FULL or (extended in _NEEDS_SPACE and not committing and _no_space(path)):
        return StoreFull(f"no space left for {path}", **facts)
    if primary in _BUSY:
        remedy = "another process holds the file: retry, or give a longer busy_timeout"
        return StoreBusy(f"{path} stayed locked", remedy=remedy, **facts)
    if primary in _DAMAGED:
        remedy = "give the path of a Headwater file, or restore this one from a backup"
        return StoreCorrupt(f"{path} is not an SQLite database, or is damaged", remedy=remedy, **facts)
    if primary in _READ_ONLY or (primary == apsw.SQLITE_CANTOPEN and not _writable(path)):
        return read_only_error(path, result_code=extended)
    if committing:
        return OutcomeUnknown(f"writing {path} failed while committing", **facts)
    if primary == apsw.SQLITE_CANTOPEN:
        remedy = "check that its directory exists and that it is a file"
        return StoreIOError(f"{path} cannot be opened", remedy=remedy, **facts)
    return StoreIOError(f"reading or writing {path} failed", remedy="check the disk and its free space", **facts)


def _of_system(error: Exception, path: str) -> StoreError:
    if isinstance(error, PermissionError):
        return read_only_error(path)
    return StoreIOError(f"{path} cannot be used: {error}", remedy="check the path and the disk", path=path)


def read_only_error(path: str, **facts: Any) -> StoreReadOnly:
    """The error for a file that this user may not write."""
    remedy = "make the file and its directory writable for this user"
    return StoreReadOnly(f"{path} cannot be written", remedy=remedy, path=path, **facts)


def _writable(path: str) -> bool:
    """Whether this user may write the file and its directory; a missing directory is another fault."""
    file = Path(path)
    directory = file.parent
    return not directory.is_dir() or (os.access(directory, os.W_OK) and (not file.exists() or os.access(file, os.W_OK)))


def _no_space(path: str) -> bool:
    """SQLite reports a failed growth of its shared-memory file as an I/O error, also when the disk is merely full."""
    try:
        room = os.statvfs(Path(path).parent)
    except OSError:
        return False
    return room.f_bavail * room.f_frsize < _PAGE_BYTES
