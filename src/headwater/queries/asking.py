"""Asking: a query (and a position to wait for) becomes an answer. Reads: declared.py, read_store/reader.py.

Read next: freshness.py, cache.py, live.py, asker.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, get_args, get_origin

import msgspec

from headwater.annotations import is_below, name_of
from headwater.errors import QueryError
from headwater.messages import Query, Receipt, contract_of
from headwater.queries.declared import DetailPlan, ListPlan, declared_plan
from headwater.queries.listing import DetailQuery, ListQuery
from headwater.queries.reports import ReportPlan, ReportQuery, report_plan
from headwater.read_models import Page, ReadModel
from headwater.read_store.reader import Reader
from headwater.read_store.views import sources_of, view_faults
from headwater.signatures import Parameter, alternatives, is_kind, marked, read_signature

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T")

_ANSWERS = "__answers__"


def answers(function: F, /) -> F:
    """Mark the function that answers a query: ``async def find(query: FindX, rows: Reader[XRow]) -> Page[XRow]``.

    It may be async or not. What it asks for besides the query is given by annotation: ``Reader[Row]`` of a read model,
    ``Now``, or a service of the app.
    """
    return marked(function, _ANSWERS, "answers")


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


def position_wanted(after: object, name: str = "after") -> int | None:
    """The position that must be reached. Raises ``QueryError`` for what is no receipt and no position."""
    if after is None:
        return None
    if isinstance(after, Receipt):
        return after.position
    if isinstance(after, int) and not isinstance(after, bool) and after >= 0:
        return after
    remedy = "give a receipt, or a position from 0"
    raise QueryError(f"{name} is a place in the log, and not {after!r}", remedy=remedy, field=name)


def query_plan(function: Callable[..., Any]) -> QueryPlan | str:
    """Read a query handler once; a string is the fault that leaves no plan at all."""
    signature = read_signature(function, method=False)
    if isinstance(signature, str):
        return signature
    where = signature.where
    if not signature.parameters or not is_kind(signature.parameters[0].annotation, Query):
        return f"{where}: the first parameter must be annotated with a Query"
    query: type[Query[Any]] = signature.parameters[0].annotation
    faults = [*_answer_faults(where, query, signature.returns)]
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
    faults.extend(_cache_faults(where, query, readers, services))
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
    """Whether it is a query class that asks for rows, and needs no handler."""
    return is_kind(part, ListQuery) or is_kind(part, DetailQuery)


def needs_no_handler(part: object) -> bool:
    """Whether it is a query class that is answered by what it says itself: for rows, or a report."""
    return is_declared(part) or is_kind(part, ReportQuery)


def declared_query_plan(cls: type[Query[Any]]) -> QueryPlan | str:
    """How a declared query is answered; a string is the fault that leaves no plan at all."""
    declared: Any = cls
    plan = report_plan(declared) if is_below(declared, ReportQuery) else declared_plan(declared)
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
        declared=None if isinstance(plan, ReportPlan) else plan,
    )


def answer_type_of(query: type[Query[Any]]) -> Any:
    """``T`` of a ``Query[T]``; ``Any`` if the class does not say."""
    for base in query.__mro__:
        for generic in getattr(base, "__orig_bases__", ()):
            origin: Any = get_origin(generic)
            given = get_args(generic)
            if not is_below(origin, Query) or any(isinstance(argument, TypeVar) for argument in given):
                continue
            if issubclass(origin, ReportQuery):
                rows: Any = list
                return rows[given[0]]
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


def _cache_faults(
    where: str, query: type[Query[Any]], readers: Mapping[str, Any], services: Sequence[Parameter]
) -> Iterator[str]:
    """What makes answers that cannot be kept as their query declares."""
    rules = query.__cache__
    if rules is None:
        return
    if rules.ttl is None and (services or not readers):
        others = ", ".join(parameter.name for parameter in services) or "no rows"
        yield f"{where}: an answer made from {others} grows old unseen; say cache=Cache(ttl=...) in {query.__name__}"
    if rules.shared and answer_type_of(query) is Any:
        yield f"{where}: to be shared, {query.__name__} must say what it is answered with: Query[...]"


def _fits(returned: Any, wanted: Any) -> bool:
    if returned == wanted:
        return True
    return isinstance(returned, type) and isinstance(wanted, type) and issubclass(returned, wanted)
