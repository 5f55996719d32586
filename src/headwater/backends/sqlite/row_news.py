"""Whether another process has written to the file of a read store. Reads: connection.py. Read next: read_store.py.

Files tell nobody, so somebody has to look. ``PRAGMA data_version`` on a connection of its own is one look at shared
memory, without a lock and without a page read: it changes with each commit of any other connection.
"""

from __future__ import annotations

import asyncio

import apsw

from headwater.backends.sqlite.connection import SqliteFile, connect
from headwater.backends.sqlite.driver import Connection
from headwater.backends.sqlite.errors import store_error
from headwater.errors import StoreClosed

_LOOK_SECONDS = 0.01


class FileNews:
    """See ``News``. It looks only when it is asked, however many wait for the answer."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._connection: Connection | None = None
        self._seen = -1
        self._closed = False

    def heard(self) -> bool:
        """See ``News.heard``. Raises ``StoreError``."""
        if self._closed:
            raise StoreClosed("the read store is closed", remedy="open it again")
        try:
            if self._connection is None:
                self._connection = connect(self._file, read_only=True)
            found: int = self._connection.execute("PRAGMA data_version").fetchall()[0][0]
        except apsw.Error as error:
            raise store_error(error, self._file.path) from error
        is_new, self._seen = found != self._seen, found
        return is_new

    async def wait(self) -> None:
        """See ``News.wait``."""
        await asyncio.sleep(_LOOK_SECONDS)

    def close(self) -> None:
        """Look no more."""
        self._closed = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None
