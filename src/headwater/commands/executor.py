"""Execute: authorise, load, decide, append. The whole path of a command is this file.

Reads: routing.py, boundaries.py, loading.py, idempotency.py, handlers.py. Read next: followers/ (who sees the events).

A conflict is a value: the delta is read, the command decided again, a bounded number of times with jitter; only then
``ConcurrencyError`` is raised. A cached state is a baseline: what it refuses is decided once more on the fresh state.
"""

from __future__ import annotations

import asyncio
import inspect
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec

from headwater.aggregates import Aggregate
from headwater.clock import Clock
from headwater.codec import Codec
from headwater.commands.boundaries import Boundaries, Boundary
from headwater.commands.gathering import GatheredReads
from headwater.commands.handlers import HandlerPlan, messages_of
from headwater.commands.idempotency import command_hash, first_receipt, key_tag
from headwater.commands.loading import Loader
from headwater.commands.offers import Offers, find_offers
from headwater.commands.routing import Route
from headwater.errors import (
    ConcurrencyError,
    EvolutionError,
    ExpectationFailed,
    Forbidden,
    OutcomeUnknown,
    Refused,
    UnknownMessage,
)
from headwater.event_store.protocol import (
    AppendCondition,
    Appended,
    Conflict,
    EventQuery,
    EventStore,
    NewEvent,
)
from headwater.messages import Command, Event, Metadata, Query, Receipt, contract_of

Authorise = Callable[["Command | Query[Any]", "str | None"], "bool | Awaitable[bool | None] | None"]
"""Asked before each command and query: message and actor in; false, or a raised ``Forbidden``, refuses it."""

_MAX_CONFLICTS = 12
_MAX_REPEATS = 5
_FIRST_PAUSE_SECONDS = 0.001
_LONGEST_PAUSE_SECONDS = 0.1


class Origin(msgspec.Struct, frozen=True):
    """Where a command comes from, as it will stand in the events' metadata, and under what terms it is sent."""

    actor: str | None = None
    tenant: str | None = None
    correlation: str | None = None
    causation: str | None = None
    idempotency_key: str | None = None
    expect: int | None = None
    digest: str | None = None
    """Tells a repeat from a misused key: of the command a handler was given, else of the command itself."""
    marks: tuple[str, ...] = ()
    """Further tags for the events, set on the last command of a handler: they say that all are done."""


NOWHERE = Origin()


