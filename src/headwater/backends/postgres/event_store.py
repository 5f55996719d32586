"""The event log in a schema of a PostgreSQL database: the port's face. Reads: writer.py, reading.py, log_head.py.

Appends of all tasks of a process are committed together (group commit), and processes take turns on a lock of the
database that is held for one statement. Connections belong to the event loop the store was opened on; tasks on other
loops use the store through it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from headwater.backends.postgres.batches import SEPARATOR, Append
from headwater.backends.postgres.connection import Lanes, PostgresLog, open_connection, say_goodbye
from headwater.backends.postgres.errors import UNIQUE_VIOLATION
from headwater.backends.postgres.log_head import LogHead
from headwater.backends.postgres.reading import EventReader
from headwater.backends.postgres.schema import Schema, prepare
from headwater.backends.postgres.statements import statement
from headwater.backends.postgres.writer import Writer
from headwater.clock import Clock, SystemClock
from headwater.errors import InvalidAppend, OtherHistory, StoreError, StoreIOError
from headwater.event_store.checking import BYTES_PER_APPEND, check_reading, checked, checked_encoded
from headwater.event_store.group_commit import GroupCommit, closed
from headwater.event_store.prompt import Tell
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
from headwater.event_store.replica import check_goes_on, twice
from headwater.event_store.subscribing import PAGE, following
from headwater.event_store.waiting import HeadSignal

__all__ = ["EVENT_LOG_SCHEMA", "PostgresEventStore", "open_postgres"]

T = TypeVar("T")

EVENT_LOG_SCHEMA = Schema("event_log", 3)
# PostgreSQL keeps at most some 2,700 bytes in an entry of an index.
_NAME_BYTES = 2_600


async def open_postgres(url: str, *, clock: Clock | None = None, migrate: bool = True) -> PostgresEventStore:
    """The log of ``postgresql://user@host/database``, in the schema ``?schema=headwater``, made if it is missing.

    Other options are the fields of ``PostgresLog``. Raises ``UnsupportedUrl``, ``StoreIOError``, ``StoreReadOnly``,
    ``SchemaTooNew``, ``SchemaOutdated`` (without ``migrate``), ``OtherHistory`` (``read_url``), ``MissingExtra``.
    """
    log = PostgresLog.of_url(url)
    connection = await open_connection(log)
    try:
        await prepare(connection, EVENT_LOG_SCHEMA, log.schema, log.place, migrate=migrate)
    finally:
        await say_goodbye(connection)
    store = PostgresEventStore(log, clock=clock)
    try:
        await store.check_replica()
    except BaseException:
        await store.close()
        raise
    return store


class PostgresEventStore:
    """An event log in a schema. Any number of stores, in this process or others, may be open on the same one."""

    def __init__(self, log: PostgresLog, *, clock: Clock | None = None) -> None:
        """To be called on the event loop that the store shall use, the schema being there."""
        self.log = log
        self.capabilities = Capabilities(
            name="postgres", durable=log.durability == "full", multi_process=True, enforces_immutability=True
        )
        self._home = asyncio.get_running_loop()
        self._grown = HeadSignal()
        self._lanes = Lanes(log)
        self._primary = EventReader(log, self._lanes)
        self._replica_lanes = Lanes(log, log.read_url) if log.read_url else None
        self._reader = self._primary if self._replica_lanes is None else EventReader(log, self._replica_lanes)
        self._log_head = LogHead(log, self._reader.head, self._grown, is_replica=self._replica_lanes is not None)
        self._commits: GroupCommit[Append] = GroupCommit()
        self._writer = Writer(log, clock or SystemClock(), self._commits, self._log_head.appended)
        self._save = statement("save_snapshot").format(schema=log.quoted_schema)
        self._closed = False

    async def check_replica(self) -> None:
        """Look whether ``read_url`` names the same log: else commands would be decided on what never happened here.

        Raises ``OtherHistory``. A replica that is gone for now, or is not that far, is not looked at.
        """
        if self._reader is self._primary:
            return
        theirs: Sequence[RecordedEvent] = ()
        with suppress(StoreError):
            theirs = (await self._reader.read(ALL, 0, 1, backwards=False)).events
        if theirs and (await self._primary.read(ALL, 0, 1, backwards=False)).events != theirs:
            place = self.log.place_at(self.log.read_url)
            raise OtherHistory(f"{place} is no replica of this log", remedy="give another read_url")

    async def append(self, events: Sequence[NewEvent], condition: AppendCondition | None = None) -> Appended | Conflict:
        """See ``EventStore.append``."""
        given, size = checked(events, condition, name_bytes=_NAME_BYTES)
        outcome: Appended | Conflict = await self._commits.submit((given, condition), size)
        return outcome

    def begin_append(self, events: Sequence[NewEvent], condition: AppendCondition | None, tell: Tell) -> bool:
        """See ``PromptAppender.begin_append``."""
        given, size = checked_encoded(events, _NAME_BYTES)
        return self._commits.begin((given, condition), size, tell)

    def append_at_once(self, events: Sequence[NewEvent], condition: AppendCondition | None) -> None:
        """See ``PromptAppender.append_at_once``: there is a server to be waited for."""

    async def read(
        self, query: EventQuery = ALL, *, after: int = 0, limit: int | None = None, backwards: bool = False
    ) -> Slice:
        """See ``EventStore.read``. What this process was told of is there, also while a replica has not got it yet."""
        check_reading(query, after, limit)
        found = await self._at_home(self._reader.read(query, after, limit, backwards=backwards))
        if found.head < self._log_head.told:
            found = await self._at_home(self._primary.read(query, after, limit, backwards=backwards))
        return found

    async def read_primary(self, query: EventQuery, *, after: int = 0, limit: int | None = None) -> Slice:
        """See ``Primary.read_primary``."""
        check_reading(query, after, limit)
        return await self._at_home(self._primary.read(query, after, limit, backwards=False))

    def subscribe(self, query: EventQuery = ALL, *, after: int = 0) -> AsyncIterator[Slice]:
        """See ``EventStore.subscribe``."""
        check_reading(query, after, None)
        return following(
            lambda place: self._at_home(self._reader.read(query, place, PAGE, backwards=False)),
            lambda place: self._log_head.wait(place, until=lambda: self._closed),
            after,
        )

    async def head(self) -> int:
        """See ``EventStore.head``. It is the primary's: what a replica has not got yet is behind all the same."""
        return await self._at_home(self._find_head())

    async def copy(self, events: Sequence[RecordedEvent]) -> int:
        """See ``Replica.copy``."""
        return await self._at_home(self._copy(events))

    async def sizes(self, after: int, limit: int) -> Sequence[int]:
        """See ``Measured.sizes``. They are asked of the primary, which has all that a read gives."""
        return await self._at_home(self._primary.sizes(after, limit))

    async def load_snapshot(self, key: str) -> Snapshot | None:
        """See ``EventStore.load_snapshot``."""
        return await self._at_home(self._reader.load_snapshot(key))

    async def save_snapshot(self, key: str, snapshot: Snapshot) -> None:
        """See ``EventStore.save_snapshot``."""
        await self._at_home(self._save_snapshot(key, snapshot))

    async def close(self) -> None:
        """See ``EventStore.close``."""
        if not self._closed:
            closing = self._close()
            self._closed = True
            await self._run_at_home(closing)

    async def _close(self) -> None:
        self._commits.close()
        self._grown.announce()
        await self._writer.join()
        await self._log_head.close()
        await self._lanes.close()
        if self._replica_lanes is not None:
            await self._replica_lanes.close()

    async def _find_head(self) -> int:
        found = await self._primary.head()
        self._log_head.learned(found)
        return found

    async def _copy(self, events: Sequence[RecordedEvent]) -> int:
        if not events:
            return await self._primary.head()
        first = events[0].position
        check_goes_on(events, first - 1)
        if sum(len(event.data) + len(event.metadata) for event in events) > BYTES_PER_APPEND:
            remedy = "copy fewer events at a time"
            raise InvalidAppend(f"more than {BYTES_PER_APPEND >> 20} MiB cannot be copied at once", remedy=remedy)
        types: dict[str, int] = {}
        rows = [
            (
                types.setdefault(event.type, len(types) + 1),
                *(event.version, event.recorded_us, event.id),
                *(SEPARATOR.join(event.tags), event.metadata, event.data),
            )
            for event in events
        ]
        arrays: Any = zip(*rows, strict=True)
        durable = self.log.durability == "full"
        sql = self.log.function("copy_batch", 10)
        try:
            async with self._lanes.lent(committing=True) as connection:
                head: int = await connection.fetchval(sql, durable, first, list(types), *arrays)
        except StoreIOError as error:
            if error.fields.get("sqlstate") == UNIQUE_VIOLATION:
                raise twice() from error
            raise
        check_goes_on(events, head)
        self._log_head.appended(head + len(events))
        return head + len(events)

    async def _save_snapshot(self, key: str, snapshot: Snapshot) -> None:
        async with self._lanes.lent() as connection:
            await connection.execute(self._save, key, snapshot.position, snapshot.fingerprint, snapshot.state)

    async def _at_home(self, work: Coroutine[Any, Any, T]) -> T:
        if self._closed:
            work.close()
            raise closed()
        return await self._run_at_home(work)

    async def _run_at_home(self, work: Coroutine[Any, Any, T]) -> T:
        """Run it on the loop that owns the connections."""
        if asyncio.get_running_loop() is self._home:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._home))
