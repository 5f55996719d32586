"""Runtime: an opened application. Each verb here is one station or a thin way to it.

Reads: commands/executor.py, queries/asking.py, followers/. Read next: app.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any, Protocol, TypeVar

from headwater.aggregates import Aggregate
from headwater.catalogue import Catalogue
from headwater.clock import Clock
from headwater.codec import Codec
from headwater.commands.executor import NOWHERE, Executor, Origin, authorise
from headwater.commands.offers import Offers
from headwater.event_store.protocol import EventStore
from headwater.followers import Follower, Progress, ProjectionStatus
from headwater.limits import Limits
from headwater.messages import Authorise, Command, Query, Receipt, ScopeOf, Tell
from headwater.projections.comparing import Comparison, compare
from headwater.queries.asker import ANYBODY, Asker, Rendered, Who
from headwater.queries.asking import Answer, position_wanted
from headwater.queries.cache import CacheStats
from headwater.queries.live import LiveStats, Seen
from headwater.queries.past import Past
from headwater.read_models import ProjectionPlan
from headwater.read_store import ReadStore, Worker
from headwater.read_store.parking import Discarded, Parked
from headwater.wiring import Wiring

T = TypeVar("T")
_DEFAULT_WAIT_SECONDS = 5.0


class Application(Protocol):
    """What a runtime needs of its ``App``."""

    name: str
    catalogue: Catalogue
    codec: Codec
    wiring: Wiring
    authorise: Authorise | None
    limits: Limits
    scope: ScopeOf | None

    def projection(self, name: str) -> ProjectionPlan:
        """The projection of that name. Raises ``UnknownMessage``."""
        ...


class Runtime:
    """An opened application: execute commands, ask queries, look at its stores."""

    def __init__(
        self,
        app: Application,
        event_store: EventStore,
        read_store: ReadStore,
        clock: Clock,
        executor: Executor,
        asker: Asker,
        past: Past,
        follower: Follower,
        progress: Progress,
    ) -> None:
        self.app = app
        self.catalogue = app.catalogue
        self.codec = app.codec
        self.event_store = event_store
        self.read_store = read_store
        self.clock = clock
        self.progress = progress
        self._executor = executor
        self._asker = asker
        self._past = past
        self._follower = follower

    async def execute(
        self,
        command: Command,
        *,
        expect: int | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        tenant: str | None = None,
        correlation: str | None = None,
        causation: str | None = None,
    ) -> Receipt:
        """Carry out a command; the receipt comes back once its events are durable.

        ``expect`` is the position up to which the caller knows the boundary (0: it must be new): a change after it is
        refused, as by the condition of an append. With an ``idempotency_key`` a repeat returns the first receipt. The
        rest goes into the events' metadata.

        Raises ``InvalidMessage``, ``Forbidden``, ``Refused``, ``ExpectationFailed``, ``ConcurrencyError``,
        ``IdempotencyMismatch``, or a ``StoreError``.
        """
        valid = self.codec.validated(command)
        if (
            expect is None
            and idempotency_key is None
            and actor is None
            and tenant is None
            and correlation is None
            and causation is None
        ):
            return await self._executor.execute(valid, NOWHERE)
        origin = Origin(actor, tenant, correlation, causation, idempotency_key, expect)
        return await self._executor.execute(valid, origin)

    def execute_json(
        self, command: str | type[Command], body: bytes, origin: Origin = NOWHERE
    ) -> Coroutine[Any, Any, Receipt]:
        """Decode, validate and carry out a command as it came over the wire: what the doors call.

        Raises ``UnknownMessage``, ``MalformedMessage``, and what ``execute`` raises.
        """
        return self._executor.execute(self.codec.decode_command(command, body), origin)

    def begin_json(
        self, command: str | type[Command], body: bytes, origin: Origin, tell: Tell
    ) -> asyncio.Task[Receipt] | None:
        """The same for who has no task to wait in: ``tell`` gets the receipt or the error. See ``Executor.begin``."""
        try:
            decoded = self.codec.decode_command(command, body)
        except Exception as error:  # noqa: BLE001  whatever it is, it is told
            tell(error)
            return None
        return self._executor.begin(decoded, origin, tell)

    async def offers(self, aggregate: type[Aggregate], **key: Any) -> Offers | None:
        """Which commands an aggregate's state allows now, and why not the others: what a user interface shows.

        ``key`` are its ``Tag`` fields, as in ``desk.offers(Incident, incident_id="INC1")``. ``None`` if the aggregate
        has a ``start`` of its own, which only a command can begin. Nobody is asked whether the actor may see that, so
        show it to those who may read what it is about. Raises ``EvolutionError`` and ``StoreError``.
        """
        return await self._executor.offers(aggregate, key)

    async def ask(
        self,
        query: Query[T],
        *,
        after: Receipt | int | None = None,
        max_staleness: float | None = None,
        timeout: float = _DEFAULT_WAIT_SECONDS,
        actor: str | None = None,
        tenant: str | None = None,
        as_of: int | datetime | None = None,
    ) -> T:
        """The answer to a query. ``after`` waits until the read models include that receipt (or position).

        ``max_staleness`` (seconds) waits until they are at most that old; ``timeout`` (seconds) bounds the wait, then
        ``ProjectionBehind`` is raised. ``as_of`` (a position, or an aware datetime) asks for the answer as it was then,
        whatever the read models hold now. Also raises ``Forbidden``, ``InvalidAsOf`` and other ``QueryError``.
        """
        position = position_wanted(after) if self.app.authorise is None else await self._admit(query, after, actor)
        if as_of is not None:
            return (await self._past.answer(query, as_of, position)).value
        who = ANYBODY if actor is None and tenant is None else Who(actor, tenant)
        return await self._asker.ask(query, after=position, max_staleness=max_staleness, timeout=timeout, who=who)

    async def answer(
        self,
        query: Query[T],
        *,
        after: Receipt | int | None = None,
        max_staleness: float | None = None,
        timeout: float = _DEFAULT_WAIT_SECONDS,
        actor: str | None = None,
        tenant: str | None = None,
        as_of: int | datetime | None = None,
    ) -> Answer[T]:
        """Like ``ask``, with the ``position`` the answer stands at and its ``age_seconds``."""
        position, who = await self._admit(query, after, actor), Who(actor, tenant)
        if as_of is not None:
            return await self._past.answer(query, as_of, position)
        return await self._asker.answer(query, after=position, max_staleness=max_staleness, timeout=timeout, who=who)

    async def rendered(
        self,
        query: Query[Any],
        *,
        after: int | None = None,
        max_staleness: float | None = None,
        timeout: float = _DEFAULT_WAIT_SECONDS,
        who: Who = ANYBODY,
        as_of: int | datetime | None = None,
    ) -> Rendered:
        """Like ``answer``, with the answer's JSON: what the doors call."""
        await self._admit(query, after, who.actor)
        if as_of is not None:
            answer = await self._past.answer(query, as_of, after)
            return Rendered(answer, self.codec.encode(answer.value), None)
        return await self._asker.rendered(query, after=after, max_staleness=max_staleness, timeout=timeout, who=who)

    async def watch(
        self,
        query: Query[T],
        *,
        since: int | None = None,
        after: Receipt | int | None = None,
        timeout: float = _DEFAULT_WAIT_SECONDS,
        actor: str | None = None,
        tenant: str | None = None,
    ) -> AsyncGenerator[Answer[T], None]:
        """The answer now, then another each time it really changed: ``async for answer in desk.watch(query)``.

        Who is slow gets the latest and misses those between. ``since`` is the position of an answer that is known: then
        nothing comes until something has changed after it. ``after`` is what the first answer must include. The watch
        ends when the application is closed. Raises what ``answer`` raises, also later: ``Forbidden`` when the actor may
        no longer see it.
        """
        who, position = Who(actor, tenant), position_wanted(after)
        async with aclosing(self.watched(query, since=since, after=position, timeout=timeout, who=who)) as answers:
            async for seen in answers:
                if seen is not None:
                    yield Answer(seen.value, seen.position, seen.age_seconds)

    async def watched(
        self,
        query: Query[Any],
        *,
        since: int | None = None,
        after: int | None = None,
        timeout: float = _DEFAULT_WAIT_SECONDS,
        who: Who = ANYBODY,
    ) -> AsyncGenerator[Seen | None, None]:
        """Like ``watch``, with each answer's JSON: what the doors call. ``None`` in the place of a known first one."""
        await self._admit(query, after, who.actor)
        found = self._asker.watch(
            query, lambda: self._admit(query, None, who.actor), since=since, after=after, timeout=timeout, who=who
        )
        async with aclosing(found) as answers:
            async for seen in answers:
                yield seen

    def end_watches(self) -> None:
        """End every live query, as closing the application does: a server that stops calls it first."""
        self._asker.streams.close()

    @property
    def cache_stats(self) -> CacheStats:
        """How often answers were there, had to be made, and so on."""
        return self._asker.cache.stats

    @property
    def live_stats(self) -> LiveStats:
        """How many live queries there are, and how often they were evaluated."""
        return self._asker.streams.stats

    async def _admit(self, query: Query[Any], after: Receipt | int | None, actor: str | None) -> int | None:
        """Authorise a query; the position its answer must include."""
        if self.app.authorise is not None:
            await authorise(self.app.authorise, query, actor)
        return position_wanted(after)

    async def caught_up(self, position: Receipt | int | None = None, *, timeout: float = _DEFAULT_WAIT_SECONDS) -> int:
        """Wait until every projection includes that receipt or position (default: the log's head now); returns it.

        Raises ``ProjectionBehind`` after ``timeout`` seconds, ``ProjectionFailed`` if one has stopped.
        """
        given = position_wanted(position, "position")
        wanted = await self.event_store.head() if given is None else given
        await self._follower.caught_up(wanted, timeout)
        return wanted

    async def projections(self) -> Sequence[ProjectionStatus]:
        """How far each projection is, and what stopped it if it failed."""
        return await self._follower.status()

    @property
    def worker(self) -> Worker:
        """What this process is to others that share its projections."""
        return self._follower.worker

    async def rebuild(self, projection: str) -> None:
        """Build a projection's rows anew from the whole log. Raises ``UnknownMessage`` for a name it does not have."""
        await self._follower.rebuild(projection)

    async def pause(self, projection: str, *, actor: str | None = None) -> None:
        """Let no process take a projection further until it is resumed; queries still answer. Survives a restart."""
        await self._follower.pause(projection, actor or "")

    async def resume(self, projection: str) -> None:
        """Let a paused projection go on. Raises ``UnknownMessage``."""
        await self._follower.resume(projection)

    async def diff(self, projection: str) -> Comparison:
        """Hold a projection's rows against what the log says, folded anew beside them: see ``Comparison``.

        Raises ``UnknownMessage``, ``ProjectionFailed``.
        """
        plan = self.app.projection(projection)
        return await compare(plan, self.event_store, self.read_store, self.codec)

    async def parked(self, projection: str | None = None) -> Sequence[Parked]:
        """The sequences that are set aside because an event failed, of one projection or of all."""
        return await self._follower.parking.listed(projection)

    async def retry_parked(self, projection: str, sequence: str) -> Parked | None:
        """Let a parked sequence go on, in order, from the event it failed on; ``None`` if it has caught up.

        If an event fails again, it says where the sequence stands now. Raises ``NotParked``, ``ParkedAlone``.
        """
        return await self._follower.parking.retry(projection, sequence)

    async def discard_parked(
        self, projection: str, sequence: str, *, reason: str, actor: str | None = None
    ) -> Parked | None:
        """Leave out the event that a sequence failed on, and let it go on with the rest: see ``retry_parked``.

        Who did it, when and why is recorded: see ``discarded``.
        """
        return await self._follower.parking.discard(projection, sequence, reason=reason, by=actor or "")

    async def discarded(self, projection: str | None = None) -> Sequence[Discarded]:
        """The events that were left out, of one projection or of all."""
        return await self._follower.parking.discarded(projection)
