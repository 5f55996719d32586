"""Reading connections of one log, and the numbers of its event types. Reads: connection.py. Read next: reading.py."""

from __future__ import annotations

from collections import deque

from headwater.backends.sqlite.connection import SqliteFile, connect
from headwater.backends.sqlite.driver import Connection
from headwater.backends.sqlite.errors import MISSHAPEN, damaged, store_error
from headwater.backends.sqlite.statements import statement
from headwater.event_store.protocol import EventQuery

INLINE_ROWS = 256
"""More rows than that are not read on an event loop's thread."""
_INLINE_STEPS = 100_000
_LANES_KEPT = 8


class Lanes:
    """Lanes to borrow, on any thread."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._idle: deque[Lane] = deque()
        self._closed = False

    def take(self, *, limited: bool) -> Lane:
        """A lane for one read. While ``limited``, a read ends in ``InterruptError`` when it takes too many steps."""
        try:
            lane = self._idle.pop()
        except IndexError:
            lane = Lane(connect(self._file, read_only=True))
        lane.limited, lane.spent = limited, 0
        return lane

    def give(self, lane: Lane) -> None:
        """Give it back, with nothing open on it."""
        if self._closed or len(self._idle) >= _LANES_KEPT:
            lane.drop()
        else:
            self._idle.append(lane)

    def failed(self, lane: Lane, error: Exception) -> Exception:
        """Drop a lane after an error; what to tell the caller."""
        lane.drop()
        return damaged(self._file.path) if isinstance(error, MISSHAPEN) else store_error(error, self._file.path)

    def close(self) -> None:
        """Close the lanes, those in use when they come back."""
        self._closed = True
        while self._idle:
            self._idle.pop().drop()


class Lane:
    """A connection to read from."""

    __slots__ = ("connection", "execute", "limited", "spent")

    def __init__(self, connection: Connection) -> None:
        self.limited = False
        self.spent = 0
        self.connection = connection
        self.execute = connection.cursor().execute
        connection.set_progress_handler(self._over_budget, _INLINE_STEPS)

    def _over_budget(self) -> bool:
        """SQLite counts steps through all reads of a statement, so the first call of a read may come at once."""
        self.spent += 1
        return self.limited and self.spent > 1

    def drop(self) -> None:
        """Close the connection."""
        self.connection.close(force=True)


class Types:
    """The event types of a log and their numbers, as far as they were met. A number keeps its name."""

    def __init__(self) -> None:
        self.ids: dict[str, int] = {}
        self.names: dict[int, str] = {}

    def learn(self, lane: Lane) -> None:
        """Look up all there are."""
        rows = lane.connection.execute(statement("load_type_names")).fetchall()
        self.names = {**self.names, **dict(rows)}
        self.ids = {name: type_id for type_id, name in self.names.items()}

    def knows(self, query: EventQuery) -> bool:
        """Whether all types of the query were met."""
        known = self.ids
        return all(name in known for item in query.items for name in item.types)

    def of(self, query: EventQuery, lane: Lane) -> dict[str, int]:
        """The numbers for a query; what has none is looked up, and then has no events in the lane's snapshot."""
        if not self.knows(query):
            self.learn(lane)
        return self.ids
