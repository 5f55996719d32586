"""Asking: a query (and a position to wait for) becomes an answer. Reads: declared.py, read_store/reader.py.

Read next: runtime.py. This is station 8 on the path of an item.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar, get_args, get_origin

import msgspec

from headwater.annotations import is_below, name_of
from headwater.clock import Clock
from headwater.errors import UnknownMessage
from headwater.event_store.protocol import EventStore
from headwater.followers.progress import Progress
from headwater.limits import DEFAULT_LIMITS, Allowance, Limits, end_allowance, use_allowance
from headwater.messages import Query, contract_of
from headwater.queries.declared import DetailPlan, ListPlan, declared_plan
from headwater.queries.listing import DetailQuery, ListQuery
from headwater.read_models import Page, ReadModel
from headwater.read_store.protocol import ReadStore
from headwater.read_store.reader import Reader
from headwater.read_store.views import sources_of, view_faults
from headwater.signatures import Parameter, alternatives, is_kind, read_signature

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_ANSWERS = "__answers__"


def answers(function: F, /) -> F:
    """Mark the function that answers a query: ``async def find(query: FindX, rows: Reader[XRow]) -> Page[XRow]``.

    It may be async or not. What it asks for besides the query is given by annotation: ``Reader[Row]`` of a read model,
    ``Now``, or a service of the app.
    """
    setattr(function, _ANSWERS, True)
    return function


def is_query_handler(part: object) -> bool:
    """Whether ``answers`` marked this function."""
    return callable(part) and getattr(part, _ANSWERS, False) is True


class Answer(msgspec.Struct, Generic[T], frozen=True):
    """What a query was answered, and how fresh it is.

    It includes the log up to ``position`` at least. ``age_seconds`` is 0 if that was the whole log when it was asked;
    otherwise it is how long ago the first event that may be missing was recorded.
    """

    value: T
    position: int
    age_seconds: float


class QueryPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about a query handler: the ``query``, the ``readers`` (by parameter) and ``services`` it wants.

    A ``declared`` query is answered by what it says itself.
    """

    query: type[Query[Any]]
    function: Callable[..., Any]
    is_async: bool
    readers: Mapping[str, type[ReadModel]]
    services: tuple[Parameter, ...]
    where: str
    faults: tuple[str, ...]
    declared: ListPlan | DetailPlan | None = None

    @property
    def name(self) -> str:
        """The name of the query it answers."""
        return contract_of(self.query).name

    @property
    def models(self) -> tuple[type[ReadModel], ...]:
        """The read models it reads."""
        return tuple(dict.fromkeys(source for model in self.readers.values() for source in sources_of(model)))


def query_plan(function: Callable[..., Any]) -> QueryPlan | str:
    """Read a query handler once; a string is the fault that leaves no plan at all."""
    signature = read_signature(function, method=False)
    if isinstance(signature, str):
        return signature
    where = signature.where
    if not signature.parameters or not is_kind(signature.parameters[0].annotation, Query):
        return f"{where}: the first parameter must be annotated with a Query"
    query: type[Query[Any]] = signature.parameters[0].annotation
    faults = list(_answer_faults(where, query, signature.returns))
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        faults.append(f"{where}: a query handler returns its answer once, it does not yield")
    readers: dict[str, type[ReadModel]] = {}
    services: list[Parameter] = []
    for parameter in signature.parameters[1:]:
        if get_origin(parameter.annotation) is Reader and is_kind(get_args(parameter.annotation)[0], ReadModel):
            readers[parameter.name] = get_args(parameter.annotation)[0]
            faults.extend(view_faults(readers[parameter.name]))
        elif Reader in (parameter.annotation, get_origin(parameter.annotation)):
            faults.append(f"{where}: parameter {parameter.name!r} does not say of what: Reader[SomeReadModel]")
        else:
            services.append(parameter)
    return QueryPlan(
        query=query,
        function=function,
        is_async=inspect.iscoroutinefunction(function),
        readers=readers,
        services=tuple(services),
        where=where,
        faults=tuple(faults),
    )


def is_declared(part: object) -> bool:
    """Whether it is a query class that needs no handler."""
    return is_kind(part, ListQuery) or is_kind(part, DetailQuery)


def declared_query_plan(cls: type[Query[Any]]) -> QueryPlan | str:
    """How a declared query is answered; a string is the fault that leaves no plan at all."""
    plan = declared_plan(cls)
    if isinstance(plan, str):
        return plan
    return QueryPlan(
        query=cls,
        function=plan.answer,
        is_async=True,
        readers={"rows": plan.model},
        services=(),
        where=cls.__qualname__,
        faults=plan.faults,
        declared=plan,
    )


def answer_type_of(query: type[Query[Any]]) -> Any:
    """``T`` of a ``Query[T]``; ``Any`` if the class does not say."""
    for base in query.__mro__:
        for generic in getattr(base, "__orig_bases__", ()):
            origin: Any = get_origin(generic)
            given = get_args(generic)
            if not is_below(origin, Query) or any(isinstance(argument, TypeVar) for argument in given):
                continue
            page: Any = Page
            return page[given[0]] if issubclass(origin, ListQuery) else given[0]
    return Any


