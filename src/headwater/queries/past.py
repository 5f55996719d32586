"""Answers as they were: the needed part of the log folded beside the live tables. Reads: asking.py, projections/.

Read next: runtime.py. The rows of a past position stand in a scratch read store: in memory, or for a long log and for
queries with SQL of their own in a temporary SQLite file. It holds the projections that the query reads, and is kept for
further questions at that place.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeAlias, TypeVar, cast

import msgspec

from headwater.clock import Clock
from headwater.codec import Codec
from headwater.errors import InvalidAsOf, ProjectionFailed, QueryError, QueryTooSlow, UnknownMessage
from headwater.event_store.protocol import EventQuery, EventStore
from headwater.followers.consumer import Consumer
from headwater.followers.feed import facts_of
from headwater.limits import DEFAULT_LIMITS, Limits
from headwater.messages import Query, contract_of
from headwater.projections import projectors
from headwater.queries.asker import answered
from headwater.queries.asking import Answer, QueryPlan
from headwater.queries.freshness import seen
from headwater.queries.shelves import Flight
from headwater.read_models import ProjectionPlan, ReadModel
from headwater.read_store.memory import MemoryReadStore
from headwater.read_store.opening import open_read_store
from headwater.read_store.protocol import Changes, ReadStore
from headwater.read_store.reader import Reader
from headwater.read_store.source import RowSource, SqlFace
from headwater.read_store.views import sources_of

T = TypeVar("T")
R = TypeVar("R", bound=ReadModel)

_Key: TypeAlias = tuple[frozenset[str], int, bool]
"""Which projections, up to which position, and whether in memory."""

_PAGE = 2_000
_MOST_IN_MEMORY = 50_000
_KEPT = 8
_MOST_FOLDS = 4


class Past:
    """Answers queries as of a position or a time, from scratch read stores of which few are kept."""

    def __init__(
        self,
        projections: Sequence[ProjectionPlan],
        queries: Sequence[QueryPlan],
        services: Mapping[Any, Any],
        *,
        event_store: EventStore,
        codec: Codec,
        clock: Clock,
        cursor_key: bytes,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._limits = limits
        self._cursor_key = cursor_key
        self._with_sql: set[type[Query[Any]]] = set()
        self._projections = projections
        self._queries = {plan.query: plan for plan in queries}
        self._services = services
        self._events = event_store
        self._codec = codec
        self._clock = clock
        self._kept: OrderedDict[_Key, _Scratch] = OrderedDict()
        self._folds: dict[_Key, Flight[_Scratch]] = {}
        self._free = asyncio.Semaphore(_MOST_FOLDS)

    async def answer(self, query: Query[T], as_of: int | datetime, after: int | None = None) -> Answer[T]:
        """The answer as of a position (events up to it, and it) or of a time (events recorded until then).

        For its handler it is then: ``Now`` is that time, or when the event at that position was recorded. Raises
        ``InvalidAsOf`` for a place beyond the log or now, or before ``after``, which the answer is to include;
        ``ProjectionFailed`` where an event cannot be projected; ``QueryTooSlow`` if folding the log and answering take
        longer than the query's limits allow.
        """
        plan = self._queries.get(type(query))
        if plan is None:
            known = [contract_of(each).name for each in self._queries]
            raise UnknownMessage("query", contract_of(type(query)).name, known=known)
        position, moment = await self._place(as_of)
        if after is not None and after > position:
            raise InvalidAsOf(
                f"an answer as of position {position} does not include {after}",
                remedy="ask for one of the two",
                as_of=as_of,
                after=after,
            )
        wanted = {source for model in plan.models for source in sources_of(model)}
        needed = [each for each in self._projections if wanted.intersection(each.models)]
        seconds = (plan.query.__limits__ or self._limits).seconds
        timer = asyncio.timeout(seconds)
        try:
            async with timer:
                value: T = await self._answered(plan, query, needed, position, _Still(moment))
        except TimeoutError as error:
            if not timer.expired():
                raise
            raise _too_slow(position, seconds) from error
        return Answer(value, position, await self._age_seconds(position))

    async def _answered(
        self, plan: QueryPlan, query: Query[Any], needed: Sequence[ProjectionPlan], position: int, clock: Clock
    ) -> Any:
        """What the handler says; one that turns out to write SQL of its own is asked again where there is SQL."""
        in_memory = position <= _MOST_IN_MEMORY and plan.query not in self._with_sql
        async with self._rows(needed, position, in_memory=in_memory) as scratch:
            rows = _PastRows(scratch, self._cursor_key)
            try:
                return await answered(
                    plan, query, cast("ReadStore", rows), self._services, clock, self._limits, self._codec
                )
            except QueryError:
                if not rows.lacked_sql:
                    raise
        self._with_sql.add(plan.query)
        return await self._answered(plan, query, needed, position, clock)

    async def close(self) -> None:
        """Let go of what is kept, and of what is being made."""
        folds = [fold.task for fold in self._folds.values()]
        for task in folds:
            task.cancel()
        await asyncio.gather(*folds, return_exceptions=True)
        while self._kept:
            await self._kept.popitem()[1].drop()

    async def _place(self, as_of: object) -> tuple[int, datetime]:
        head = await self._events.head()
        if not isinstance(as_of, int | datetime) or isinstance(as_of, bool):
            remedy = "give a position, or an aware datetime"
            raise InvalidAsOf(f"as_of is a place in the log, and not {as_of!r}", remedy=remedy, as_of=as_of)
        if isinstance(as_of, datetime):
            if as_of.tzinfo is None:
                raise InvalidAsOf(f"{as_of} has no time zone", remedy="give an aware datetime", as_of=as_of)
            if as_of > self._clock.now():
                raise InvalidAsOf(f"{as_of} is still to come", remedy="ask without it for what is now", as_of=as_of)
            return await position_at(self._events, as_of, head), as_of
        if not 0 <= as_of <= head:
            remedy = f"give a position from 0 to {head}"
            raise InvalidAsOf(f"the log ends at position {head}, before {as_of}", remedy=remedy, as_of=as_of, head=head)
        events = (await self._events.read(after=as_of - 1, limit=1)).events if as_of else ()
        return as_of, events[0].recorded_at if events else self._clock.now()

    async def _age_seconds(self, position: int) -> float:
        missing = (await self._events.read(after=position, limit=1)).events
        return max(0.0, (self._clock.now() - missing[0].recorded_at).total_seconds()) if missing else 0.0

    # -- scratch read stores

    @asynccontextmanager
    async def _rows(
        self, plans: Sequence[ProjectionPlan], position: int, *, in_memory: bool
    ) -> AsyncIterator[ReadStore]:
        """The rows of these projections as of a position, folded once for all who ask; nobody's are taken away."""
        key = (frozenset(plan.name for plan in plans), position, in_memory)
        scratch = self._kept.get(key)
        while scratch is None:
            await (self._folds.get(key) or self._fold(plans, key)).join()
            scratch = self._kept.get(key)  # none if others have had it dropped since
        self._kept.move_to_end(key)
        scratch.users += 1
        try:
            await self._make_room()
            yield scratch.rows
        finally:
            scratch.users -= 1

    async def _make_room(self) -> None:
        idle = [key for key, scratch in self._kept.items() if not scratch.users]
        for key in idle[: max(0, len(self._kept) - _KEPT)]:
            await self._kept.pop(key).drop()

    def _fold(self, plans: Sequence[ProjectionPlan], key: _Key) -> Flight[_Scratch]:
        """Begin to fold; few folds go on at once, and one that nobody waits for any more is given up."""
        task = asyncio.get_running_loop().create_task(self._kept_when_built(plans, key))
        task.add_done_callback(seen)
        flight = self._folds[key] = Flight(0, task, lambda: self._folds.pop(key, None))
        return flight

    async def _kept_when_built(self, plans: Sequence[ProjectionPlan], key: _Key) -> _Scratch:
        try:
            async with self._free:
                scratch = self._kept[key] = await self._build(plans, *key)
            return scratch
        finally:
            if key in self._folds and self._folds[key].task is asyncio.current_task():
                del self._folds[key]

    async def _build(
        self,
        plans: Sequence[ProjectionPlan],
        names: frozenset[str],
        position: int,
        in_memory: bool,  # noqa: FBT001  a part of the key
    ) -> _Scratch:
        start, scratch = self._nearest(names, position) if in_memory else (0, None)
        scratch = scratch or await _Scratch.open(in_memory=in_memory)
        try:
            await fold_until(self._events, self._codec, projectors(plans, scratch.rows), scratch.rows, start, position)
        except BaseException:
            await scratch.drop()
            raise
        return scratch

    def _nearest(self, names: frozenset[str], position: int) -> tuple[int, _Scratch | None]:
        """A copy of the last rows before that position, if there are any in memory."""
        earlier = [at for kept, at, in_memory in self._kept if in_memory and kept == names and at <= position]
        rows = self._kept[names, max(earlier), True].rows if earlier else None
        return (max(earlier), _Scratch(rows.copy())) if isinstance(rows, MemoryReadStore) else (0, None)


