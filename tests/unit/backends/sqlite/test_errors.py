"""Driver errors become domain errors by result code."""

from __future__ import annotations

import apsw
import pytest

from headwater.backends.sqlite import errors
from headwater.backends.sqlite.errors import store_error, translated
from headwater.errors import (
    OutcomeUnknown,
    StoreBusy,
    StoreClosed,
    StoreCorrupt,
    StoreFull,
    StoreIOError,
    StoreReadOnly,
)


@pytest.mark.parametrize(
    ("code", "committing", "expected"),
    [
        (apsw.SQLITE_FULL, False, StoreFull),
        (apsw.SQLITE_FULL, True, StoreFull),
        (apsw.SQLITE_BUSY, False, StoreBusy),
        (apsw.SQLITE_BUSY_SNAPSHOT, False, StoreBusy),
        (apsw.SQLITE_LOCKED, False, StoreBusy),
        (apsw.SQLITE_CORRUPT, False, StoreCorrupt),
        (apsw.SQLITE_CORRUPT_INDEX, True, StoreCorrupt),
        (apsw.SQLITE_NOTADB, False, StoreCorrupt),
        (apsw.SQLITE_READONLY, False, StoreReadOnly),
        (apsw.SQLITE_READONLY_DIRECTORY, False, StoreReadOnly),
        (apsw.SQLITE_PERM, False, StoreReadOnly),
        (apsw.SQLITE_IOERR_READ, False, StoreIOError),
        (apsw.SQLITE_IOERR_WRITE, False, StoreIOError),
        (apsw.SQLITE_IOERR_FSYNC, True, OutcomeUnknown),
        (apsw.SQLITE_IOERR_SHMSIZE, True, OutcomeUnknown),
        (apsw.SQLITE_CANTOPEN, False, StoreIOError),
    ],
)
def test_each_code_has_its_error(tmp_path, code, committing, expected):
    """The cause is kept, the remedy named; an I/O error while committing leaves the outcome open."""
    cause = apsw.exception_for(code)
    error = store_error(cause, str(tmp_path / "log.db"), committing=committing)
    assert type(error) is expected
    assert error.remedy
    assert error.__cause__ is cause


def test_a_shared_memory_file_that_cannot_grow_is_a_full_disk(tmp_path, monkeypatch):
    """SQLite calls it an I/O error; the file system knows better."""
    monkeypatch.setattr(errors, "_no_space", lambda path: True)
    cause = apsw.exception_for(apsw.SQLITE_IOERR_SHMSIZE)
    assert type(store_error(cause, str(tmp_path / "log.db"))) is StoreFull


@pytest.mark.parametrize(("cause", "expected"), [(PermissionError(), StoreReadOnly), (OSError(5, "x"), StoreIOError)])
def test_errors_of_the_system_are_typed_too(cause, expected):
    """Not everything comes from the driver."""
    assert type(store_error(cause, "log.db")) is expected


def test_domain_errors_pass_unchanged():
    """They are system errors by inheritance, and must not be wrapped again."""
    closed = StoreClosed("closed")
    with pytest.raises(StoreClosed) as raised, translated("log.db"):
        raise closed
    assert raised.value is closed
