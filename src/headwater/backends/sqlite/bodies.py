"""Short reads of bodies, on the event loop's own thread. Reads: lanes.py, plans.py. Read next: commands/loading.py.

Each read is one statement. From the second read of a loop's turn on they share one snapshot, which spares SQLite the
locks around each: a turn with many cold commands reads for all of them. The snapshot is let go of before the next
turn's tasks run, so whoever has heard of an append reads it. The first read after a commit is given to the writing
connection, which has its pages still: SQLite empties the cache of every other one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeAlias

import apsw
import msgspec

from headwater.backends.sqlite.driver import Row, Value
from headwater.backends.sqlite.lanes import INLINE_ROWS, Lane, Lanes, Types
from headwater.backends.sqlite.plans import bodies_plan
from headwater.backends.sqlite.statements import statement
from headwater.event_store.bodies import Bodies
from headwater.event_store.protocol import EventQuery

ReadAtWriter: TypeAlias = "Callable[[str, Sequence[Value]], list[Row] | None]"
"""Rows of a statement, or ``None`` if the writing connection has nothing to spare: see ``Writer.read``."""

_PLANS_KEPT = 256


class BodyLane:
    """Reads bodies for any number of event loops."""

    def __init__(self, lanes: Lanes, types: Types, read_at_writer: ReadAtWriter) -> None:
        self._read_at_writer = read_at_writer
        self._lanes = lanes
        self._types = types
        self._turns: dict[asyncio.AbstractEventLoop, _Turn] = {}
        self._plans: dict[tuple[tuple[str, ...], int], tuple[str, tuple[int | str, ...]]] = {}

    def read(self, query: EventQuery, after: int) -> Bodies | None:
        """All matching events and the head; ``None`` if they are many or take many steps."""
        known = self._known(query, after)
        if known is not None:
            try:
                rows = self._read_at_writer(*known)
            except apsw.InterruptError:
                return None
            if rows is not None:
                return self._found(rows)
        loop = asyncio.get_running_loop()
        turn = self._turns.get(loop) or self._begin_turn(loop)
        turn.reads += 1
        lane = turn.lane
        lane.spent = 0
        try:
            if turn.reads == 2:  # noqa: PLR2004  see above
                lane.execute("BEGIN")
            if known is None:
                return self._read_slowly(lane, query, after)
            rows = lane.execute(*known).fetchall()
        except apsw.InterruptError:
            self._turns.pop(loop).lane.drop()
            return None
        except apsw.Error as error:
            raise self._lanes.failed(self._turns.pop(loop).lane, error) from error
        return self._found(rows)

    # -- a turn

    def _begin_turn(self, loop: asyncio.AbstractEventLoop) -> _Turn:
        for gone in [other for other in self._turns if other.is_closed()]:
            self._turns.pop(gone).lane.drop()
        turn = self._turns[loop] = _Turn(self._lanes.take(limited=True))
        loop.call_soon(self._end_turn, loop, turn)
        return turn

    def _end_turn(self, loop: asyncio.AbstractEventLoop, turn: _Turn) -> None:
        if self._turns.get(loop) is not turn:  # it was dropped after an error
            return
        del self._turns[loop]
        try:
            if turn.lane.connection.in_transaction:
                turn.lane.execute("COMMIT")
        except apsw.Error:
            turn.lane.drop()
        else:
            self._lanes.give(turn.lane)

    # -- a read

    def _known(self, query: EventQuery, after: int) -> tuple[str, list[int | str]] | None:
        """Statement and bindings of the usual query: one item, of types that were all met before."""
        if len(query.items) != 1:
            return None
        (item,) = query.items
        plan = self._plans.get((item.types, len(item.tags)))
        return None if plan is None else (plan[0], [after, INLINE_ROWS + 1, *item.tags, *plan[1]])

    def _read_slowly(self, lane: Lane, query: EventQuery, after: int) -> Bodies | None:
        """Any query; an open statement pins the snapshot while its types are looked up."""
        pin = lane.connection.execute(statement("read_head"))
        sql, values = bodies_plan(query, self._types.of(query, lane), after, INLINE_ROWS + 1)
        rows = lane.execute(sql, values).fetchall()
        if any(type_id not in self._types.names for _, type_id, _, _ in rows[1:]):
            self._types.learn(lane)
        pin.close()
        if len(query.items) == 1 and query.items[0].types and self._types.knows(query):
            (item,) = query.items
            if len(self._plans) >= _PLANS_KEPT:
                self._plans.clear()
            self._plans[item.types, len(item.tags)] = sql, tuple(values[2 + len(item.tags) :])
        return self._found(rows)

    def _found(self, rows: list[Row]) -> Bodies | None:
        head, *found = rows
        return Bodies(found, self._types.names, head[0]) if len(found) <= INLINE_ROWS else None


class _Turn(msgspec.Struct):
    """One turn of a loop: the lane it reads on, and how often it did."""

    lane: Lane
    reads: int = 0