async def fold_until(
    events: EventStore, codec: Codec, consumers: Sequence[Consumer], rows: ReadStore, start: int, position: int
) -> None:
    """Project the log from ``start`` up to ``position`` into a read store that nobody else fills.

    Raises ``ProjectionFailed`` where an event cannot be projected.
    """
    await rows.prepare([table for consumer in consumers for table in consumer.tables])
    types = frozenset[str]().union(*(consumer.event_types for consumer in consumers))
    at = start
    while types and at < position:
        await asyncio.sleep(0)  # stores may answer at once: let others go on, and whoever waits give up
        page = await events.read(EventQuery.of(types=sorted(types)), after=at, limit=_PAGE)
        facts = facts_of([event for event in page.events if event.position <= position], types, codec)
        at = min(position, page.events[-1].position) if len(page.events) == _PAGE else position
        stood = await rows.checkpoints()
        changes: list[Changes] = []
        for consumer in consumers:
            wanted = [fact for fact in facts if fact.type in consumer.event_types]
            work = consumer.begin(stood[consumer.name])
            fault = await work.fold(wanted, at)
            if fault is not None:
                failed = ProjectionFailed(
                    f"{consumer.name} stops at position {fault.position}: {fault.cause}",
                    projection=consumer.name,
                    position=fault.position,
                )
                raise failed from fault.cause
            changes.append(work.changes())
        await rows.commit(changes)


