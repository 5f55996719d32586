"""The asker: a query (and a position to wait for) becomes an answer, made, kept or live.

Reads: asking.py, cache.py, live.py. Read next: runtime.py. This is station 8 on the path of an item.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from time import monotonic
from types import AsyncGeneratorType, CoroutineType
from typing import Any, TypeVar, cast

import msgspec

from headwater.clock import Clock
from headwater.codec import Codec
from headwater.errors import ContractError, HandlerContractError, HeadwaterError, UnknownMessage
from headwater.limits import DEFAULT_LIMITS, Limits, Terms, begin_query, end_query
from headwater.messages import Cache, Query, ScopeOf, contract_of
from headwater.queries.asking import Answer, QueryPlan, answer_type_of
from headwater.queries.cache import QueryCache
from headwater.queries.freshness import Basis, Freshness, Standing
from headwater.queries.live import Seen, Streams
from headwater.queries.shared import SharedCache, code_facts, contract_facts
from headwater.queries.shelves import Entry, Wish
from headwater.queries.tracing import Tracer
from headwater.read_store.protocol import ReadStore
from headwater.read_store.reader import Reader

T = TypeVar("T")


class Rendered(msgspec.Struct, frozen=True):
    """An answer with its JSON, and how it is kept if it is."""

    answer: Answer[Any]
    body: bytes
    rules: Cache | None


class Who(msgspec.Struct, frozen=True):
    """Who asks: the ``actor``, perhaps of a ``tenant``."""

    actor: str | None = None
    tenant: str | None = None


ANYBODY = Who()
_ANY = Wish()
_NO_ANSWERS = frozenset[type[Any]]({AsyncGeneratorType, CoroutineType, Reader})
"""What a handler returns that forgot to wait, or to read."""


class Asker:
    """Answers the queries of an application. ``services`` are looked up when a query is first asked."""

    def __init__(
        self,
        plans: Sequence[QueryPlan],
        read_store: ReadStore,
        services: Mapping[Any, Any],
        *,
        freshness: Freshness,
        codec: Codec,
        limits: Limits = DEFAULT_LIMITS,
        shared: SharedCache | None = None,
        scope: ScopeOf | None = None,
        now: Callable[[], float] = monotonic,
    ) -> None:
        self._plans = {plan.query: plan for plan in plans}
        self._rows = read_store
        self._services = services
        self._fresh = freshness
        self._codec = codec
        self._limits = limits
        self._calls: dict[type[Query[Any]], _Call] = {}
        self.cache = QueryCache(freshness, codec, secret=read_store.cursor_key, shared=shared, scope=scope, now=now)
        self.streams = Streams(freshness, codec)

    async def ask(
        self,
        query: Query[T],
        *,
        after: int | None = None,
        max_staleness: float | None = None,
        timeout: float | None = None,
        who: Who = ANYBODY,
    ) -> T:
        """The value alone, see ``answer``: cheaper, because nobody looks how old it is."""
        call = self._calls.get(type(query)) or self._call(query)
        if after is not None or max_staleness is not None or self._fresh.progress.unready:
            await self._fresh.wait(call.projections, after, max_staleness, timeout)
        if call.rules is None:
            made: T = await call.run(query)
            return made
        wish = _wish(who, after, max_staleness)
        entry = self.cache.kept(call, query, wish) or await self.cache.find(call, call.rules, query, wish)
        value: T = entry.value
        return value

    async def answer(
        self,
        query: Query[T],
        *,
        after: int | None = None,
        max_staleness: float | None = None,
        timeout: float | None = None,
        who: Who = ANYBODY,
    ) -> Answer[T]:
        """The answer, which includes position ``after`` and is at most ``max_staleness`` seconds old.

        Raises ``UnknownMessage`` for a query nobody answers, ``ProjectionBehind`` if waiting for that takes longer than
        ``timeout`` seconds, ``ProjectionFailed`` if a projection it reads has stopped short of it, ``QueryError``.
        """
        return (await self._entry(query, after, max_staleness, timeout, who))[1]

    async def rendered(
        self,
        query: Query[Any],
        *,
        after: int | None = None,
        max_staleness: float | None = None,
        timeout: float | None = None,
        who: Who = ANYBODY,
    ) -> Rendered:
        """The answer with its JSON, which is made once as long as the answer is kept. Raises what ``answer`` raises."""
        entry, answer = await self._entry(query, after, max_staleness, timeout, who)
        body = self._codec.encode(answer.value) if entry is None else entry.json(self._codec)
        return Rendered(answer, body, type(query).__cache__)

    async def _entry(
        self, query: Query[Any], after: int | None, max_staleness: float | None, timeout: float | None, who: Who
    ) -> tuple[Entry | None, Answer[Any]]:
        call = self._calls.get(type(query)) or self._call(query)
        if after is not None or max_staleness is not None or self._fresh.progress.unready:
            await self._fresh.wait(call.projections, after, max_staleness, timeout)
        if call.rules is None:
            position, age_seconds = await self._fresh.of(call.projections)
            return None, Answer(await call.run(query), position, age_seconds)
        wish = _wish(who, after, max_staleness)
        entry = self.cache.kept(call, query, wish) or await self.cache.find(call, call.rules, query, wish)
        position, age_seconds = await self._fresh.at(entry.basis.position)
        return entry, Answer(entry.value, position, age_seconds)

    async def watch(
        self,
        query: Query[Any],
        admit: Callable[[], Awaitable[object]],
        *,
        since: int | None = None,
        after: int | None = None,
        timeout: float | None = None,
        who: Who = ANYBODY,
    ) -> AsyncGenerator[Seen | None, None]:
        """The answer now, then each other one, see ``Streams.watch``. Raises what ``answer`` raises."""
        call = self._calls.get(type(query)) or self._call(query)
        await self._fresh.wait(call.projections, after, None, timeout)
        key = self.cache.key(call, query, _wish(who)) or (who.tenant, who.actor, b"%d" % id(query))
        async with aclosing(self.streams.watch(call, key, query, since, admit)) as found:
            async for each in found:
                yield each

    async def close(self) -> None:
        """End what was begun for those who ask: streams, and what goes on in the background."""
        self.streams.close()
        await self.cache.close()

    def _call(self, query: Query[Any]) -> _Call:
        plan = self._plans.get(type(query))
        given: Any = query
        if not isinstance(given, Query):
            raise ContractError(f"{query!r} is not a query", remedy="give one that is made, as in FindIncidents(...)")
        if plan is None:
            known = [contract_of(each).name for each in self._plans]
            raise UnknownMessage("query of this application", contract_of(type(query)).name, known=known)
        call = self._calls[type(query)] = _Call(
            plan, self._rows, self._services, self._fresh.clock, self._limits, self._codec, self._fresh
        )
        return call


async def answered(
    plan: QueryPlan,
    query: Query[Any],
    rows: ReadStore,
    services: Mapping[Any, Any],
    clock: Clock,
    limits: Limits,
    codec: Codec,
) -> Any:
    """What the handler answers, from these rows, at the time of that clock: nothing is kept."""
    return await _Call(plan, rows, services, clock, limits, codec).run(query)


def _unanswered(where: str, answered: Any) -> HandlerContractError:
    what = answered.__class__.__name__
    if answered.__class__ is CoroutineType:
        answered.close()  # nobody will await it
    return HandlerContractError(
        f"{where} returned {what}, which is no answer yet",
        remedy="write `return await ...`, and ask a Reader for its page(), all() or get()",
        where=where,
    )


def _wish(who: Who, after: int | None = None, max_staleness: float | None = None) -> Wish:
    if who is ANYBODY and after is None and max_staleness is None:
        return _ANY
    return Wish(who.actor, who.tenant, after, exact=max_staleness is not None)


class _Call:
    """A query handler with everything it asks for: a ``Question``."""

    def __init__(
        self,
        plan: QueryPlan,
        rows: ReadStore,
        services: Mapping[Any, Any],
        clock: Clock,
        limits: Limits,
        codec: Codec,
        freshness: Freshness | None = None,
    ) -> None:
        own = plan.query.__limits__
        self._app_limits = limits
        self._terms = Terms(own or limits, own is not None)
        self._plan = plan
        self._rows = rows
        self._services = services
        self._clock = clock
        self._codec = codec
        self._fresh = freshness
        self._given: dict[str, Any] = {name: rows.reader(model) for name, model in plan.readers.items()}
        self._given |= {each.name: services[each.annotation] for each in plan.services if not each.wants_now}
        self._times = tuple(each.name for each in plan.services if each.wants_now)
        self.query = plan.query
        self.rules = plan.query.__cache__
        self.answer_type = answer_type_of(plan.query)
        self.tables = tuple(dict.fromkeys(rows.table_of(model) for model in plan.models))
        self.projections = tuple(dict.fromkeys(table.projection for table in self.tables))

    @property
    def facts(self) -> tuple[Any, ...]:
        """See ``Question.facts``."""
        shapes = [f"{table.name} {table.fingerprint}" for table in self.tables]
        code = code_facts(self._plan.function, self._plan.declared)
        return (self._plan.name, contract_facts(self.query, self.answer_type), shapes, code)

    async def run(self, query: Query[Any]) -> Any:
        """Call the handler, within the query's limits. Raises ``InvalidMessage`` if it fails on a query that is none.

        Only one made in Python can be that, and to look at each beforehand would take as long as to find its row.
        """
        given = self._given
        if self._times:
            given = {**given, **dict.fromkeys(self._times, self._clock.now())}
        before = begin_query(self._terms)
        try:
            answered = self._plan.function(query, **given)
            if self._plan.is_async:
                answered = await answered
            if answered.__class__ in _NO_ANSWERS:
                raise _unanswered(self._plan.where, answered)
            return answered
        except Exception as error:
            if isinstance(error, ContractError) or not isinstance(error, HeadwaterError):
                self._codec.validated(query)
            raise
        finally:
            end_query(before)

    async def traced(self, query: Query[Any]) -> tuple[Any, Basis]:
        """See ``Question.traced``. The rows stand where they stood before, or further."""
        standing: Standing = {} if self._fresh is None else await self._fresh.look()
        tracer = Tracer(self._rows)
        call = _Call(self._plan, cast("ReadStore", tracer), self._services, self._clock, self._app_limits, self._codec)
        value = await call.run(query)
        return value, Basis.of(self.projections, standing, tracer)
