"""The event log in one SQLite file: the port's face over reader and writer. Reads: reading.py, writer.py.

Appends of all tasks of a loop's turn are committed together (group commit): one transaction, one fsync, one wake-up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from headwater.backends.sqlite.bodies import BodyLane
from headwater.backends.sqlite.connection import SqliteFile
from headwater.backends.sqlite.lanes import Lanes, Types
from headwater.backends.sqlite.reading import EventReader
from headwater.backends.sqlite.writer import EVENT_LOG_SCHEMA, CopyEvents, SaveSnapshot, Work, Writer
from headwater.clock import Clock, SystemClock
from headwater.event_store.bodies import Bodies
from headwater.event_store.checking import BYTES_BESIDES_PAYLOAD, check_reading, checked, checked_encoded
from headwater.event_store.group_commit import GroupCommit, closed
from headwater.event_store.prompt import Tell, after_others
from headwater.event_store.protocol import (
    ALL,
    AppendCondition,
    Appended,
    Capabilities,
    Conflict,
    EventQuery,
    NewEvent,
    RecordedEvent,
    Slice,
    Snapshot,
)
from headwater.event_store.subscribing import PAGE, following
from headwater.event_store.waiting import HeadSignal

__all__ = ["EVENT_LOG_SCHEMA", "SqliteEventStore", "open_sqlite"]

_POLL_SECONDS = 0.05


async def open_sqlite(url: str, *, clock: Clock | None = None, migrate: bool = True) -> SqliteEventStore:
    """The log of ``sqlite:///path.db``, made if it is missing.

    Options: ``durability=relaxed``, ``commits=thread``, ``busy_timeout=5``.

    Raises ``UnsupportedUrl``, ``StoreCorrupt``, ``StoreReadOnly``, ``StoreIOError``, ``SchemaTooNew``,
    ``SchemaOutdated`` (without ``migrate``).
    """
    file = SqliteFile.of_url(url)
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, lambda: SqliteEventStore(file, clock=clock, migrate=migrate))


class SqliteEventStore:
    """An event log in one file. Any number of stores, in this process or others, may be open on the same file."""

    def __init__(self, file: SqliteFile, *, clock: Clock | None = None, migrate: bool = True) -> None:
        self.file = file
        self.capabilities = Capabilities(
            name="sqlite", durable=file.durability == "full", multi_process=True, enforces_immutability=True
        )
        self._grown = HeadSignal()
        self._commits: GroupCommit[Work] = GroupCommit()
        self._writer = Writer(file, clock or SystemClock(), self._commits, self._grown.announce, migrate=migrate)
        self._lanes, types = Lanes(file), Types()
        self._reader = EventReader(self._lanes, types)
        self._bodies = BodyLane(self._lanes, types, self._writer.read)
        self._closed = False

    async def append(self, events: Sequence[NewEvent], condition: AppendCondition | None = None) -> Appended | Conflict:
        """See ``EventStore.append``."""
        given, size = checked(events, condition)
        desk = self._commits.desk_of_one()
        outcome: Appended | Conflict | Exception | None = None
        if desk is not None:
            outcome = desk.outcome_at_once((given, condition), size)
        if outcome is None:
            made: Appended | Conflict = await self._commits.submit((given, condition), size)
            return made
        await after_others(outcome)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def begin_append(self, events: Sequence[NewEvent], condition: AppendCondition | None, tell: Tell) -> bool:
        """See ``PromptAppender.begin_append``."""
        given, size = checked_encoded(events)
        return self._commits.begin((given, condition), size, tell)

    def append_at_once(
        self, events: Sequence[NewEvent], condition: AppendCondition | None
    ) -> Appended | Conflict | Exception | None:
        """See ``PromptAppender.append_at_once``."""
        desk = self._commits.desk_of_one()
        if desk is None:
            return None
        given, size = checked_encoded(events)
        return desk.outcome_at_once((given, condition), size)

    async def copy(self, events: Sequence[RecordedEvent]) -> int:
        """See ``Replica.copy``. One transaction for each call."""
        head: int = await self._commits.submit(CopyEvents(events), _size_of(events))
        return head

    async def read(
        self, query: EventQuery = ALL, *, after: int = 0, limit: int | None = None, backwards: bool = False
    ) -> Slice:
        """See ``EventStore.read``."""
        check_reading(query, after, limit)
        self._refuse_if_closed()
        return await self._reader.read(query, after, limit, backwards=backwards)

    def read_bodies(self, query: EventQuery, after: int) -> Bodies | None:
        """See ``BodyReader.read_bodies``."""
        self._refuse_if_closed()
        return self._bodies.read(query, after)

    def subscribe(self, query: EventQuery = ALL, *, after: int = 0) -> AsyncIterator[Slice]:
        """See ``EventStore.subscribe``."""

        async def grown(place: int) -> None:
            await self._grown.wait(lambda: self._closed or self._reader.head() > place, poll_seconds=_POLL_SECONDS)

        return following(lambda place: self.read(query, after=place, limit=PAGE), grown, after)

    async def head(self) -> int:
        """See ``EventStore.head``."""
        self._refuse_if_closed()
        return self._reader.head()

    async def sizes(self, after: int, limit: int) -> Sequence[int]:
        """See ``Measured.sizes``."""
        self._refuse_if_closed()
        return await self._reader.sizes(after, limit)

    async def load_snapshot(self, key: str) -> Snapshot | None:
        """See ``EventStore.load_snapshot``."""
        self._refuse_if_closed()
        return self._reader.load_snapshot(key)

    async def save_snapshot(self, key: str, snapshot: Snapshot) -> None:
        """See ``EventStore.save_snapshot``. It is committed with whatever else is waiting."""
        await self._commits.submit(SaveSnapshot(key, snapshot), len(snapshot.state))

    async def close(self) -> None:
        """See ``EventStore.close``."""
        self._closed = True
        self._commits.close()
        await asyncio.get_running_loop().run_in_executor(None, self._end)

    def _end(self) -> None:
        self._lanes.close()
        self._writer.join()
        self._grown.announce()

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise closed()


def _size_of(events: Sequence[RecordedEvent]) -> int:
    return sum(len(event.data) + BYTES_BESIDES_PAYLOAD for event in events)
