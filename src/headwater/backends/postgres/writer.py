"""The one task that appends: batch in, one durable transaction in one round trip, outcomes out. Reads: batches.py.

A failed condition or a repeated id concerns its own request only. A lost connection concerns the whole batch: nobody
knows what became of it, so every request is told so, and the next batch opens a new connection. Read next: bell.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from headwater.backends.postgres.batches import Append, Batch, outcomes
from headwater.backends.postgres.connection import PostgresLog, open_connection, say_goodbye
from headwater.backends.postgres.driver import Connection
from headwater.backends.postgres.errors import UNIQUE_VIOLATION, is_lost, store_error
from headwater.backends.postgres.statements import statement
from headwater.clock import Clock
from headwater.errors import StoreError
from headwater.event_store.group_commit import GroupCommit, Pending
from headwater.event_store.protocol import Appended, Conflict

# While the server works on one part of what waits, this process makes the next: a batch of all would leave both idle
# in turn. A part this large costs a commit little.
_REQUESTS_PER_PART = 128
_BYTES_PER_PART = 32 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Writer:
    """Owns the connection that appends; serves ``commits`` until it is closed. ``announce`` hears of each new head."""

    def __init__(
        self, log: PostgresLog, clock: Clock, commits: GroupCommit[Append], announce: Callable[[int], None]
    ) -> None:
        self._log = log
        self._clock = clock
        self._commits = commits
        self._announce = announce
        self._append = statement("append_batch").format(schema=log.quoted_schema)
        self._connection: Connection | None = None
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"headwater writer {log.schema}")

    async def join(self) -> None:
        """Wait until everything handed over is done and the connection is closed."""
        with suppress(asyncio.CancelledError):
            await asyncio.shield(self._task)

    async def _run(self) -> None:
        while (batch := await self._commits.taken()) is not None:
            for part in _parts(batch):
                self._commits.answer(part, await self._serve([pending[0] for pending in part]))
            del batch
        if self._connection is not None:
            await say_goodbye(self._connection)

    async def _serve(self, requests: Sequence[Append]) -> Sequence[object]:
        """An outcome for each request. Whatever happens, the task lives on."""
        try:
            made = await self._commit(requests)
        except Exception as error:  # noqa: BLE001  every waiting caller is told
            return [self._told(error) for _ in requests]
        self._announce(max(map(_reaches, made)))
        return made

    async def _commit(self, requests: Sequence[Append]) -> Sequence[object]:
        connection = await self._connected()
        try:
            return await self._send(connection, requests, warily=False)
        except Exception as error:
            if getattr(error, "sqlstate", None) == UNIQUE_VIOLATION:  # an id exists: again, looking before placing
                return await self._send(connection, requests, warily=True)
            raise

    async def _send(self, connection: Connection, requests: Sequence[Append], *, warily: bool) -> Sequence[object]:
        batch = Batch(requests, warily=warily)
        now = (self._clock.now() - _EPOCH) // _MICROSECOND
        durable = self._log.durability == "full"
        try:
            answer = await connection.fetchrow(self._append, warily, durable, now, *batch.arguments())
        except Exception as error:
            if is_lost(error):
                self._connection = None
                connection.terminate()
                raise store_error(error, self._log.place, committing=True) from error
            raise
        return outcomes(batch, tuple(answer or ()))

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await open_connection(self._log)
        return self._connection

    def _told(self, error: Exception) -> StoreError:
        """The same news for each caller, as an exception of its own."""
        found = store_error(error, self._log.place)
        made = type(found)(found.message, remedy=found.remedy, **found.fields)
        made.__cause__ = found.__cause__ or found
        return made


def _reaches(outcome: object) -> int:
    """Up to which position the outcome says that the log is filled."""
    if isinstance(outcome, Appended):
        return outcome.last
    return outcome.position if isinstance(outcome, Conflict) else 0


def _parts(batch: list[Pending[Append]]) -> Iterator[list[Pending[Append]]]:
    """Runs of requests of bounded number and size, at least one in each."""
    start = size = 0
    for place, pending in enumerate(batch):
        if place > start and (place - start == _REQUESTS_PER_PART or size + pending[3] > _BYTES_PER_PART):
            yield batch[start:place]
            start, size = place, 0
        size += pending[3]
    yield batch[start:]
