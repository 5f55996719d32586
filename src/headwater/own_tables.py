"""Projecting into your own tables, with your own SQLAlchemy session, exactly once. Needs the extra ``[sqlalchemy]``.

Reads: runtime.py, followers/feed.py. Read next: docs/how-to/use-sqlalchemy.md.

Rows and checkpoint are committed in one transaction of your database. A checkpoint moves only from where it was read:
of two processes that project the same events, one commits and the other takes its work back and looks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, cast

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session, sessionmaker

from headwater.errors import ProjectionFailed
from headwater.event_store.protocol import EventQuery, Slice
from headwater.followers.feed import Fact, facts_of
from headwater.messages import Event, Recorded, contract_of
from headwater.runtime import Runtime

Apply: TypeAlias = Callable[[Any, Sequence[Recorded[Any]]], "Awaitable[None] | None"]
"""Your function: it gets the session and some events in order, and adds rows; it does not commit."""
Sessions: TypeAlias = "sessionmaker[Session] | async_sessionmaker[AsyncSession]"

_BATCH = 500


def checkpoint_table(metadata: sa.MetaData, name: str = "headwater_checkpoints") -> sa.Table:
    """The table that keeps how far each projection is, declared beside your own; make it as you make yours."""
    return sa.Table(
        name,
        metadata,
        sa.Column("projection", sa.String(200), primary_key=True),
        sa.Column("position", sa.BigInteger, nullable=False),
    )


class OwnTables:
    """A projection into tables of your own: ``name`` it, say which ``events`` it takes, and how to ``apply`` them."""

    def __init__(
        self,
        name: str,
        events: Iterable[type[Event]],
        apply: Apply,
        *,
        sessions: Sessions,
        checkpoints: sa.Table,
        batch: int = _BATCH,
    ) -> None:
        self.name = name
        self._apply = apply
        self._sessions = sessions
        self._checkpoints = checkpoints
        self._batch = batch
        contracts = [contract_of(event) for event in events]
        self._types = frozenset(each for found in contracts for each in (found.name, *found.aliases))

    async def catch_up(self, runtime: Runtime) -> int:
        """Project what the log holds now; the position it then stands at. Raises ``ProjectionFailed``."""
        head = await runtime.event_store.head()
        position = await self.position()
        while position < head:
            page = await runtime.event_store.read(self._query(), after=position, limit=self._batch)
            end = page.events[-1].position if len(page.events) == self._batch else page.head
            position = await self._store(runtime, page, position, end)
        return position

    async def follow(self, runtime: Runtime) -> None:
        """Project the log, and go on with it, until it is cancelled. Raises ``ProjectionFailed``."""
        while True:
            position = await self.position()
            async for page in runtime.event_store.subscribe(self._query(), after=position):
                reached = await self._store(runtime, page, position, page.head)
                if reached != page.head:
                    break  # somebody else was first: go on from there
                position = reached

    async def position(self) -> int:
        """How far it is."""
        async with self._session() as run:
            found = await run(lambda session: session.scalar(self._where(sa.select(self._checkpoints.c.position))))
        return int(found or 0)

    async def _store(self, runtime: Runtime, page: Slice, start: int, end: int) -> int:
        """Apply a page and move the checkpoint, or nothing if it has moved; where it stands then."""
        facts = facts_of(page.events, self._types, runtime.codec)
        async with self._session() as run:
            if await run(lambda session: self._move(session, start, end)):
                if facts:
                    await self._project(run, facts)
                await run(lambda session: session.commit())
                return end
            await run(lambda session: session.rollback())
        return await self.position()

    async def _project(self, run: _Run, facts: Sequence[Fact]) -> None:
        at = facts[0].position
        try:
            recorded = [fact.recorded for fact in facts]
            if run.is_async:
                await cast("Awaitable[None]", self._apply(run.session, recorded))
            else:
                await run(lambda session: self._apply(session, recorded))
        except Exception as error:
            raise ProjectionFailed(
                f"{self.name} stops in the events from position {at} on: {error}", projection=self.name, position=at
            ) from error

    def _move(self, session: Any, start: int, end: int) -> bool:
        """The fence: the row is locked here, before anything is applied, and only if it is where it was read."""
        if start == 0 and session.scalar(self._where(sa.select(self._checkpoints.c.position))) is None:
            try:  # without a savepoint, whose release would commit by itself in Python's driver of SQLite
                session.execute(sa.insert(self._checkpoints).values(projection=self.name, position=end))
            except IntegrityError:
                return False  # somebody else was first; the caller takes the transaction back
            return True
        moved = self._where(sa.update(self._checkpoints)).where(self._checkpoints.c.position == start)
        return bool(session.execute(moved.values(position=end)).rowcount == 1)

    def _where(self, statement: Any) -> Any:
        return statement.where(self._checkpoints.c.projection == self.name)

    def _query(self) -> EventQuery:
        return EventQuery.of(types=sorted(self._types))

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[_Run]:
        """A session, asynchronous or not; what is not committed is taken back."""
        if isinstance(self._sessions, async_sessionmaker):
            async with self._sessions() as session:
                yield _Run(session, is_async=True)
            return
        plain = self._sessions()
        try:
            yield _Run(plain, is_async=False)
        finally:
            await asyncio.to_thread(plain.close)


class _Run:
    """Runs functions of a plain session: in a thread, or inside an asynchronous session."""

    def __init__(self, session: Any, *, is_async: bool) -> None:
        self.session = session
        self.is_async = is_async

    async def __call__(self, work: Callable[[Any], Any]) -> Any:
        if self.is_async:
            return await self.session.run_sync(work)
        return await asyncio.to_thread(work, self.session)
