"""What an application runs with: its stores, what follows the log, what decides and what answers, put together.

Reads: runtime.py (the opened application). Read next: app.py. The only module that puts ports, runtime and backends
together, and the only one that loads them: who merely declares an application does not pay for it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Literal

from headwater.clock import Clock, SystemClock
from headwater.commands.executor import Executor
from headwater.event_store import open_store
from headwater.event_store.protocol import EventStore
from headwater.followers import Follower, Progress
from headwater.projections import projectors
from headwater.queries.asker import Asker
from headwater.queries.freshness import Freshness
from headwater.queries.past import Past
from headwater.queries.shared import SharedCache, open_shared_cache
from headwater.read_store import ReadStore, open_read_store, read_store_url
from headwater.read_store.checkpoints import FORGOTTEN_SECONDS
from headwater.runtime import Application, Runtime
from headwater.settings import check_count, check_flag, check_period, check_setting


@asynccontextmanager
async def open_runtime(
    app: Application,
    url: str,
    *,
    read_store: str | None,
    clock: Clock | None,
    follow: bool | Literal["if-needed"],
    migrate: bool,
    cache_size: int,
    lease_seconds: float,
    shared_cache: str | None,
) -> AsyncIterator[Runtime]:
    """Open the stores of an application and run it until the end of the block: see ``App.open``."""
    has_time = clock is None or (callable(getattr(clock, "now", None)) and not isinstance(clock, type))
    check_setting("clock", clock, "an object with a method now, or None", holds=has_time)
    does_follow = isinstance(follow, bool) or follow == "if-needed"
    check_setting("follow", follow, 'True, False or "if-needed"', holds=does_follow)
    check_flag("migrate", migrate)
    check_count("cache_size", cache_size, least=0)
    check_period("lease_seconds", lease_seconds, most=FORGOTTEN_SECONDS)
    async with AsyncExitStack() as stack:
        clock = clock or SystemClock()
        events = await stack.enter_async_context(open_store(url, clock=clock, migrate=migrate))
        rows = await stack.enter_async_context(open_read_store(read_store or read_store_url(url), migrate=migrate))
        shared = await stack.enter_async_context(open_shared_cache(shared_cache))
        progress = Progress()
        consumers = projectors(app.wiring.projections, rows)
        follower = Follower(
            events, rows, app.codec, consumers, progress=progress, clock=clock, lease_seconds=lease_seconds
        )
        services = dict(app.wiring.services)
        executor = Executor(
            events,
            app.codec,
            clock,
            app.wiring.routes,
            app.wiring.handlers,
            services=services,
            authorise=app.authorise,
            cache_size=cache_size,
        )
        freshness = Freshness(rows, event_store=events, progress=progress, clock=clock)
        asker, past = _reading(app, events, rows, services, freshness, shared)
        stack.push_async_callback(past.close)
        runtime = Runtime(app, events, rows, clock, executor, asker, past, follower, progress)
        services[Runtime] = runtime
        stack.push_async_callback(follower.stop)
        await follower.prepare()
        stack.push_async_callback(asker.close)
        await (follower.start(stand_in=follow == "if-needed") if follow else follower.watch())
        yield runtime


def _reading(
    app: Application,
    events: EventStore,
    rows: ReadStore,
    services: Mapping[Any, Any],
    freshness: Freshness,
    shared: SharedCache | None,
) -> tuple[Asker, Past]:
    """What answers queries, as of now and as of then."""
    projections, queries, codec, limits = app.wiring.projections, app.wiring.queries, app.codec, app.limits
    asker = Asker(
        queries, rows, services, freshness=freshness, codec=codec, limits=limits, shared=shared, scope=app.scope
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


__all__ = ["open_runtime"]
