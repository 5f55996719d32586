"""App: the wiring diagram of an application, and the only module that puts ports, runtime and backends together.

Reads: wiring.py (the parts, checked), runtime.py (the opened application). Read next: the doors, http/ and cli/.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal, Protocol

from headwater.clock import Clock, SystemClock
from headwater.codec import Codec
from headwater.commands.executor import Authorise, Executor
from headwater.errors import UnknownMessage, WiringError
from headwater.event_store import open_store
from headwater.event_store.protocol import EventStore
from headwater.followers import LEASE_SECONDS, Follower, Progress
from headwater.limits import DEFAULT_LIMITS, Limits
from headwater.messages import ScopeOf
from headwater.projections import projectors
from headwater.queries.asker import Asker
from headwater.queries.freshness import Freshness
from headwater.queries.past import Past
from headwater.queries.shared import SharedCache, open_shared_cache
from headwater.read_models import ProjectionPlan
from headwater.read_store import ReadStore, open_read_store, read_store_url
from headwater.runtime import BlockingRuntime, Runtime, run_blocking
from headwater.wiring import wire

if TYPE_CHECKING:
    from headwater.testing.app import TestRuntime


class Resolver(Protocol):
    """Supplies services that the app was not given itself, for example from a dependency injection container."""

    def __call__(self, wanted: Any, /) -> Any:
        """The service of that annotation. Raises ``LookupError`` if there is none."""
        ...


class App:
    """An application: its name and its parts, nothing discovered by magic.

    ``parts`` are aggregates, projections, query handlers (``@answers``), command handlers (``@handles``), upcasters and
    further message classes. ``services`` are given to deciders and handlers by annotation. ``authorise`` is asked
    before each command and query. ``limits`` hold for queries that declare none of their own. ``scope`` names who sees
    the same answers, where these are kept or live (default: each actor for himself). Raises ``WiringError`` with every
    fault at once.
    """

    def __init__(
        self,
        name: str,
        *parts: Any,
        services: Mapping[Any, Any] | None = None,
        resolver: Resolver | None = None,
        authorise: Authorise | None = None,
        limits: Limits = DEFAULT_LIMITS,
        scope: ScopeOf | None = None,
    ) -> None:
        if faults := _name_faults(name):
            raise WiringError(faults)
        self.name = name
        self.authorise = authorise
        self.limits = limits
        self.scope = scope
        self.wiring = wire(parts, services or {}, resolver)
        if self.wiring.faults:
            raise WiringError(self.wiring.faults, app=name)
        self.catalogue = self.wiring.catalogue
        self.codec = Codec(self.catalogue)

    def projection(self, name: str) -> ProjectionPlan:
        """The projection of that name, as it was declared. Raises ``UnknownMessage``."""
        plans = {plan.name: plan for plan in self.wiring.projections}
        if name not in plans:
            raise UnknownMessage("projection", name, *get_close_matches(name, plans, 1))
        return plans[name]

    @asynccontextmanager
    async def open(
        self,
        url: str,
        *,
        read_store: str | None = None,
        clock: Clock | None = None,
        follow: bool | Literal["if-needed"] = True,
        migrate: bool = True,
        cache_size: int = 10_000,
        lease_seconds: float = LEASE_SECONDS,
        shared_cache: str | None = None,
    ) -> AsyncIterator[Runtime]:
        """Open the stores and run: ``async with app.open("sqlite:///desk.db") as desk``.

        ``read_store`` is the URL of the read store (default: beside the log). ``follow=False`` runs no projections,
        ``"if-needed"`` those that no other process runs; otherwise this process takes its share of all of them.
        ``lease_seconds`` is how long that share waits for it if it is killed on another machine, or stands still.
        ``migrate=False`` refuses a store of an older schema instead of upgrading it. ``cache_size`` is how many
        aggregates' states are kept in memory. ``shared_cache`` is the URL of a Valkey or Redis for the answers of
        queries which say so: ``valkey://localhost:6379``. Raises ``UnsupportedUrl`` and other ``StoreError``.
        """
        async with AsyncExitStack() as stack:
            clock = clock or SystemClock()
            events = await stack.enter_async_context(open_store(url, clock=clock, migrate=migrate))
            rows = await stack.enter_async_context(open_read_store(read_store or read_store_url(url), migrate=migrate))
            shared = await stack.enter_async_context(open_shared_cache(shared_cache))
            progress = Progress()
            consumers = projectors(self.wiring.projections, rows)
            follower = Follower(
                events, rows, self.codec, consumers, progress=progress, clock=clock, lease_seconds=lease_seconds
            )
            services = dict(self.wiring.services)
            executor = Executor(
                events,
                self.codec,
                clock,
                self.wiring.routes,
                self.wiring.handlers,
                services=services,
                authorise=self.authorise,
                cache_size=cache_size,
            )
            freshness = Freshness(rows, event_store=events, progress=progress, clock=clock)
            asker, past = self._reading(events, rows, services, freshness, shared)
            stack.push_async_callback(past.close)
            runtime = Runtime(self, events, rows, clock, executor, asker, past, follower, progress)
            services[Runtime] = runtime
            await follower.prepare()
            stack.push_async_callback(follower.stop)
            stack.push_async_callback(asker.close)
            await (follower.start(stand_in=follow == "if-needed") if follow else follower.watch())
            yield runtime

    def _reading(
        self,
        events: EventStore,
        rows: ReadStore,
        services: Mapping[Any, Any],
        freshness: Freshness,
        shared: SharedCache | None,
    ) -> tuple[Asker, Past]:
        """What answers queries, as of now and as of then."""
        projections, queries, codec, limits = self.wiring.projections, self.wiring.queries, self.codec, self.limits
        asker = Asker(
            queries, rows, services, freshness=freshness, codec=codec, limits=limits, shared=shared, scope=self.scope
        )
        past = Past(
            projections,
            queries,
            services,
            event_store=events,
            codec=codec,
            clock=freshness.clock,
            cursor_key=rows.cursor_key,
            limits=limits,
        )
        return asker, past

    @contextmanager
    def open_blocking(self, url: str, **options: Any) -> Iterator[BlockingRuntime]:
        """The same for code without an event loop (Django, Flask, scripts): a loop in a thread of its own."""
        with run_blocking(self.open(url, **options)) as runtime:
            yield runtime

    @asynccontextmanager
    async def test(self, *, now: datetime | None = None) -> AsyncIterator[TestRuntime]:
        """The application in memory with a clock in your hand, for tests: see ``headwater.testing``."""
        from headwater.testing.app import test_runtime  # testing stands above, loaded on demand

        async with test_runtime(self, now=now) as runtime:
            yield runtime


def _name_faults(name: Any) -> tuple[str, ...]:
    """Whoever forgets the name gives the first part in its place."""
    if isinstance(name, str) and name:
        return ()
    return (f"the first argument is the app's name, as in App('desk', ...), not {name!r}",)


__all__ = ["App", "Resolver"]
