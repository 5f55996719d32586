"""Whether anybody has committed to a file since: one look at memory. Reads: connection.py. Read next: row_news.py.

The head of the wal-index, which all connections to a file share, counts and sums up every commit. As long as its bytes
are the same, SQLite takes nothing for committed, and neither does this, which never looks at what they mean. ``PRAGMA
data_version`` says the same at forty times the price, because it takes and leaves a lock. It is asked where there is no
such memory, as on a medium that is only read. See https://sqlite.org/walformat.html#the_wal_index_file_format.
"""

from __future__ import annotations

import ctypes
from typing import TypeAlias

import apsw

from headwater.backends.sqlite.connection import SqliteFile, connect, is_on_fixed_medium
from headwater.backends.sqlite.driver import Connection
from headwater.backends.sqlite.errors import translated
from headwater.errors import StoreClosed

Stamp: TypeAlias = bytes | int
_HEAD_BYTES = 96
_REGION_BYTES = 32_768


class CommitStamps:
    """Stamps of one file, by a connection of its own, which also keeps the shared memory where it is."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._connection: Connection | None = None
        self._head: ctypes.Array[ctypes.c_char] | None = None
        self._closed = False

    def now(self) -> Stamp:
        """What equals an earlier stamp only if nobody has committed since that was taken. Raises ``StoreError``."""
        if self._head is not None:
            return self._head.raw
        if self._closed:
            raise StoreClosed("the read store is closed", remedy="open it again")
        with translated(self._file.path):
            if self._connection is None:
                self._connection = connect(self._file, read_only=True)
                self._connection.pragma("data_version")  # whoever has read has the memory at hand
                if not is_on_fixed_medium(self._file.path):
                    self._head = _head_of(self._connection)
                    return self.now()
            version: int = self._connection.pragma("data_version")
            return version

    def close(self) -> None:
        """Take no more of them."""
        self._closed, self._head = True, None
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _head_of(connection: Connection) -> ctypes.Array[ctypes.c_char] | None:
    """Both copies of the wal-index's head; ``None`` if the file has none or the system shares it in another way."""
    if connection.pragma("journal_mode") != "wal":
        return None
    file, found = ctypes.POINTER(_File)(), ctypes.c_void_p()
    if not connection.file_control("main", apsw.SQLITE_FCNTL_FILE_POINTER, ctypes.addressof(file)):
        return None
    methods = file.contents.methods.contents
    if methods.version < _SHARES_MEMORY or methods.map_shared(file, 0, _REGION_BYTES, 0, ctypes.byref(found)):
        return None
    return (ctypes.c_char * _HEAD_BYTES).from_address(found.value) if found.value else None


_SHARES_MEMORY = 2


class _Methods(ctypes.Structure):
    """``sqlite3_io_methods``, as far as the version that shares memory needs it: https://sqlite.org/c3ref/io_methods.html."""


class _File(ctypes.Structure):
    """``sqlite3_file``: https://sqlite.org/c3ref/file.html."""

    _fields_ = (("methods", ctypes.POINTER(_Methods)),)


_Methods._fields_ = (
    ("version", ctypes.c_int),
    ("methods_of_version_1", ctypes.c_void_p * 12),
    (
        "map_shared",
        ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_File), *(ctypes.c_int,) * 3, ctypes.POINTER(ctypes.c_void_p)),
    ),
)
