"""Execute: authorise, load, decide, append. The whole path of a command is this file.

Reads: routing.py, boundaries.py, loading.py, idempotency.py, handlers.py. Read next: followers/ (who sees the events).

A conflict is a value: the delta is read, the command decided again, a bounded number of times with jitter; only then
``ConcurrencyError`` is raised. A cached state is a baseline: what it refuses is decided once more on the fresh state.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine, Iterable, Mapping
from contextvars import Context, copy_context
from functools import partial
from typing import Any

import msgspec

from headwater.aggregates import Aggregate
from headwater.clock import Clock
from headwater.codec import Codec
from headwater.commands.appending import SEND_AGAIN, Appends, Outcome, pause_seconds
from headwater.commands.boundaries import Boundaries, Boundary
from headwater.commands.deciding import Decision, Expected, Station, Terms
from headwater.commands.gathering import GatheredReads
from headwater.commands.handlers import HandlerPlan, messages_of
from headwater.commands.idempotency import check_key, command_hash, first_receipt, key_tag
from headwater.commands.loading import Loader
from headwater.commands.offers import Offers, find_offers
from headwater.commands.rounds import LoadRounds
from headwater.commands.routing import Route
from headwater.errors import (
    ConcurrencyError,
    ContractError,
    FieldError,
    Forbidden,
    HandlerContractError,
    HeadwaterError,
    InvalidMessage,
    OutcomeUnknown,
    UnknownMessage,
)
from headwater.event_store.protocol import (
    AppendCondition,
    Appended,
    Conflict,
    EventQuery,
    EventStore,
)
from headwater.limits import refuse_to_act
from headwater.messages import Authorise, Command, Event, Metadata, Query, Receipt, Tell, contract_of

_ALLOWED = True
# Of three processes at one boundary each loses two turns in three, and so one command in a hundred a dozen in a row.
_MAX_CONFLICTS = 32
# Each waits for the next within its own call; a command that leads back to itself would do so until memory ends.
_MAX_HANDLERS = 32


class Origin(msgspec.Struct, frozen=True):
    """Where a command comes from, as it will stand in the events' metadata, and under what terms it is sent."""

    actor: str | None = None
    tenant: str | None = None
    correlation: str | None = None
    causation: str | None = None
    idempotency_key: str | None = None
    expect: Expected | None = None
    digest: str | None = None
    """Tells a repeat from a misused key: of the command a handler was given, else of the command itself."""
    marks: tuple[str, ...] = ()
    """Further tags for the events, set on the last command of a handler: they say that all are done."""
    depth: int = 0
    """How many handlers it came through."""


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
        self._appends = Appends(store)
        self._codec = codec
        self._now = clock.now
        self._services = services
        self._authorise = authorise
        self._boundaries = Boundaries(cache_size)
        self._handlers = {plan.command: plan for plan in handlers}
        self._reads = reads = GatheredReads(store)
        loaders = {route.plan.cls: Loader(store, codec, route.plan, reads) for route in routes.values()}
        self._stations = {
            command: Station(route, loaders[route.plan.cls], codec, clock.now, services)
            for command, route in routes.items()
        }
        names = (*(route.name for route in routes.values()), *(plan.name for plan in self._handlers.values()))
        self._bare_terms = {name: Terms(codec.encode_metadata(Metadata(command=name))) for name in names}
        self._rounds = LoadRounds(self._go_on)
        self._tasks: set[asyncio.Task[Receipt]] = set()

    def execute(self, command: Command, origin: Origin = NOWHERE) -> Coroutine[Any, Any, Receipt]:
        """Carry out a valid command; await its receipt, which comes once its events are durable."""
        refuse_to_act()
        verdict = _ALLOWED if self._authorise is None else self._authorise(command, origin.actor)
        return self._carry_out(command, origin, verdict)

    async def _carry_out(self, command: Command, origin: Origin, verdict: Any = _ALLOWED) -> Receipt:
        if verdict is not True:
            await _abide_by(verdict, command, origin.actor)
        station = self._stations.get(type(command))
        if station is None:
            return await self._handle(command, origin)
        boundary = self._boundaries.use(station.route.key(command))
        try:
            turn = boundary.take()
            if turn is not None:
                await boundary.wait(turn)
            try:
                decision = self._decision(station, boundary, command, origin)
                decision.start()
                if not decision.is_loaded:
                    decision.is_loaded = station.loader.loaded_at_once(boundary)
                outcome = None
                if decision.is_loaded and decision.terms.key_query is None:  # as nearly always: no coroutine more
                    if decision.decide():
                        outcome = await self._appends.append(decision.request)
                        if type(outcome) is Appended:
                            return decision.stored(outcome)
                    elif decision.is_fresh:
                        return decision.nothing_stored()
                    else:
                        await decision.load()
                return await self._conclude(decision, outcome)
            finally:
                boundary.release()
        finally:
            self._boundaries.done(boundary)

    async def offers(self, cls: type[Aggregate], key: Mapping[str, Any]) -> Offers | None:
        """Which commands of an aggregate are on offer now, and why not the others: see ``find_offers``."""
        routes = [(station.route, station.loader) for station in self._stations.values()]
        return await find_offers(cls, key, routes, self._boundaries)

    async def _conclude(self, decision: Decision, outcome: Outcome | None = None) -> Receipt:
        """Decide and append, on the condition that the state still holds; else read the delta and try again.

        ``outcome`` is that of an append that was begun already.
        """
        conflicts = 0
        if not decision.is_loaded:
            await decision.station.loader.load_waiting(decision.boundary)
        while True:
            if outcome is None:
                if decision.terms.key_query and (receipt := await self._first_receipt(decision.terms)) is not None:
                    return receipt
                if decision.decide():
                    outcome = await self._appends.append(decision.request)
            if isinstance(outcome, Exception):
                outcome = await self._appends.known(outcome, decision.request)
            if type(outcome) is Appended:
                return decision.stored(outcome)
            if outcome is not None:
                conflicts += 1
                await _pause(conflicts, decision.station.route.name)
                outcome = None
            elif decision.is_fresh:
                return decision.nothing_stored()
            await decision.load()

    def _decision(self, station: Station, boundary: Boundary, command: Command, origin: Origin) -> Decision:
        return Decision(station, boundary, command, self._terms(station.route.name, command, origin), origin.expect)

    # -- without a task

    def begin(self, command: Command, origin: Origin, tell: Tell) -> asyncio.Task[Receipt] | None:
        """Carry out a valid command; ``tell`` is called once, on this loop, with its receipt or with what went wrong.

        What needs no waiting is done at once, and ``tell`` may be called before this returns. The rest is done by a
        task, which is returned so that a server can wait for it; to cancel it gives the command up.
        """
        try:
            refuse_to_act()
            if self._authorise is not None and (verdict := self._authorise(command, origin.actor)) is not True:
                if inspect.isawaitable(verdict):
                    return self._spawn(self._carry_out(command, origin, verdict), tell)
                _refuse_if(verdict, command, origin.actor)
            station = self._stations.get(type(command))
            if station is None or origin.idempotency_key is not None:
                return self._spawn(self._carry_out(command, origin), tell)
            boundary = self._boundaries.use(station.route.key(command))
        except Exception as error:  # noqa: BLE001  whatever it is, it is told
            tell(error)
            return None
        if boundary.is_busy:
            self._boundaries.done(boundary)
            return self._spawn(self._carry_out(command, origin), tell)
        boundary.take()
        finish = partial(self._finish, boundary, tell)
        try:
            decision = self._decision(station, boundary, command, origin)
            decision.start()
        except Exception as error:  # noqa: BLE001  the same
            finish(error)
            return None
        if decision.is_loaded or not station.loader.reads_at_once:
            return self._go_on(decision, finish)
        self._rounds.join(decision, finish)
        return None

    def _go_on(self, decision: Decision, finish: Tell) -> asyncio.Task[Receipt] | None:
        """As far as it goes without waiting, and then with a task."""
        if decision.is_loaded:
            try:
                if decision.decide():
                    if self._appends.begin(decision.request, partial(self._appended, decision, finish, copy_context())):
                        return None
                elif decision.is_fresh:
                    finish(decision.nothing_stored())
                    return None
            except Exception as error:  # noqa: BLE001  the same
                finish(error)
                return None
        return self._spawn(self._conclude(decision), finish)

    def _appended(
        self, decision: Decision, finish: Tell, context: Context, outcome: Appended | Conflict | Exception
    ) -> None:
        """The append is done: so is the command, unless others were faster or nobody knows what came of it."""
        if isinstance(outcome, Appended):
            finish(decision.stored(outcome))
        elif isinstance(outcome, Conflict | OutcomeUnknown):
            context.run(self._spawn, self._conclude(decision, outcome), finish)
        else:
            finish(outcome)

    def _finish(self, boundary: Boundary, tell: Tell, result: Receipt | Exception) -> None:
        boundary.release()
        self._boundaries.done(boundary)
        tell(result)

    def _spawn(self, work: Coroutine[Any, Any, Receipt], tell: Tell) -> asyncio.Task[Receipt]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(partial(self._told_by, tell))
        return task

    def _told_by(self, tell: Tell, task: asyncio.Task[Receipt]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            tell(OutcomeUnknown("the command was given up", remedy=SEND_AGAIN))
            return
        try:
            tell(task.result())
        except Exception as error:  # noqa: BLE001  the same
            tell(error)

    # -- with a handler

    async def _handle(self, command: Command, origin: Origin) -> Receipt:
        """Let a command handler do its outside work, then store its events or execute the commands it ended in."""
        plan = self._handlers.get(type(command))
        if plan is None:
            raise self._undecided(command)
        if origin.depth >= _MAX_HANDLERS:
            raise HandlerContractError(
                f"{plan.where} is the last of {_MAX_HANDLERS} handlers, each ending in the next one's command",
                remedy="let one end in a command that an aggregate decides",
                where=plan.where,
            )
        terms = self._terms(plan.name, command, origin)
        if terms.key_query and (receipt := await self._first_receipt(terms)) is not None:
            return receipt
        asked = {p.name: self._now() if p.wants_now else self._services[p.annotation] for p in plan.extras}
        events, commands = messages_of(await plan.function(command, **asked), plan)
        if events and origin.expect is not None:
            fault = FieldError("/expect", f"{plan.name} ended in events, which have no boundary that could be compared")
            raise InvalidMessage("expectation", (fault,))
        if events:
            return await self._store_events(events, terms)
        receipt = Receipt(0)
        for number, following in enumerate(commands):
            done = number == len(commands) - 1
            receipt = await self.execute(following, _following(origin, plan.name, terms, number, last=done))
        return receipt if commands else Receipt(await self._store.head())

    def _undecided(self, given: Any) -> HeadwaterError:
        if not isinstance(given, Command):
            return ContractError(f"{given!r} is not a command", remedy="give one that is made, as in OpenIncident(...)")
        return UnknownMessage("command of this application", contract_of(type(given)).name, known=self._bare_terms)

    async def _store_events(self, events: tuple[Event, ...], terms: Terms) -> Receipt:
        new = [self._codec.encode_event(event, terms.metadata, terms.tags) for event in events]
        request = new, None if terms.key_query is None else AppendCondition(terms.key_query)
        outcome = await self._appends.known(await self._appends.append(request), request)
        if isinstance(outcome, Appended):
            return Receipt(outcome.last)
        receipt = await self._first_receipt(terms)
        if receipt is None:
            raise ConcurrencyError("the idempotency key was used at the same moment", position=outcome.position)
        return receipt

    def _terms(self, name: str, command: Command, origin: Origin) -> Terms:
        if origin is NOWHERE:
            return self._bare_terms[name]
        key, digest = origin.idempotency_key, origin.digest
        if key is not None and digest is None:
            check_key(key)
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
            return Terms(encoded)
        tag = key_tag(key)
        return Terms(encoded, (tag, *origin.marks), EventQuery.of(tags=(tag,)), digest or "")

    async def _first_receipt(self, terms: Terms) -> Receipt | None:
        if terms.key_query is None:
            return None
        return await first_receipt(self._reads, self._codec, terms.key_query, terms.digest)


async def authorise(hook: Authorise, message: Command | Query[Any], actor: str | None) -> None:
    """Ask the hook; raise ``Forbidden`` if it says no."""
    await _abide_by(hook(message, actor), message, actor)


async def _abide_by(verdict: Any, message: Command | Query[Any], actor: str | None) -> None:
    if verdict is not True and inspect.isawaitable(verdict):
        verdict = await verdict
    _refuse_if(verdict, message, actor)


def _refuse_if(verdict: Any, message: Command | Query[Any], actor: str | None) -> None:
    if verdict is not None and not verdict:
        name = contract_of(type(message)).name
        raise Forbidden(f"{actor or 'an anonymous caller'} may not use {name}", actor=actor, name=name)


async def _pause(conflicts: int, name: str) -> None:
    """Give way after a conflict: not at all after the first, then longer and at random, at last with an error."""
    if conflicts >= _MAX_CONFLICTS:
        raise ConcurrencyError(f"{name} met a change by others {conflicts} times in a row", conflicts=conflicts)
    if conflicts > 1:
        await asyncio.sleep(pause_seconds(conflicts))


def _following(origin: Origin, name: str, terms: Terms, number: int, *, last: bool) -> Origin:
    """The origin of a command that a handler ended in: caused by the first one, and idempotent if that was."""
    key = origin.idempotency_key
    return msgspec.structs.replace(
        origin,
        causation=origin.causation or name,
        idempotency_key=None if key is None else f"{key}/{number}",
        expect=origin.expect if number == 0 else None,
        depth=origin.depth + 1,
        digest=terms.digest or None,
        marks=terms.tags if last else (),
    )
