"""Reads slices of the event log. Reads: connection.py, batches.py. Read next: log_head.py.

A read is one call of one function of the database: the events and the head come from the snapshot of that statement.
"""

from __future__ import annotations

from collections.abc import Iterable

from headwater.backends.postgres.batches import LARGEST, SEPARATOR
from headwater.backends.postgres.connection import Lanes, PostgresLog
from headwater.backends.postgres.driver import Connection, Row
from headwater.backends.postgres.statements import statement
from headwater.event_store.protocol import EventQuery, RecordedEvent, Slice, Snapshot


class EventReader:
    """Reads of one log, on the event loop whose connections it is given."""

    def __init__(self, log: PostgresLog, lanes: Lanes) -> None:
        self._lanes = lanes
        self._names: dict[int, str] = {}
        schema = log.quoted_schema
        self._read = log.function("read_events", 5)
        self._head = f"SELECT coalesce(max(position), 0) FROM {schema}.events"  # noqa: S608  a quoted name
        self._sizes = statement("load_sizes").format(schema=schema)
        self._types = f"SELECT id, name FROM {schema}.types"  # noqa: S608  as above
        self._snapshot = f"SELECT position, fingerprint, state FROM {schema}.snapshots WHERE key = $1"  # noqa: S608

    async def read(self, query: EventQuery, after: int, limit: int | None, *, backwards: bool) -> Slice:
        """The matching events and the log's head, both from one snapshot."""
        tags = [SEPARATOR.join(item.tags) for item in query.items]
        types = [SEPARATOR.join(item.types) for item in query.items]
        at_most = None if limit is None else min(limit, LARGEST)

        async def found(connection: Connection) -> list[Row]:
            rows = await connection.fetch(self._read, tags, types, min(after, LARGEST), at_most, backwards)
            names = self._names
            if any(row[1] not in names for row in rows[1:]):  # types never change, so a later look knows them all
                await self._learn_types(connection)
            return rows

        rows = await self._lanes.asked(found)
        return Slice(self._events(rows[1:]), rows[0][0])

    async def head(self) -> int:
        """The last position, 0 for an empty log."""
        return int(await self._lanes.asked(lambda connection: connection.fetchval(self._head)))

    async def sizes(self, after: int, limit: int) -> list[int]:
        """How large the events after that position are."""
        rows = await self._lanes.asked(lambda connection: connection.fetch(self._sizes, min(after, LARGEST), limit))
        return [row[0] for row in rows]

    async def load_snapshot(self, key: str) -> Snapshot | None:
        """The snapshot of that key."""
        row = await self._lanes.asked(lambda connection: connection.fetchrow(self._snapshot, key))
        return None if row is None else Snapshot(row[0], row[1], row[2])

    async def _learn_types(self, connection: Connection) -> None:
        self._names.update((row[0], row[1]) for row in await connection.fetch(self._types))

    def _events(self, rows: Iterable[Row]) -> list[RecordedEvent]:
        """Rows as events. Neighbours often have the same tags, so their tuple is made once."""
        names = self._names
        tuples: dict[str, tuple[str, ...]] = {"": ()}
        made: list[RecordedEvent] = []
        for position, type_id, version, data, text, metadata, raw_id, recorded_us in rows:
            tags = tuples.get(text)
            if tags is None:
                tags = tuples[text] = tuple(text.split(SEPARATOR))
            made.append(RecordedEvent(position, names[type_id], version, data, tags, metadata, raw_id, recorded_us))
        return made