class Executor:
    """Executes the commands of one application on one event store."""

    def __init__(
        self,
        store: EventStore,
        codec: Codec,
        clock: Clock,
        routes: Mapping[type[Command], Route],
        handlers: Iterable[HandlerPlan] = (),
        *,
        services: Mapping[Any, Any],
        authorise: Authorise | None = None,
        cache_size: int = 10_000,
    ) -> None:
        self._store = store
        self._codec = codec
        self._now = clock.now
        self._services = services
        self._authorise = authorise
        self._boundaries = Boundaries(cache_size)
        self._handlers = {plan.command: plan for plan in handlers}
        self._reads = reads = GatheredReads(store)
        loaders = {route.plan.cls: Loader(store, codec, route.plan, reads) for route in routes.values()}
        self._routes = {command: (route, loaders[route.plan.cls]) for command, route in routes.items()}
        names = (*(route.name for route in routes.values()), *(plan.name for plan in self._handlers.values()))
        self._bare_terms = {name: _Terms(codec.encode_metadata(Metadata(command=name))) for name in names}

    async def execute(self, command: Command, origin: Origin = NOWHERE) -> Receipt:
        """Carry out a valid command and return its receipt once its events are durable."""
        if self._authorise is not None and (verdict := self._authorise(command, origin.actor)) is not True:
            await _abide_by(verdict, command, origin.actor)
        found = self._routes.get(type(command))
        if found is None:
            return await self._handle(command, origin)
        route, loader = found
        boundary = self._boundaries.use(route.key(command))
        try:
            turn = boundary.take()
            if turn is not None:
                await boundary.wait(turn)
            try:
                return await self._decide(route, loader, boundary, command, origin)
            finally:
                boundary.release()
        finally:
            self._boundaries.done(boundary)

    async def offers(self, cls: type[Aggregate], key: Mapping[str, Any]) -> Offers | None:
        """Which commands of an aggregate are on offer now, and why not the others: see ``find_offers``."""
        return await find_offers(cls, key, self._routes.values())

    async def _decide(
        self, route: Route, loader: Loader, boundary: Boundary, command: Command, origin: Origin
    ) -> Receipt:
        """Decide on the baseline and append on the condition that it still holds; else read the delta and try again."""
        terms = self._terms(route.name, command, origin)
        if boundary.state is not None and not loader.needs_envelope:
            fresh = boundary.query is None
        else:
            _start(route, boundary, command)
            if not loader.loaded_at_once(boundary):
                await loader.load_waiting(boundary)
            fresh = True
        conflicts = 0
        while True:
            if terms.key_query and (receipt := await self._first_receipt(terms)) is not None:
                return receipt
            try:
                _expect(boundary, origin.expect)
                events = route.decider.decide(_state(boundary), command, self._now, self._services)
            except (Refused, ExpectationFailed):
                if fresh:
                    raise
                events = ()
            if events:
                outcome = await self._append(events, boundary, terms)
                if type(outcome) is Appended:
                    loader.fold(boundary, events, outcome.first, outcome.last)
                    return Receipt(outcome.last)
                conflicts += 1
                await _pause(conflicts, route.name)
            elif fresh:
                return Receipt(boundary.version or boundary.position)
            await loader.load(boundary)
            fresh = True

    async def _append(self, events: tuple[Event, ...], boundary: Boundary, terms: _Terms) -> Appended | Conflict:
        encode, metadata, tags = self._codec.encode_event, terms.metadata, terms.tags
        new = [encode(event, metadata, tags) for event in events]
        query = boundary.query
        if terms.key_query is not None:
            query = terms.key_query if query is None else query | terms.key_query
        condition = None if query is None else AppendCondition(query, boundary.position)
        try:
            return await self._store.append(new, condition)
        except OutcomeUnknown:
            return await self._append_again(new, condition)

    async def _append_again(self, events: list[NewEvent], condition: AppendCondition | None) -> Appended | Conflict:
        """The outcome stayed unknown: repeat with the same event ids, which can store them only once."""
        repeats = 1
        while True:
            await asyncio.sleep(_pause_seconds(repeats))
            try:
                return await self._store.append(events, condition)
            except OutcomeUnknown:
                repeats += 1
                if repeats > _MAX_REPEATS:
                    raise

    async def _handle(self, command: Command, origin: Origin) -> Receipt:
        """Let a command handler do its outside work, then store its events or execute the commands it ended in."""
        plan = self._handlers.get(type(command))
        if plan is None:
            raise UnknownMessage("decided or handled command", contract_of(type(command)).name)
        terms = self._terms(plan.name, command, origin)
        if terms.key_query and (receipt := await self._first_receipt(terms)) is not None:
            return receipt
        asked = {p.name: self._now() if p.wants_now else self._services[p.annotation] for p in plan.extras}
        events, commands = messages_of(await plan.function(command, **asked), plan.where)
        if events:
            return await self._store_events(events, terms)
        receipt = Receipt(0)
        for number, following in enumerate(commands):
            done = number == len(commands) - 1
            receipt = await self.execute(following, _following(origin, plan.name, terms, number, last=done))
        return receipt if commands else Receipt(await self._store.head())

    async def _store_events(self, events: tuple[Event, ...], terms: _Terms) -> Receipt:
        new = [self._codec.encode_event(event, terms.metadata, terms.tags) for event in events]
        condition = None if terms.key_query is None else AppendCondition(terms.key_query)
        try:
            outcome = await self._store.append(new, condition)
        except OutcomeUnknown:
            outcome = await self._append_again(new, condition)
        if isinstance(outcome, Appended):
            return Receipt(outcome.last)
        receipt = await self._first_receipt(terms)
        if receipt is None:
            raise ConcurrencyError("the idempotency key was used at the same moment", position=outcome.position)
        return receipt

    def _terms(self, name: str, command: Command, origin: Origin) -> _Terms:
        if origin is NOWHERE:
            return self._bare_terms[name]
        key, digest = origin.idempotency_key, origin.digest
        if key is not None and digest is None:
            digest = command_hash(self._codec, command)
        metadata = Metadata(
            actor=origin.actor,
            tenant=origin.tenant,
            correlation=origin.correlation,
            causation=origin.causation,
            command=name,
            command_hash=digest,
        )
        encoded = self._codec.encode_metadata(metadata)
        if key is None:
            return _Terms(encoded)
        tag = key_tag(key)
        return _Terms(encoded, (tag, *origin.marks), EventQuery.of(tags=(tag,)), digest or "")

    async def _first_receipt(self, terms: _Terms) -> Receipt | None:
        if terms.key_query is None:
            return None
        return await first_receipt(self._reads, self._codec, terms.key_query, terms.digest)


