"""App: the wiring diagram of an application.

Reads: wiring.py (the parts, checked), opening.py (what it runs with). Read next: the doors, http/ and cli/.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Protocol

from headwater.catalogue import named
from headwater.clock import Clock
from headwater.codec import Codec
from headwater.errors import ContractError, WiringError
from headwater.limits import DEFAULT_LIMITS, Limits
from headwater.messages import Authorise, ScopeOf
from headwater.read_models import ProjectionPlan
from headwater.read_store.checkpoints import LEASE_SECONDS
from headwater.unopened import Unopened
from headwater.wiring import wire

if TYPE_CHECKING:  # loaded when the application is opened
    from headwater.blocking import BlockingRuntime
    from headwater.runtime import Runtime
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
        if faults := (*_name_faults(name), *_setting_faults(services, limits, (resolver, authorise, scope))):
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

    if not TYPE_CHECKING:  # checkers know that it is not to be called

        def __call__(self, *_: Any) -> NoReturn:
            """Not to be called, as a server does that takes it for an ASGI or WSGI application."""
            doors = "`headwater serve module:app`, or give the server `headwater.http.create_app(app, url)`"
            raise ContractError(f"the app {self.name!r} is served by a door", remedy=f"write {doors}")

    def projection(self, name: str) -> ProjectionPlan:
        """The projection of that name, as it was declared. Raises ``UnknownMessage``."""
        return named("projection", name, {plan.name: plan for plan in self.wiring.projections})

    def open(
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
    ) -> AbstractAsyncContextManager[Runtime]:
        """Open the stores and run: ``async with app.open("sqlite:///desk.db") as desk``.

        ``read_store`` is the URL of the read store (default: beside the log). ``follow=False`` runs no projections,
        ``"if-needed"`` those that no other process runs; otherwise this process takes its share of all of them.
        ``lease_seconds`` is how long that share waits for it if it is killed on another machine, or stands still.
        ``migrate=False`` refuses a store of an older schema instead of upgrading it. ``cache_size`` is how many
        aggregates' states are kept in memory. ``shared_cache`` is the URL of a Valkey or Redis for the answers of
        queries which say so: ``valkey://localhost:6379``. Raises ``InvalidSetting``, ``UnsupportedUrl`` and other
        ``StoreError``.
        """
        from headwater.opening import open_runtime  # what only an opened application needs is loaded when it opens

        opened = open_runtime(
            self,
            url,
            read_store=read_store,
            clock=clock,
            follow=follow,
            migrate=migrate,
            cache_size=cache_size,
            lease_seconds=lease_seconds,
            shared_cache=shared_cache,
        )
        return Unopened(opened, what="application", written="async with app.open(...) as desk")

    def open_blocking(self, url: str, **options: Any) -> AbstractContextManager[BlockingRuntime]:
        """The same for code without an event loop (Django, Flask, scripts): a loop in a thread of its own."""
        from headwater.blocking import run_blocking  # as in `open`

        opened = run_blocking(self.open(url, **options))
        return Unopened(opened, what="application", written="with app.open_blocking(...) as desk")

    def test(self, *, now: datetime | None = None) -> AbstractAsyncContextManager[TestRuntime]:
        """The application in memory with a clock in your hand, for tests: see ``headwater.testing``."""
        from headwater.testing.app import test_runtime  # testing stands above, loaded on demand

        opened = test_runtime(self, now=now)
        return Unopened(opened, what="application", written="async with app.test() as t")


def _name_faults(name: Any) -> tuple[str, ...]:
    """Whoever forgets the name gives the first part in its place."""
    if isinstance(name, str) and name:
        return ()
    return (f"the first argument is the app's name, as in App('desk', ...), not {name!r}",)


def _setting_faults(services: Any, limits: Any, functions: tuple[Any, ...]) -> Iterator[str]:
    if services is not None and not isinstance(services, Mapping):
        yield f"services are a mapping from annotations to what they stand for, not {services!r}"
    if not isinstance(limits, Limits):
        yield f"limits are Limits(...), not {limits!r}"
    for name, function, taken in zip(("resolver", "authorise", "scope"), functions, (1, 2, 2), strict=True):
        if function is not None and not callable(function):
            yield f"{name} is a function, not {function!r}"
        elif function is not None:
            yield from _call_faults(name, function, taken)


def _call_faults(name: str, function: Any, taken: int) -> Iterator[str]:
    try:
        inspect.signature(function).bind(*range(taken))
    except TypeError as error:
        yield f"{name} is called with {taken} argument(s): {error}"
    except ValueError:  # nothing is known about what it takes
        return


__all__ = ["App", "Resolver"]
