"""Appends: batch in, one durable transaction in one round trip, outcomes out. Reads: batches.py.

While the server works on one batch this process makes the next, and a large one is sent ahead on a second connection,
where it waits for its turn: so neither waits for the other. A failed condition or a repeated id concerns its own
request only. A lost connection concerns the whole batch: nobody knows what became of it, so every request is told so,
and the next batch opens a new connection. Read next: bell.py.
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
from headwater.error_root import again
from headwater.errors import StoreError
from headwater.event_store.group_commit import GroupCommit, Pending
from headwater.event_store.protocol import Appended, Conflict

# A part this large costs a commit little, so more is sent ahead in two parts; less waits, to become more meanwhile.
_REQUESTS_PER_PART = 128
_BYTES_PER_PART = 32 << 20
_LANES = 2
# Answers are given out, callers ask again, for two turns no more comes, the writer wakes, takes it, sends it.
_TURNS_TO_HEAR_CALLERS = 8
_REST_SECONDS = 1.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Writer:
    """Owns the connections that append; serves ``commits`` until it is closed. ``announce`` hears of each new head."""

    def __init__(
        self, log: PostgresLog, clock: Clock, commits: GroupCommit[Append], announce: Callable[[int], None]
    ) -> None:
        self._log = log
        self._clock = clock
        self._commits = commits
        self._announce = announce
        self._append = statement("append_batch").format(schema=log.quoted_schema)
        self._idle = [_Lane() for _ in range(_LANES)]
        self._flying: set[asyncio.Task[None]] = set()
        self._freed = asyncio.Event()
        self._answering = asyncio.Lock()
        self._alone_until = 0.0
        self._task = asyncio.get_running_loop().create_task(self._run(), name=f"headwater writer {log.schema}")

    async def join(self) -> None:
        """Wait until everything handed over is done and the connections are closed."""
        with suppress(asyncio.CancelledError):
            await asyncio.shield(self._task)

    async def _run(self) -> None:
        while (batch := await self._commits.taken()) is not None:
            await self._send_off(batch)
            del batch
        while self._flying:
            await asyncio.wait(self._flying)
        for lane in self._idle:
            if lane.connection is not None:
                await say_goodbye(lane.connection)

    async def _send_off(self, batch: list[Pending[Append]]) -> None:
        for part in _parts(batch):
            lane = await self._free_lane(len(part))
            flying = asyncio.create_task(self._fly(lane, part), name="headwater append")
            self._flying.add(flying)
            flying.add_done_callback(self._flying.discard)

    async def _free_lane(self, requests: int) -> _Lane:
        """A lane of its own for a part: beside another only if the part is large and there is a connection for it."""
        while len(self._idle) < _LANES:
            self._freed.clear()
            if requests >= _REQUESTS_PER_PART and self._idle and await self._is_ready(self._idle[-1]):
                break
            await self._freed.wait()
        return self._idle.pop()

    async def _is_ready(self, lane: _Lane) -> bool:
        """Whether the lane has a connection. If none is to be had now, one lane has to do for a while."""
        if lane.connection is not None and not lane.connection.is_closed():
            return True
        now = asyncio.get_running_loop().time()
        if now < self._alone_until:
            return False
        try:
            lane.connection = await open_connection(self._log)
        except StoreError:
            self._alone_until = now + _REST_SECONDS
            return False
        return True

    async def _fly(self, lane: _Lane, part: list[Pending[Append]]) -> None:
        try:
            made = await self._serve(lane, [pending[0] for pending in part])
        finally:
            self._idle.append(lane)
            self._freed.set()
        async with self._answering:
            self._commits.answer(part, made)
            if len(part) >= _REQUESTS_PER_PART:
                await self._hear_callers()

    async def _hear_callers(self) -> None:
        """Give the callers of a large part time to ask again, and send what they ask for, before others are answered.

        Else those of two parts would keep the loop one after the other, and the server would have nothing to do.
        """
        for _ in range(_TURNS_TO_HEAR_CALLERS):
            await asyncio.sleep(0)

    async def _serve(self, lane: _Lane, requests: Sequence[Append]) -> Sequence[object]:
        """An outcome for each request, whatever happens."""
        try:
            made = await self._commit(lane, requests)
        except Exception as error:  # noqa: BLE001  every waiting caller is told
            return [self._told(error) for _ in requests]
        self._announce(_reached(made))
        return made

    async def _commit(self, lane: _Lane, requests: Sequence[Append]) -> Sequence[object]:
        connection = lane.connection
        if connection is None or connection.is_closed():
            connection = lane.connection = await open_connection(self._log)
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
                connection.terminate()  # which closes it, so that the next batch makes a new one
                raise store_error(error, self._log.place, committing=True) from error
            raise
        return outcomes(batch, tuple(answer or ()))

    def _told(self, error: Exception) -> StoreError:
        """The same news for each caller, as an exception of its own."""
        return again(error) if isinstance(error, StoreError) else store_error(error, self._log.place)


class _Lane:
    """A connection that appends, made when it is first needed and again when it was lost."""

    def __init__(self) -> None:
        self.connection: Connection | None = None


def _reached(made: Sequence[object]) -> int:
    """Up to which position the outcomes of a batch say that the log is filled."""
    last = made[-1]
    if isinstance(last, Appended) and not last.replayed:  # after it nothing stood when it was stored
        return last.last
    reached = [outcome.last for outcome in made if isinstance(outcome, Appended)]
    return max(reached + [outcome.position for outcome in made if isinstance(outcome, Conflict)], default=0)


def _parts(batch: list[Pending[Append]]) -> Iterator[list[Pending[Append]]]:
    """Runs of requests of bounded number and size, at least one in each."""
    if sum([pending[3] for pending in batch]) <= _BYTES_PER_PART:
        for start in range(0, len(batch), _REQUESTS_PER_PART):
            yield batch[start : start + _REQUESTS_PER_PART]
        return
    start = size = 0
    for place, pending in enumerate(batch):
        if place > start and (place - start == _REQUESTS_PER_PART or size + pending[3] > _BYTES_PER_PART):
            yield batch[start:place]
            start, size = place, 0
        size += pending[3]
    yield batch[start:]
