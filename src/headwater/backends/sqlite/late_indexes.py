"""The indexes by event id and by type, which are filled some events behind the log. Reads: statements.py.

Each is a page to write and to flush with every append, and few ever ask them. So one append in 64 fills them for all.
The events after the mark ``indexed_up_to`` are looked through by who reads by type, and their ids are known here.
Ids mostly grow, and one that is greater than all that are stored needs no look-up. Read next: ledger.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from headwater.backends.sqlite.driver import Cursor
from headwater.backends.sqlite.statements import statement
from headwater.event_store.protocol import NewEvent, RecordedEvent

EVENTS_BEHIND = 64


class LateIndexes:
    """What one writing connection knows of them, from ``load`` on."""

    def __init__(self, execute: Callable[..., Cursor]) -> None:
        self._execute = execute
        self._indexed_up_to = 0
        self._greatest_id = -1
        self._positions: dict[int, int] = {}  # id of an event that is not indexed yet -> its position
        self._position_of_id = statement("position_of_id")

    def load(self) -> list[tuple[int, int]]:
        """Learn how the log stands in this transaction; position and type of the events that are not indexed."""
        self._indexed_up_to, greatest = self._execute(statement("load_indexed")).fetchall()[0]
        rows = self._execute(statement("load_unindexed"), (self._indexed_up_to,)).fetchall()
        self._positions = {int.from_bytes(raw, "big"): position for position, _, raw in rows}
        self._greatest_id = max(self._positions, default=-1)
        if greatest is not None:
            self._greatest_id = max(self._greatest_id, int.from_bytes(greatest, "big"))
        return [(position, type_id) for position, type_id, _ in rows]

    def positions_of(self, events: Sequence[NewEvent] | Sequence[RecordedEvent]) -> list[int]:
        """Where events with these ids stand, as far as they do."""
        greatest = self._greatest_id
        found: list[int] = []
        for event in events:
            number = event.id.int
            if number > greatest:
                continue
            position = self._positions.get(number)
            if position is None:
                rows = self._execute(self._position_of_id, (event.id.bytes,)).fetchall()
                if not rows:
                    continue
                position = rows[0][0]
            found.append(position)
        return found

    def placed(self, events: Sequence[NewEvent] | Sequence[RecordedEvent], position: int) -> None:
        """Learn that these events were placed from that position on."""
        for event in events:
            number = event.id.int
            self._positions[number] = position
            if number > self._greatest_id:  # noqa: PLR1730  a call of max() takes longer
                self._greatest_id = number
            position += 1

    def fill(self, head: int) -> None:
        """Index what is not indexed yet, if that is enough to be worth its pages."""
        behind = self._indexed_up_to
        if head - behind < EVENTS_BEHIND:
            return
        self._execute(statement("index_ids"), (behind,))
        self._execute(statement("index_types"), (behind,))
        self._execute(statement("move_indexed"), (head,))
        self._indexed_up_to = head
        self._positions = {}
