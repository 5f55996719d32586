"""Moves what was committed from the write-ahead log into the file, beside the commits. Reads: connection.py.

SQLite does that inside every so-manieth commit, which then takes some ten milliseconds longer. Here the writer's
thread copies on a connection of its own while commits go on; the next commit copies the little that came meanwhile,
so that the write-ahead log can start over. It does so after few pages at first: a log that grows costs each commit a
tenth, and one that is as long already can be written over for nothing. Read next: writer.py.
"""

from __future__ import annotations

from contextlib import suppress

import apsw

from headwater.backends.sqlite.connection import SqliteFile, connect
from headwater.backends.sqlite.driver import Connection
from headwater.errors import StoreError

_FIRST_PAGES = 1_000
_MORE_PAGES = 500


class Checkpoints:
    """When to copy, and the connection for it. A copy that fails is tried again; commits tell what is wrong."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._connection: Connection | None = None
        self._seen_pages = 0
        self._most_pages = file.kind.wal_pages
        self._every_pages = self._next_at_pages = min(_FIRST_PAGES, self._most_pages)
        self._due = False
        self._copied = False

    def committed(self, connection: Connection, pages: int) -> bool:
        """Learn how many pages the write-ahead log has after a commit; true if ``copy`` should be called soon."""
        if pages < self._seen_pages:  # it started over
            self._every_pages = min(self._every_pages + _MORE_PAGES, self._most_pages)
            self._next_at_pages = self._every_pages
        self._seen_pages = pages
        if self._copied:
            self._copied = False
            _copy(connection)
        elif pages >= self._next_at_pages and not self._due:
            self._next_at_pages = pages + self._every_pages
            self._due = True
            return True
        return False

    def copy(self) -> None:
        """On the writer's thread: copy what there is, if that is due."""
        if not self._due:
            return
        try:
            if self._connection is None:
                self._connection = connect(self._file)
            _copy(self._connection)
        except StoreError:
            self.close()
        self._copied = True
        self._due = False

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close(force=True)
            self._connection = None


def _copy(connection: Connection) -> None:
    with suppress(apsw.Error):
        connection.wal_checkpoint()
