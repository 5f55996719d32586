"""Given, when, then: the rules of an aggregate and the rows of a projection, told as examples. Pure, no event loop.

Reads: history.py, aggregates.py, read_models.py. Read next: rows.py (the same words for projections), app.py.

    scenario(Incident, now=noon)
        .given(IncidentOpened(...), (IncidentAssigned(...), yesterday))
        .when(ResolveIncident(...))
        .then(IncidentResolved(...))

Each word gives a new scenario, so a common beginning can be named once and told to several ends.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, TypeGuard, TypeVar, overload

import msgspec

from headwater.aggregates import Aggregate, AggregatePlan, Decider, aggregate_plan
from headwater.commands.routing import routes_of
from headwater.errors import ContractError, HandlerContractError, Refused, UnknownMessage, WiringError
from headwater.messages import Command, Event, contract_of
from headwater.read_models import Projection, ReadModel
from headwater.testing.clock import START, in_utc
from headwater.testing.differences import difference, listed, picture
from headwater.testing.facts import Happened, History
from headwater.testing.rows import RowScenario, row_scenario

A = TypeVar("A", bound=Aggregate)
R = TypeVar("R", bound=ReadModel)


@overload
def scenario(subject: type[A], *, now: datetime = START, services: Mapping[Any, Any] | None = None) -> Scenario[A]: ...
@overload
def scenario(subject: type[Projection[R]], *, now: datetime = START) -> RowScenario[R]: ...
def scenario(subject: Any, *, now: datetime = START, services: Mapping[Any, Any] | None = None) -> Any:
    """Begin a scenario of an aggregate (``given when then``) or of a projection (``given then_rows``).

    ``now`` is the time of decisions and of given events that name no time of their own; ``services`` are what the
    deciders ask for by annotation. Raises ``WiringError`` with every fault of the class.
    """
    if _is_projection(subject):
        return row_scenario(subject, in_utc(now))
    if not (isinstance(subject, type) and issubclass(subject, Aggregate)):
        raise ContractError(f"{subject!r} has no scenarios", remedy="give an Aggregate or a Projection class")
    plan = aggregate_plan(subject)
    if plan.faults:
        raise WiringError(plan.faults)
    return Scenario[Any](plan, History(), in_utc(now), services or {})


def _is_projection(subject: Any) -> TypeGuard[type[Projection[Any]]]:
    return isinstance(subject, type) and issubclass(subject, Projection)


class Scenario(msgspec.Struct, Generic[A], frozen=True):
    """What happened to an aggregate so far."""

    plan: AggregatePlan
    history: History
    now: datetime
    services: Mapping[Any, Any]

    def __repr__(self) -> str:
        return f"<scenario of {self.plan.cls.__name__}, {self.history.position} events>"

    def given(self, *happened: Happened) -> Scenario[A]:
        """These events happened before: each an event, or ``(event, recorded_at)``, or a ``Recorded``.

        As in the real thing, only those inside the aggregate's boundary reach its ``evolve`` methods.
        Raises ``ContractError`` for an event that is not the same after it was stored and read again.
        """
        return msgspec.structs.replace(self, history=self.history.and_then(happened, self.now))

    def when(self, command: Command, *, now: datetime | None = None) -> Outcome[A]:
        """Decide this command, at another time if ``now`` says so; what follows is for ``then`` to say.

        New events are stored, read and folded at once, so that faults there show here. Raises ``UnknownMessage`` for a
        command that the aggregate does not decide, ``HandlerContractError`` for a decider that changes the state or
        returns something else than valid events, and ``ContractError`` for an event that does not survive its encoding.
        """
        here = self if now is None else msgspec.structs.replace(self, now=in_utc(now))
        decider = _decider(here, command)
        state = _state(here, command)
        before = picture(state)
        try:
            events = decider.decide(state, command, lambda: here.now, here.services)
        except Refused as refusal:
            _unchanged(decider, before, state)
            return Outcome(here, here, command, before, (), refusal)
        _unchanged(decider, before, state)
        after = here.given(*events)
        if events:
            _state(after, command)
        return Outcome(here, after, command, before, events, None)


class Outcome(msgspec.Struct, Generic[A], frozen=True):
    """What a command led to: ``events``, or a ``refusal``. Say what it should have been with one of the ``then`` words.

    Each returns the scenario as it goes on, with the new events as part of its history.
    """

    before: Scenario[A]
    after: Scenario[A]
    command: Command
    state: Any
    events: tuple[Event, ...]
    refusal: Refused | None

    def then(self, *events: Event) -> Scenario[A]:
        """Exactly these events followed, in this order. Raises ``AssertionError`` with the difference."""
        __tracebackhide__ = True
        if not events:
            raise ContractError("then() without events says nothing", remedy="use then_nothing() or then_refused(...)")
        if self.refusal is not None:
            self._fail(f"was refused: {_told(self.refusal)}\n  expected:\n{listed(events)}")
        if self.events != events:
            self._fail(f"led to other events\n{difference(events, self.events)}")
        return self.after

    def then_nothing(self) -> Scenario[A]:
        """The command was accepted and changed nothing. Raises ``AssertionError`` otherwise."""
        __tracebackhide__ = True
        if self.refusal is not None:
            self._fail(f"was refused: {_told(self.refusal)}\n  expected: nothing happens")
        if self.events:
            self._fail(f"led to events, expected none:\n{listed(self.events)}")
        return self.after

    def then_refused(self, code: str, **fields: Any) -> Scenario[A]:
        """The command was refused with that code, with these fields at least. Raises ``AssertionError`` otherwise."""
        __tracebackhide__ = True
        if self.refusal is None:
            self._fail(f"was not refused as {code!r}; it led to:\n{listed(self.events)}")
        elif self.refusal.code != code:
            self._fail(f"was refused as {_told(self.refusal)}\n  expected: {code!r}")
        else:
            actual = {name: self.refusal.fields.get(name) for name in fields}
            if actual != fields:
                self._fail(f"was refused as {code!r}, but with {actual!r}\n  expected: {fields!r}")
        return self.after

    def _fail(self, what: str) -> None:
        __tracebackhide__ = True
        raise AssertionError(
            f"{self.command!r} {what}\n  given:\n{listed(self.before.history.events)}\n  state: {self.state!r}"
        )


def _decider(here: Scenario[Any], command: Command) -> Decider:
    decider = here.plan.deciders.get(type(command))
    name = here.plan.cls.__name__
    if decider is None:
        known = [contract_of(known).name for known in here.plan.deciders]
        near = difflib.get_close_matches(contract_of(type(command)).name, known, n=1)
        raise UnknownMessage(f"command of {name}", contract_of(type(command)).name, *near, known=known)
    missing = [p for p in decider.extras if not p.wants_now and p.annotation not in here.services]
    if missing:
        names = (getattr(p.annotation, "__name__", str(p.annotation)) for p in missing)
        raise WiringError(
            tuple(f"{decider.where} asks for {n}; say scenario({name}, services={{{n}: ...}})" for n in names)
        )
    return decider


def _state(here: Scenario[Any], command: Command) -> Aggregate:
    """The state before the decision: started from the command, then the boundary's events folded in."""
    route = routes_of(here.plan)[type(command)]
    state = route.start(command)
    query = route.boundary(state)
    if query is not None:
        for recorded in here.history.recorded(query):
            here.plan.evolve(state, recorded)
    return state


def _unchanged(decider: Decider, before: Any, state: Aggregate) -> None:
    after = picture(state)
    if after != before:
        raise HandlerContractError(
            f"{decider.where} changed the state from {before!r} to {after!r}",
            remedy="a decider only decides; change the state in @evolve",
            where=decider.where,
        )


def _told(refusal: Refused) -> str:
    fields = f" {refusal.fields!r}" if refusal.fields else ""
    return f"{refusal.code!r} ({refusal.message}){fields}"
