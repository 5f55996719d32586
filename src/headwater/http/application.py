"""The HTTP door as an ASGI application. Reads: commands.py, queries.py, pages.py.

Commands and queries are dispatched here with two string tests and a dict, ahead of any framework, because they are the
traffic; everything else is Starlette's.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from headwater.app import App
from headwater.errors import StoreClosed
from headwater.http.commands import CommandDoor
from headwater.http.ending import at_a_signal
from headwater.http.exchange import Receive, Scope, Send, respond_problem
from headwater.http.options import HttpOptions
from headwater.http.pages import page_routes, problem_response
from headwater.http.queries import QueryDoor
from headwater.runtime import Runtime
from headwater.settings import check_kind

COMMANDS = "/commands/"
_QUERIES = "/queries/"
_ITS_LIFESPAN = (
    "where it is mounted in another application, enter its lifespan there: FastAPI(lifespan=door.lifespan); "
    "a TestClient does so in its `with` block"
)
_log = logging.getLogger("headwater.http")


class HttpDoor:
    """An ASGI application. Serve it by itself, or mount it in Starlette or FastAPI and enter its ``lifespan`` there."""

    def __init__(self, open_runtime: Callable[[], AbstractAsyncContextManager[Runtime]], options: HttpOptions) -> None:
        self._open_runtime = open_runtime
        self._options = options
        self._ready: _Ready | None = None
        self._is_known = False
        """Whether it was open once, or it was told that it is not."""
        self._others = Starlette(lifespan=self.lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or take part in the server's lifespan."""
        if scope["type"] != "http":
            await self._others(scope, receive, send)
            return
        ready = self._ready
        if ready is None:
            if not self._is_known:
                self._is_known = True
                _log.error("%s is asked before it is open; %s", type(self).__name__, _ITS_LIFESPAN)
            await respond_problem(send, StoreClosed("the application is not open"))
            return
        path: str = scope["path"]
        root: str = scope.get("root_path", "")
        if root and path.startswith(root):
            path = path[len(root) :]
        if path.startswith(COMMANDS) and ready.commands is not None:
            await ready.commands.answer(path[len(COMMANDS) :], scope, receive, send)
        elif path.startswith(_QUERIES) and ready.queries is not None:
            await ready.queries.answer(path[len(_QUERIES) :], scope, receive, send)
        else:
            await ready.pages(scope, receive, send)

    @property
    def commands(self) -> CommandDoor | None:
        """What answers commands, while the application is open and its role has them."""
        return None if self._ready is None else self._ready.commands

    @asynccontextmanager
    async def lifespan(self, _: Any = None) -> AsyncIterator[None]:
        """Open the application for as long as the server runs: ``FastAPI(lifespan=door.lifespan)`` when mounted."""
        async with self._open_runtime() as runtime:
            self.serve(runtime)
            try:
                with at_a_signal(runtime.end_watches):
                    yield
            finally:
                self._ready = None

    def serve(self, runtime: Runtime) -> None:
        """Answer with this runtime from now on."""
        self._ready = _Ready(runtime, self._options)
        self._is_known = True


class _Ready:
    """What answers requests while the application is open."""

    def __init__(self, runtime: Runtime, options: HttpOptions) -> None:
        self.commands = None if options.role == "query" else CommandDoor(runtime, options)
        self.queries = None if options.role == "command" else QueryDoor(runtime, options)
        self.pages = Starlette(
            routes=[
                *page_routes(runtime, options),
                *(route for door in options.doors for route in door(runtime, options)),
                *options.routes,
            ],
            exception_handlers={HTTPException: problem_response, Exception: problem_response},
        )


def create_app(
    app: App,
    url: str,
    options: HttpOptions | None = None,
    *,
    read_store: str | None = None,
    follow: bool | None = None,
    migrate: bool = True,
    shared_cache: str | None = None,
) -> HttpDoor:
    """An application over HTTP that opens its own stores when the server starts.

    ``url``, ``read_store``, ``follow``, ``migrate`` and ``shared_cache`` are those of ``App.open``; unless said
    otherwise it follows in the role ``all`` alone.
    """
    check_kind("app", app, App, "an App")
    options = HttpOptions() if options is None else options
    check_kind("options", options, HttpOptions, "HttpOptions(...)")
    follows = options.role == "all" if follow is None else follow

    def opened() -> AbstractAsyncContextManager[Runtime]:
        return app.open(url, read_store=read_store, follow=follows, migrate=migrate, shared_cache=shared_cache)

    return HttpDoor(opened, options)


def asgi(runtime: Runtime, options: HttpOptions | None = None) -> HttpDoor:
    """An application over HTTP on stores that are open already and stay yours to close."""
    check_kind("runtime", runtime, Runtime, "a Runtime, or the App to create_app")

    @asynccontextmanager
    async def opened() -> AsyncIterator[Runtime]:
        yield runtime

    options = HttpOptions() if options is None else options
    check_kind("options", options, HttpOptions, "HttpOptions(...)")
    door = HttpDoor(opened, options)
    door.serve(runtime)
    return door
