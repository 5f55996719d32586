"""The parts of an application, sorted, checked against each other, every fault found at once.

Reads: aggregates.py, commands/handlers.py, read_models.py, queries/asking.py, catalogue.py. Read next: app.py.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from headwater.aggregates import Aggregate, AggregatePlan, aggregate_plan
from headwater.annotations import is_below, name_of, unresolved
from headwater.catalogue import Catalogue
from headwater.commands.handlers import HandlerPlan, handler_plan, is_handler
from headwater.commands.routing import Route, routes_of
from headwater.messages import Command, Event, Message
from headwater.queries.asking import QueryPlan, declared_query_plan, is_query_handler, needs_no_handler, query_plan
from headwater.read_models import Projection, ProjectionPlan, projection_plan
from headwater.read_store.tables import table_names
from headwater.signatures import Parameter
from headwater.upcasting import is_upcaster


class Wiring(msgspec.Struct, frozen=True, kw_only=True):
    """The checked parts. ``faults`` is empty if they fit together."""

    catalogue: Catalogue
    aggregates: tuple[AggregatePlan, ...]
    routes: Mapping[type[Command], Route]
    handlers: tuple[HandlerPlan, ...]
    projections: tuple[ProjectionPlan, ...]
    queries: tuple[QueryPlan, ...]
    services: Mapping[Any, Any]
    faults: tuple[str, ...]


def wire(parts: Sequence[Any], services: Mapping[Any, Any], resolver: Callable[[Any], Any] | None) -> Wiring:
    """Sort the parts, read each once, and check them against each other."""
    sorted_parts = _Parts()
    for part in parts:
        try:
            sorted_parts.add(part)
        except NameError as error:  # of something that it names: a query's rows, the rows beside them
            sorted_parts.faults.append(f"{name_of(part)}: {unresolved(error)}")
    return sorted_parts.wiring(services, resolver)


class _Parts:
    """The parts by kind, and the faults found on the way."""

    def __init__(self) -> None:
        self.aggregates: list[AggregatePlan] = []
        self.projections: list[ProjectionPlan] = []
        self.queries: list[QueryPlan] = []
        self.handlers: list[HandlerPlan] = []
        self.upcasters: list[Any] = []
        self.messages: list[type[Message]] = []
        self.faults: list[str] = []

    def add(self, part: Any) -> None:
        """Put a part where it belongs."""
        if is_below(part, Aggregate):
            self._keep(self.aggregates, aggregate_plan(part))
        elif is_below(part, Projection):
            self._keep(self.projections, projection_plan(part))
        elif needs_no_handler(part):
            self._keep(self.queries, declared_query_plan(part))
        elif is_below(part, Message):
            self.messages.append(part)
        elif is_upcaster(part):
            self.upcasters.append(part)
        elif is_query_handler(part):
            self._keep(self.queries, query_plan(part))
        elif is_handler(part):
            self._keep(self.handlers, handler_plan(part))
        else:
            self.faults.append(
                f"{part!r} is no part of an app: give aggregates, projections, messages, and functions marked with "
                "@answers, @handles or @upcast"
            )

    def _keep(self, kept: list[Any], plan: Any) -> None:
        if isinstance(plan, str):
            self.faults.append(plan)
        else:
            self.faults.extend(getattr(plan, "faults", ()))
            kept.append(plan)

    def wiring(self, services: Mapping[Any, Any], resolver: Callable[[Any], Any] | None) -> Wiring:
        """Check the parts against each other and hand them over."""
        catalogue = Catalogue.of(self._all_messages(), self.upcasters)
        self.faults.extend(catalogue.faults)
        routes: dict[type[Command], Route] = {}
        for plan in self.aggregates:
            routes |= routes_of(plan)
        self.faults.extend(_twice("command", "decided", self._command_owners()))
        self.faults.extend(_twice("query", "answered", ((q.query, q.where) for q in self.queries)))
        self.faults.extend(_twice("projection", "named", ((p.name, p.where) for p in self.projections)))
        self.faults.extend(_twice("read model", "filled", ((m, p.where) for p in self.projections for m in p.models)))
        self.faults.extend(_twice("table", "filled", ((n, p.where) for p in self.projections for n in table_names(p))))
        self.faults.extend(self._undecided(catalogue))
        self.faults.extend(self._passed_over(catalogue.events.values()))
        self.faults.extend(self._unprojected())
        found = dict(services)
        self.faults.extend(self._unserved(found, resolver))
        return Wiring(
            catalogue=catalogue,
            aggregates=tuple(self.aggregates),
            routes=routes,
            handlers=tuple(self.handlers),
            projections=tuple(self.projections),
            queries=tuple(self.queries),
            services=found,
            faults=tuple(dict.fromkeys(self.faults)),
        )

    def _all_messages(self) -> tuple[type[Message], ...]:
        named: list[type[Message]] = []
        for plan in self.aggregates:
            named += [*plan.deciders, *plan.events]
        for handler in self.handlers:
            named += [handler.command, *handler.messages]
        for projection in self.projections:
            named += projection.events
        named += [query.query for query in self.queries]
        return tuple(dict.fromkeys((*named, *self.messages)))

    def _command_owners(self) -> Iterator[tuple[Any, str]]:
        for plan in self.aggregates:
            yield from ((command, decider.where) for command, decider in plan.deciders.items())
        yield from ((handler.command, handler.where) for handler in self.handlers)

    def _undecided(self, catalogue: Catalogue) -> Iterator[str]:
        decided = {command.__name__ for command, _ in self._command_owners()}
        for command in catalogue.commands.values():
            if command.__name__ not in decided:
                yield f"nobody decides {command.__name__}{_nearest(command.__name__, decided)}"
        answered = {query.query.__name__ for query in self.queries}
        for asked in catalogue.queries.values():
            if asked.__name__ not in answered:
                yield f"nobody answers {asked.__name__}{_nearest(asked.__name__, answered)}"

    def _passed_over(self, events: Collection[type[Event]]) -> Iterator[str]:
        """Events below one that is evolved or projected: each is found by its own class, not by that above it."""
        taking: list[tuple[str, Collection[type[Event]]]] = [(p.cls.__name__, p.evolvers) for p in self.aggregates]
        taking += [(p.where, p.handlers) for p in self.projections]
        for where, taken in taking:
            for event in events:
                above = next((base for base in event.__mro__[1:] if base in taken), None)
                if above is not None and event not in taken:
                    below = f"{event.__name__}, which is below it"
                    yield f"{where} takes {above.__name__}, but not {below}; name each event"

    def _unprojected(self) -> Iterator[str]:
        projected = {model.__name__ for plan in self.projections for model in plan.models}
        for query in self.queries:
            for model in query.models:
                name = model.__name__
                if name not in projected:
                    yield f"{query.where} reads {name}, which no projection fills{_nearest(name, projected)}"

    def _unserved(self, found: dict[Any, Any], resolver: Callable[[Any], Any] | None) -> Iterator[str]:
        for where, parameter, may_wait in self._wanted():
            wanted = parameter.annotation
            if _is_runtime(wanted):
                if not may_wait:
                    yield f"{where} asks for the Runtime, but a decision depends on its state and command alone"
                continue
            if parameter.wants_now or wanted in found:
                continue
            try:
                found[wanted] = _resolve(resolver, wanted)
            except LookupError:
                known = {getattr(service, "__name__", str(service)) for service in found}
                name = getattr(wanted, "__name__", str(wanted))
                near = "; the time is asked for by `now: Now`" if wanted is datetime else _nearest(name, known)
                yield f"{where} asks for {name}, which is no service of the app{near}"

    def _wanted(self) -> Iterator[tuple[str, Parameter, bool]]:
        """Who asks for what, and whether that may be the opened application."""
        for plan in self.aggregates:
            for decider in plan.deciders.values():
                yield from ((decider.where, parameter, False) for parameter in decider.extras)
        for handler in self.handlers:
            yield from ((handler.where, parameter, True) for parameter in handler.extras)
        for query in self.queries:
            yield from ((query.where, parameter, True) for parameter in query.services)


def _twice(kind: str, verb: str, owners: Iterable[tuple[Any, str]]) -> Iterator[str]:
    seen: dict[Any, str] = {}
    for subject, where in owners:
        if subject in seen and seen[subject] != where:
            name = getattr(subject, "__name__", subject)
            yield f"{kind} {name} is {verb} twice: by {seen[subject]} and by {where}"
        seen.setdefault(subject, where)


def _nearest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _is_runtime(wanted: Any) -> bool:
    """The opened application itself may be asked for; it is known by name here, because it stands above this module."""
    return getattr(wanted, "__qualname__", "") == "Runtime" and str(wanted.__module__) == "headwater.runtime"


def _resolve(resolver: Callable[[Any], Any] | None, wanted: Any) -> Any:
    if resolver is None:
        raise LookupError(wanted)
    return resolver(wanted)