class _Terms(msgspec.Struct, frozen=True):
    """What an append carries besides its events: encoded metadata, and with an idempotency key its tag and digest."""

    metadata: bytes
    tags: tuple[str, ...] = ()
    key_query: EventQuery | None = None
    digest: str = ""


async def authorise(hook: Authorise, message: Command | Query[Any], actor: str | None) -> None:
    """Ask the hook; raise ``Forbidden`` if it says no."""
    await _abide_by(hook(message, actor), message, actor)


async def _abide_by(verdict: Any, message: Command | Query[Any], actor: str | None) -> None:
    if verdict is not True and inspect.isawaitable(verdict):
        verdict = await verdict
    if verdict is False:
        name = contract_of(type(message)).name
        raise Forbidden(f"{actor or 'an anonymous caller'} may not use {name}", actor=actor, name=name)


def _start(route: Route, boundary: Boundary, command: Command) -> None:
    """Make sure there is a state to fold into."""
    if boundary.state is None:
        boundary.forget()
        boundary.state = route.start(command)
        boundary.query = route.boundary(boundary.state)


def _state(boundary: Boundary) -> Aggregate:
    """The state to decide on; it is there, because ``_start`` came before and a failed fold forgets the turn."""
    if boundary.state is None:
        raise EvolutionError("the state was lost while deciding", remedy="send the command again")
    return boundary.state


def _expect(boundary: Boundary, expected: int | None) -> None:
    if expected is not None and boundary.version != expected:
        raise ExpectationFailed(
            f"expected the last change at position {expected}, but it is at {boundary.version}",
            expected=expected,
            actual=boundary.version,
        )


async def _pause(conflicts: int, name: str) -> None:
    """Give way after a conflict: not at all after the first, then longer and at random, at last with an error."""
    if conflicts >= _MAX_CONFLICTS:
        raise ConcurrencyError(f"{name} met a change by others {conflicts} times in a row", conflicts=conflicts)
    if conflicts > 1:
        await asyncio.sleep(_pause_seconds(conflicts))


def _pause_seconds(tries: int) -> float:
    return random.uniform(0, min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**tries))


def _following(origin: Origin, name: str, terms: _Terms, number: int, *, last: bool) -> Origin:
    """The origin of a command that a handler ended in: caused by the first one, and idempotent if that was."""
    key = origin.idempotency_key
    return msgspec.structs.replace(
        origin,
        causation=origin.causation or name,
        idempotency_key=None if key is None else f"{key}/{number}",
        expect=None,
        digest=terms.digest or None,
        marks=terms.tags if last else (),
    )
