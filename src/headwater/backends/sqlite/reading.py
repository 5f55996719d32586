"""Reads slices of the event log. Reads: plans.py, connection.py. Read next: ledger.py.

A short read runs where it is asked for, on the event loop's thread: it takes some 20 microseconds, a hop to a thread
three times that. A long one goes on in a worker thread, in the same snapshot; one that looks at much and finds little
is broken off after a budget of virtual-machine steps and run again there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from itertools import islice
from typing import Any

import apsw

from headwater.backends.sqlite.connection import SqliteFile, connect
from headwater.backends.sqlite.driver import Cursor, Row
from headwater.backends.sqlite.errors import store_error
from headwater.backends.sqlite.plans import BODY, plan
from headwater.backends.sqlite.statements import statement
from headwater.event_store.bodies import Bodies
from headwater.event_store.protocol import EventQuery, RecordedEvent, Slice, Snapshot

TAG_SEPARATOR = "\x1f"
_INLINE_ROWS = 256
_INLINE_STEPS = 100_000
_LANES_KEPT = 8


class EventReader:
    """Reads of one log, on any thread: each read borrows a lane, a connection of its own."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._idle: deque[_Lane] = deque()
        self._closed = False
        self._type_ids: dict[str, int] = {}
        self._type_names: dict[int, str] = {}
        self._read_head = statement("read_head")
        self._load_snapshot = statement("load_snapshot")

    async def read(self, query: EventQuery, after: int, limit: int | None, *, backwards: bool) -> Slice:
        """The matching events and the log's head, both from one snapshot."""
        lane = self._take()
        lane.limited, lane.spent = True, 0
        try:
            # An open statement pins the snapshot until it is read to its end, which is cheaper than BEGIN and COMMIT.
            head = lane.connection.execute(self._read_head)
            rows = self._begin(lane, query, after, limit, backwards=backwards)
            events = self._events(lane, islice(rows, _INLINE_ROWS))
            found = len(events)
            if found < _INLINE_ROWS or found == limit:
                rows.close()
                made = Slice(events, head.fetchall()[0][0])
                self._give(lane)
                return made
        except apsw.InterruptError:  # it looks at much and finds little: begin again in a worker thread
            lane.drop()
            return await _in_thread(self._read_at_length, query, after, limit, backwards)
        except apsw.Error as error:
            raise self._failed(lane, error) from error
        return await _in_thread(self._finish, lane, head, rows, events)

    def bodies(self, query: EventQuery, after: int) -> Bodies | None:
        """All matching events as they are stored, and the head; ``None`` if they are many or take many steps."""
        lane = self._take()
        lane.limited, lane.spent = True, 0
        try:
            head = lane.execute_head(self._read_head)
            sql, values = plan(query, self._types_of(lane, query), after, _INLINE_ROWS + 1, columns=BODY)
            rows = lane.execute(sql, values).fetchall()
            found = Bodies(rows, self._names_in(lane, query, rows), head.fetchall()[0][0])
        except apsw.InterruptError:
            lane.drop()
            return None
        except apsw.Error as error:
            raise self._failed(lane, error) from error
        self._give(lane)
        return found if len(rows) <= _INLINE_ROWS else None

    def head(self) -> int:
        """The last position, 0 for an empty log."""
        lane = self._take()
        lane.limited = False
        try:
            found: int = lane.connection.execute(self._read_head).fetchall()[0][0]
        except apsw.Error as error:
            raise self._failed(lane, error) from error
        self._give(lane)
        return found

    def load_snapshot(self, key: str) -> Snapshot | None:
        """The snapshot of that key."""
        lane = self._take()
        lane.limited = False
        try:
            found = lane.connection.execute(self._load_snapshot, (key,)).fetchall()
        except apsw.Error as error:
            raise self._failed(lane, error) from error
        self._give(lane)
        return Snapshot(*found[0]) if found else None

    def close(self) -> None:
        """Close the lanes, those in use when they come back."""
        self._closed = True
        while self._idle:
            self._idle.pop().drop()

    # -- one read

    def _begin(self, lane: _Lane, query: EventQuery, after: int, limit: int | None, *, backwards: bool) -> Cursor:
        sql, values = plan(query, self._types_of(lane, query), after, limit, backwards=backwards)
        return lane.connection.execute(sql, values)

    def _types_of(self, lane: _Lane, query: EventQuery) -> dict[str, int]:
        """The ids of the types in a query."""
        known = self._type_ids
        for item in query.items:
            for name in item.types:
                if name not in known:  # looked up in the pinned snapshot, so a type is missing only if its events are
                    known = self._learn_types(lane)
        return known

    def _names_in(self, lane: _Lane, query: EventQuery, rows: list[Row]) -> dict[int, str]:
        """The names of all types. Rows of types that the query does not name may bring new ones."""
        known = self._type_names
        if query.items and all(item.types for item in query.items):
            return known
        if any(type_id not in known for _, type_id, _, _ in rows):
            self._learn_types(lane)
        return self._type_names

    def _events(self, lane: _Lane, rows: Iterable[Row]) -> list[RecordedEvent]:
        """Rows as events. Neighbours often have the same tags, so their tuple is made once."""
        names = self._type_names
        tuples: dict[str, tuple[str, ...]] = {"": ()}
        made: list[RecordedEvent] = []
        for position, type_id, version, data, text, metadata, raw_id, recorded_us in rows:
            tags = tuples.get(text)
            if tags is None:
                tags = tuples[text] = tuple(text.split(TAG_SEPARATOR))
            if type_id not in names:
                self._learn_types(lane)
                names = self._type_names
            made.append(RecordedEvent(position, names[type_id], version, data, tags, metadata, raw_id, recorded_us))
        return made

    def _learn_types(self, lane: _Lane) -> dict[str, int]:
        rows = lane.connection.execute(statement("load_type_names")).fetchall()
        self._type_names = dict(rows)
        self._type_ids = {name: type_id for type_id, name in rows}
        return self._type_ids

    def _finish(self, lane: _Lane, head: Cursor, rows: Cursor, events: list[RecordedEvent]) -> Slice:
        lane.limited = False
        try:
            events += self._events(lane, rows)
            made = Slice(events, head.fetchall()[0][0])
        except apsw.Error as error:
            raise self._failed(lane, error) from error
        self._give(lane)
        return made

    def _read_at_length(self, query: EventQuery, after: int, limit: int | None, backwards: bool) -> Slice:  # noqa: FBT001
        lane = self._take()
        lane.limited = False
        try:
            head = lane.connection.execute(self._read_head)
            rows = self._begin(lane, query, after, limit, backwards=backwards)
        except apsw.Error as error:
            raise self._failed(lane, error) from error
        return self._finish(lane, head, rows, [])

    # -- lanes

    def _take(self) -> _Lane:
        try:
            return self._idle.pop()
        except IndexError:
            return _Lane(self._file)

    def _give(self, lane: _Lane) -> None:
        if self._closed or len(self._idle) >= _LANES_KEPT:
            lane.drop()
        else:
            self._idle.append(lane)

    def _failed(self, lane: _Lane, error: apsw.Error) -> Exception:
        lane.drop()
        return store_error(error, self._file.path)


class _Lane:
    """A reading connection. While ``limited``, a read ends in ``InterruptError`` when it takes too many steps."""

    __slots__ = ("connection", "execute", "execute_head", "limited", "spent")

    def __init__(self, file: SqliteFile) -> None:
        self.limited = False
        self.spent = 0
        self.connection = connect(file, read_only=True)
        self.execute = self.connection.cursor().execute
        self.execute_head = self.connection.cursor().execute
        self.connection.set_progress_handler(self._over_budget, _INLINE_STEPS)

    def _over_budget(self) -> bool:
        """SQLite counts steps through all reads of a statement, so the first call of a read may come at once."""
        self.spent += 1
        return self.limited and self.spent > 1

    def drop(self) -> None:
        """Close the connection."""
        self.connection.close(force=True)


async def _in_thread(function: Any, *arguments: Any) -> Slice:
    made: Slice = await asyncio.get_running_loop().run_in_executor(None, function, *arguments)
    return made
