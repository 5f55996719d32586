"""Reads slices of the event log. Reads: plans.py, lanes.py. Read next: bodies.py, ledger.py.

A short read runs where it is asked for, on the event loop's thread: it takes some 20 microseconds, a hop to a thread
three times that. A long one goes on in a worker thread, in the same snapshot; one that looks at much and finds little
is broken off after a budget of virtual-machine steps and run again there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any, TypeVar

import apsw

from headwater.backends.sqlite.driver import Cursor, Row, Value
from headwater.backends.sqlite.errors import MISSHAPEN
from headwater.backends.sqlite.lanes import INLINE_ROWS, Lane, Lanes, Types
from headwater.backends.sqlite.plans import plan
from headwater.backends.sqlite.statements import statement
from headwater.event_store.protocol import EventQuery, RecordedEvent, Slice, Snapshot

T = TypeVar("T")

TAG_SEPARATOR = "\x1f"


class EventReader:
    """Reads of one log, on any thread: each read borrows a lane, a connection of its own."""

    def __init__(self, lanes: Lanes, types: Types) -> None:
        self._lanes = lanes
        self._types = types
        self._read_head = statement("read_head")
        self._load_snapshot = statement("load_snapshot")
        self._load_sizes = statement("load_sizes")

    async def read(self, query: EventQuery, after: int, limit: int | None, *, backwards: bool) -> Slice:
        """The matching events and the log's head, both from one snapshot."""
        lane = self._lanes.take(limited=True)
        try:
            # An open statement pins the snapshot until it is read to its end, which is cheaper than BEGIN and COMMIT.
            head = lane.connection.execute(self._read_head)
            rows = self._begin(lane, query, after, limit, backwards=backwards)
            events = self._events(lane, islice(rows, INLINE_ROWS))
            found = len(events)
            if found < INLINE_ROWS or found == limit:
                rows.close()
                made = Slice(events, head.fetchall()[0][0])
                self._lanes.give(lane)
                return made
        except apsw.InterruptError:  # it looks at much and finds little: begin again in a worker thread
            lane.drop()
            return await _in_thread(self._read_at_length, query, after, limit, backwards)
        except (apsw.Error, *MISSHAPEN) as error:
            raise self._lanes.failed(lane, error) from error
        return await _in_thread(self._finish, lane, head, rows, events)

    def head(self) -> int:
        """The last position, 0 for an empty log."""
        return int(self._rows(self._read_head)[0][0])

    async def sizes(self, after: int, limit: int) -> list[int]:
        """How large the events after that position are."""
        rows = await _in_thread(self._rows, self._load_sizes, (after, limit))
        return [row[0] for row in rows]

    def load_snapshot(self, key: str) -> Snapshot | None:
        """The snapshot of that key."""
        found = self._rows(self._load_snapshot, (key,))
        return Snapshot(*found[0]) if found else None

    def _rows(self, sql: str, values: Sequence[Value] = ()) -> list[Row]:
        lane = self._lanes.take(limited=False)
        try:
            found = lane.connection.execute(sql, values).fetchall()
        except apsw.Error as error:
            raise self._lanes.failed(lane, error) from error
        self._lanes.give(lane)
        return found

    # -- one read

    def _begin(self, lane: Lane, query: EventQuery, after: int, limit: int | None, *, backwards: bool) -> Cursor:
        sql, values = plan(query, self._types.of(query, lane), after, limit, backwards=backwards)
        return lane.connection.execute(sql, values)

    def _events(self, lane: Lane, rows: Iterable[Row]) -> list[RecordedEvent]:
        """Rows as events. Neighbours often have the same tags, so their tuple is made once."""
        names = self._types.names
        tuples: dict[str, tuple[str, ...]] = {"": ()}
        made: list[RecordedEvent] = []
        for position, type_id, version, data, text, metadata, raw_id, recorded_us in rows:
            tags = tuples.get(text)
            if tags is None:
                tags = tuples[text] = tuple(text.split(TAG_SEPARATOR))
            if type_id not in names:
                self._types.learn(lane)
                names = self._types.names
            made.append(RecordedEvent(position, names[type_id], version, data, tags, metadata, raw_id, recorded_us))
        return made

    def _finish(self, lane: Lane, head: Cursor, rows: Cursor, events: list[RecordedEvent]) -> Slice:
        lane.limited = False
        try:
            events += self._events(lane, rows)
            made = Slice(events, head.fetchall()[0][0])
        except (apsw.Error, *MISSHAPEN) as error:
            raise self._lanes.failed(lane, error) from error
        self._lanes.give(lane)
        return made

    def _read_at_length(self, query: EventQuery, after: int, limit: int | None, backwards: bool) -> Slice:  # noqa: FBT001
        lane = self._lanes.take(limited=False)
        try:
            head = lane.connection.execute(self._read_head)
            rows = self._begin(lane, query, after, limit, backwards=backwards)
        except apsw.Error as error:
            raise self._lanes.failed(lane, error) from error
        return self._finish(lane, head, rows, [])


async def _in_thread(function: Callable[..., T], *arguments: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)
