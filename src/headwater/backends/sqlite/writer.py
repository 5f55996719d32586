"""Appends to a log: batch in, one durable transaction, outcomes out. Reads: ledger.py, pace.py, checkpoints.py.

A thread of its own does it; or the event loop that has the requests, while the disk is so quick that the way to the
thread and back would cost more, and while nobody else is at it.

A failed condition or a repeated id concerns its own request only. An error of the disk concerns the whole batch:
nothing is known of the connection any more, so it is dropped, and the next batch opens the file anew.
Read next: event_store.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from threading import Lock, Thread
from typing import TypeAlias

import apsw
import msgspec

from headwater.backends.sqlite.checkpoints import Checkpoints
from headwater.backends.sqlite.connection import EVENT_LOG, SqliteFile, connect, is_on_fixed_medium
from headwater.backends.sqlite.driver import Row, Value
from headwater.backends.sqlite.errors import store_error
from headwater.backends.sqlite.ledger import Ledger
from headwater.backends.sqlite.pace import Pace
from headwater.backends.sqlite.schema import Schema, prepare
from headwater.backends.sqlite.wal_room import WalRoom
from headwater.clock import Clock
from headwater.error_root import again
from headwater.errors import DuplicateEventId, InvalidAppend, OtherHistory, StoreError, StoreIOError
from headwater.event_store.group_commit import GroupCommit
from headwater.event_store.protocol import AppendCondition, NewEvent, RecordedEvent, Snapshot

EVENT_LOG_SCHEMA = Schema("event_log", EVENT_LOG, 2)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS_A_DAY = 86_400
_BYTES_HERE = 256 << 10


class SaveSnapshot(msgspec.Struct, frozen=True):
    """A request to keep a snapshot."""

    key: str
    snapshot: Snapshot


class CopyEvents(msgspec.Struct, frozen=True):
    """A request to store another log's events as they stand there."""

    events: Sequence[RecordedEvent]


Append: TypeAlias = tuple[Sequence[NewEvent], AppendCondition | None]
"""A request to append: the events and their condition."""
Work: TypeAlias = Append | SaveSnapshot | CopyEvents


