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
from headwater.backends.sqlite.plans import bodies_plan, without_head
from headwater.backends.sqlite.statements import statement
from headwater.event_store.bodies import VERSION_BITS, Bodies
from headwater.event_store.protocol import EventQuery

ReadAtWriter: TypeAlias = "Callable[[str, Sequence[Value]], tuple[int, list[Row]] | None]"
"""A head that was reached, and rows; ``None`` if the writing connection has nothing to spare: see ``Writer.read``."""

_PLANS_KEPT = 256


class BodyLane:
    """Reads bodies for any number of event loops."""

    def __init__(self, lanes: Lanes, types: Types, read_at_writer: ReadAtWriter) -> None:
        self._read_at_writer = read_at_writer
        self._lanes = lanes
        self._types = types
        self._turns: dict[asyncio.AbstractEventLoop, _Turn] = {}
        self._plans: dict[tuple[tuple[str, ...], int], _Plan] = {}

    def read(self, query: EventQuery, after: int) -> Bodies | None:
        """All matching events and the head; ``None`` if they are many or take many steps."""
        plan = self._plan_of(query)
        values: list[int | str] = []
        if plan is not None:
            values = [after, INLINE_ROWS + 1, *query.items[0].tags, *plan.values]
            try:
                found = self._read_at_writer(plan.alone, values)
            except apsw.InterruptError:
                return None
            if found is not None:
                head, rows = found
                return self._found(max(head, rows[-1][0]) if rows else head, rows)
        loop = asyncio.get_running_loop()
        turn = self._turns.get(loop) or self._begin_turn(loop)
        turn.reads += 1
        lane = turn.lane
        lane.spent = 0
        try:
            if turn.reads == 2:  # noqa: PLR2004  see above
                lane.execute("BEGIN")
            if plan is None:
                return self._read_slowly(lane, query, after)
            if turn.head is not None:
                return self._found(turn.head, lane.execute(plan.alone, values).fetchall())
            rows = lane.execute(plan.with_head, values).fetchall()
            if turn.reads > 1:
                turn.head = rows[0][0]
        except apsw.InterruptError:
            self._turns.pop(loop).lane.drop()
            return None
        except apsw.Error as error:
            raise self._lanes.failed(self._turns.pop(loop).lane, error) from error
        return self._with_head(rows)

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

    def _plan_of(self, query: EventQuery) -> _Plan | None:
        """How the usual query is read: one item, of types that were all met before."""
        if len(query.items) != 1:
            return None
        (item,) = query.items
        return self._plans.get((item.types, len(item.tags)))

    def _read_slowly(self, lane: Lane, query: EventQuery, after: int) -> Bodies | None:
        """Any query; an open statement pins the snapshot while its types are looked up."""
        pin = lane.connection.execute(statement("read_head"))
        sql, values = bodies_plan(query, self._types.of(query, lane), after, INLINE_ROWS + 1)
        rows = lane.execute(sql, values).fetchall()
        if any(form >> VERSION_BITS not in self._types.names for _, form, _ in rows[1:]):
            self._types.learn(lane)
        pin.close()
        if len(query.items) == 1 and query.items[0].types and self._types.knows(query):
            (item,) = query.items
            if len(self._plans) >= _PLANS_KEPT:
                self._plans.clear()
            plan = _Plan(sql, without_head(sql), tuple(values[2 + len(item.tags) :]))
            self._plans[item.types, len(item.tags)] = plan
        return self._with_head(rows)

    def _with_head(self, rows: list[Row]) -> Bodies | None:
        (head, *_), *found = rows
        return self._found(head, found)

    def _found(self, head: int, rows: list[Row]) -> Bodies | None:
        return Bodies(rows, self._types.names, head) if len(rows) <= INLINE_ROWS else None


class _Plan(msgspec.Struct, frozen=True):
    """The statements of one form of query, the second for who knows the head, and what its types bind."""

    with_head: str
    alone: str
    values: tuple[int | str, ...]


class _Turn(msgspec.Struct):
    """One turn of a loop: the lane it reads on, how often it did, and the head of the snapshot that it shares."""

    lane: Lane
    reads: int = 0
    head: int | None = None