async def position_at(events: EventStore, moment: datetime, head: int) -> int:
    """The last position recorded until that moment, 0 if there is none: times go up along the log, so by halving."""
    low, high = 0, head
    while low < high:
        middle = (low + high + 1) // 2
        (event,) = (await events.read(after=middle - 1, limit=1)).events
        low, high = (middle, high) if event.recorded_at <= moment else (low, middle - 1)
    return low


def as_of_text(text: str) -> int | datetime:
    """A place in the past as people write it: a position, or a time in ISO 8601. Raises ``ValueError``."""
    return int(text) if text.isdecimal() and text.isascii() else datetime.fromisoformat(text)


def _too_slow(position: int, seconds: float | None) -> QueryTooSlow:
    return QueryTooSlow(
        f"an answer as of position {position} was not there within {seconds} s",
        remedy="give the query Limits(seconds=...) of its own; less is folded for a place near one that was asked for",
        limit="seconds",
        allowed=seconds,
    )


class _Still:
    """A clock that stands."""

    def __init__(self, moment: datetime) -> None:
        self._moment = moment

    def now(self) -> datetime:
        return self._moment


class _PastRows:
    """A scratch read store for one answer, whose page cursors are those of the live one, so that they outlast it."""

    def __init__(self, rows: ReadStore, cursor_key: bytes) -> None:
        self._rows = rows
        self.cursor_key = cursor_key
        self.lacked_sql = False

    @property
    def sql_face(self) -> SqlFace | None:
        """See ``RowSource.sql_face``. Only who writes SQL asks for it."""
        face = self._rows.sql_face
        self.lacked_sql = face is None
        return face

    def reader(self, model: type[R]) -> Reader[R]:
        """See ``ReadStore.reader``. It reads through here."""
        return self._rows.reader(model).over(cast("RowSource", self))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)


class _Scratch(msgspec.Struct, eq=False):
    """A read store for one place in the past, and what to clear away after it."""

    rows: ReadStore
    rest: AsyncExitStack = msgspec.field(default_factory=AsyncExitStack)
    users: int = 0

    @classmethod
    async def open(cls, *, in_memory: bool) -> _Scratch:
        if in_memory:
            return cls(MemoryReadStore())
        async with AsyncExitStack() as stack:
            directory = await asyncio.to_thread(mkdtemp, prefix="headwater-past-")
            stack.push_async_callback(asyncio.to_thread, shutil.rmtree, directory, ignore_errors=True)
            rows = await stack.enter_async_context(open_read_store(f"sqlite:///{Path(directory) / 'rows.db'}"))
            return cls(rows, stack.pop_all())

    async def drop(self) -> None:
        await self.rest.aclose()