class Writer:
    """Owns the writing connection of one log; serves ``commits`` until it is closed. Who serves holds the lock."""

    def __init__(
        self, file: SqliteFile, clock: Clock, commits: GroupCommit[Work], announce: Callable[[], None], *, migrate: bool
    ) -> None:
        """Open the file, which raises what is wrong with it, and start the thread."""
        self._file = file
        self._clock = clock
        self._commits = commits
        self._announce = announce
        self._serving = Lock()
        self._has_news = False
        self._pace = Pace()
        self._checkpoints = Checkpoints(file)
        self.ledger: Ledger | None = self._begun(migrate=migrate)
        self._thread = Thread(target=self._run, name=f"headwater-writer {file.path}", daemon=True)
        self._thread.start()
        if file.commits == "auto":
            commits.serve_here = self._serve_here

    def read(self, sql: str, values: Sequence[Value]) -> tuple[int, list[Row]] | None:
        """Head and rows of the first short read after a commit, on the connection that made it, if that is free.

        Any other connection has to read its pages anew after a commit. ``None`` leaves the read to one of those.
        The head is that of the commit. Others may have gone on since, and what they stored may be among the rows.
        Raises ``InterruptError`` for a read that takes many steps.
        """
        if not self._has_news or not self._serving.acquire(blocking=False):
            return None
        try:
            self._has_news = False
            ledger = self.ledger
            return None if ledger is None else (ledger.head, ledger.read(sql, values))
        except apsw.InterruptError:
            raise
        except apsw.Error:
            return None
        finally:
            self._serving.release()

    def join(self) -> None:
        """Wait until everything handed over is done and the connection is closed."""
        self._thread.join()

    def _run(self) -> None:
        while (batch := self._commits.take()) is not None:
            if batch:
                with self._serving:
                    outcomes = self._serve([pending[0] for pending in batch])
                self._announce()
                self._commits.answer(batch, outcomes)
                del outcomes
            del batch  # the thread must not keep them alive while it waits
            self._checkpoints.copy()
        self._checkpoints.close()
        with self._serving:
            self._drop()

    def _serve(self, works: Sequence[Work]) -> Sequence[object]:
        """An outcome for each request, on the writer's thread."""
        try:
            return self._attempt(works, patient=True)
        except apsw.BusyError as error:
            return [self._told(error, committing=False) for _ in works]

    def _serve_here(self, works: Sequence[Work], size: int) -> Sequence[object] | None:
        """The same on an event loop's thread, which must not wait long; ``None`` leaves it to the writer's."""
        if size > _BYTES_HERE or not self._pace.is_quick() or not self._serving.acquire(blocking=False):
            return None
        try:
            if self.ledger is None:
                return None
            outcomes = self._attempt(works, patient=False)
        except apsw.BusyError:
            return None
        except BaseException:  # a signal's handler raised in the middle of it
            self._drop()
            raise
        finally:
            self._serving.release()
        self._announce()
        return outcomes

    def _attempt(self, works: Sequence[Work], *, patient: bool) -> Sequence[object]:
        """An outcome for each request. Whatever happens, the writer lives on.

        Raises ``BusyError``, and has done nothing, if another process holds the file, at once unless ``patient``.
        """
        try:
            ledger = self.ledger or self._open(migrate=False)
            self.ledger = ledger
            ledger.be_patient(patient)
            outcomes = _in_one_transaction(ledger, works, self._now_us())
        except apsw.BusyError:  # the connection is well
            self._abandon()
            raise
        except Exception as error:  # noqa: BLE001  every waiting caller is told
            committing = self.ledger is not None and self.ledger.committing
            self._drop()
            return [self._told(error, committing=committing) for _ in works]
        self._has_news = True
        self._pace.flushed(ledger.flush_seconds, here=not patient)
        if self._checkpoints.committed(ledger.connection, ledger.wal_pages) and not patient:
            self._commits.wake_writer()
        return outcomes

    def _abandon(self) -> None:
        try:
            if self.ledger is not None:
                self.ledger.abandon()
        except apsw.Error:
            self._drop()

    def _told(self, error: Exception, *, committing: bool) -> StoreError:
        """The same news for each caller, as an exception of its own."""
        if isinstance(error, StoreError):
            return again(error)
        if isinstance(error, apsw.Error | OSError):
            return store_error(error, self._file.path, committing=committing)
        made = StoreIOError(f"the writer of {self._file.path} failed: {error!r}", path=self._file.path)
        made.__cause__ = error
        return made

    def _begun(self, *, migrate: bool) -> Ledger | None:
        """What to write with; ``None`` on a read-only medium, where a log can be read and an append is refused."""
        if not is_on_fixed_medium(self._file.path):
            return self._open(migrate=migrate)
        with closing(connect(self._file, read_only=True)) as connection:
            prepare(connection, EVENT_LOG_SCHEMA, self._file, migrate=False)
        return None

    def _open(self, *, migrate: bool) -> Ledger:
        connection = connect(self._file)
        try:
            prepare(connection, EVENT_LOG_SCHEMA, self._file, migrate=migrate)
        except BaseException:
            connection.close(force=True)
            raise
        return Ledger(connection, WalRoom(self._file.path), self._file.busy_timeout_seconds)

    def _drop(self) -> None:
        ledger, self.ledger = self.ledger, None
        if ledger is not None:
            ledger.close()

    def _now_us(self) -> int:
        since = self._clock.now() - _EPOCH
        return (since.days * _SECONDS_A_DAY + since.seconds) * 1_000_000 + since.microseconds


def _in_one_transaction(ledger: Ledger, works: Sequence[Work], now_us: int) -> Sequence[object]:
    ledger.begin(now_us)
    if len(works) > 1 or (type(works[0]) is tuple and len(works[0][0]) > 1):
        ledger.learn_tags({tag for work in works if isinstance(work, tuple) for event in work[0] for tag in event.tags})
    append = ledger.append
    outcomes: list[object] = []
    for work in works:
        try:
            if isinstance(work, tuple):
                outcomes.append(append(work[0], work[1]))
            elif isinstance(work, CopyEvents):
                outcomes.append(ledger.copy(work.events))
            else:
                ledger.save_snapshot(work.key, work.snapshot)
                outcomes.append(None)
        except (DuplicateEventId, OtherHistory, InvalidAppend) as error:
            outcomes.append(error)
    ledger.end()
    return outcomes