def _answer_faults(where: str, query: type[Query[Any]], returns: Any) -> Sequence[str]:
    wanted = answer_type_of(query)
    if returns is inspect.Parameter.empty or Any in (wanted, returns):
        return ()
    if all(any(_fits(part, allowed) for allowed in alternatives(wanted)) for part in alternatives(returns)):
        return ()
    return (f"{where} returns {name_of(returns)}, but {query.__name__} is a Query[{name_of(wanted)}]",)


def _fits(returned: Any, wanted: Any) -> bool:
    if returned == wanted:
        return True
    return isinstance(returned, type) and isinstance(wanted, type) and issubclass(returned, wanted)


class Asker:
    """Answers the queries of an application. ``services`` are looked up when a query is first asked."""

    def __init__(
        self,
        plans: Sequence[QueryPlan],
        read_store: ReadStore,
        services: Mapping[Any, Any],
        *,
        event_store: EventStore,
        progress: Progress,
        clock: Clock,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._limits = limits
        self._plans = {plan.query: plan for plan in plans}
        self._rows = read_store
        self._services = services
        self._events = event_store
        self._progress = progress
        self._clock = clock
        self._calls: dict[type[Query[Any]], _Call] = {}

    async def ask(
        self,
        query: Query[T],
        *,
        after: int | None = None,
        max_staleness: float | None = None,
        timeout: float | None = None,
    ) -> T:
        """The value alone, see ``answer``: cheaper, because nobody looks how old it is."""
        call = self._calls.get(type(query)) or self._call(query)
        if after is not None:
            await self._progress.wait_for(call.projections, after, timeout)
        if max_staleness is not None:
            await self._wait_until_fresh(call, max_staleness, timeout)
        value: T = await call.run(query, self._clock)
        return value

    async def answer(
        self,
        query: Query[T],
        *,
        after: int | None = None,
        max_staleness: float | None = None,
        timeout: float | None = None,
    ) -> Answer[T]:
        """The answer, which includes position ``after`` and is at most ``max_staleness`` seconds old.

        Raises ``UnknownMessage`` for a query nobody answers, ``ProjectionBehind`` if waiting for that takes longer than
        ``timeout`` seconds, ``ProjectionFailed`` if a projection it reads has stopped short of it, ``QueryError``.
        """
        call = self._calls.get(type(query)) or self._call(query)
        if after is not None:
            await self._progress.wait_for(call.projections, after, timeout)
        if max_staleness is not None:
            await self._wait_until_fresh(call, max_staleness, timeout)
        position, age_seconds = await self._freshness(call)
        value: T = await call.run(query, self._clock)
        return Answer(value, position, age_seconds)

    async def _wait_until_fresh(self, call: _Call, max_staleness: float, timeout: float | None) -> None:
        _, age_seconds = await self._freshness(call)
        if age_seconds > max_staleness:
            await self._progress.wait_for(call.projections, await self._events.head(), timeout)

    async def _freshness(self, call: _Call) -> tuple[int, float]:
        """Where the rows stand that the query reads, and how old that makes the answer."""
        if not call.projections:
            return await self._events.head(), 0.0
        await self._progress.look()
        position = self._progress.position(call.projections)
        if position >= await self._events.head():
            return position, 0.0
        missing = (await self._events.read(after=position, limit=1)).events
        if not missing:
            return position, 0.0
        return position, max(0.0, (self._clock.now() - missing[0].recorded_at).total_seconds())

    def _call(self, query: Query[Any]) -> _Call:
        plan = self._plans.get(type(query))
        if plan is None:
            raise UnknownMessage("query", contract_of(type(query)).name)
        call = self._calls[type(query)] = _Call(plan, self._rows, self._services, self._limits)
        return call


class _Call:
    """A query handler with everything it asks for."""

    def __init__(self, plan: QueryPlan, rows: ReadStore, services: Mapping[Any, Any], limits: Limits) -> None:
        own = plan.query.__limits__
        self._limits, self._has_own_limits = own or limits, own is not None
        self._function = plan.function
        self._is_async = plan.is_async
        self._given: dict[str, Any] = {name: rows.reader(model) for name, model in plan.readers.items()}
        self._given |= {each.name: services[each.annotation] for each in plan.services if not each.wants_now}
        self._times = tuple(each.name for each in plan.services if each.wants_now)
        self.projections = tuple(dict.fromkeys(rows.table_of(model).projection for model in plan.models))

    async def run(self, query: Query[Any], clock: Clock) -> Any:
        """Call the handler, within the query's limits."""
        given = self._given
        if self._times:
            given = {**given, **dict.fromkeys(self._times, clock.now())}
        before = use_allowance(Allowance(self._limits, is_own=self._has_own_limits))
        try:
            answered = self._function(query, **given)
            return await answered if self._is_async else answered
        finally:
            end_allowance(before)
