"""Serves an app over HTTP, in this process or in several. Reads: applications.py, http/. Read next: verbs/serve.py.

The stores are opened here, before the server starts: what is wrong with them leaves as a typed error. A signal stops
the server first, then closes the stores, so that nothing acknowledged is lost.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from multiprocessing import parent_process
from typing import Any

import click
import msgspec

from headwater.app import App
from headwater.cli.applications import load_app, load_part
from headwater.cli.failures import CannotBegin
from headwater.cli.screen import Screen, as_json_text
from headwater.cli.verb import run_to_end
from headwater.errors import MissingExtra
from headwater.event_store.opening import url_to_show
from headwater.http import HttpDoor, HttpOptions, asgi, create_app
from headwater.http.collecting import collect_seldom
from headwater.http.health import health_app
from headwater.http.options import Door, Role
from headwater.runtime import Runtime

try:
    from uvicorn import Config, Server
    from uvicorn.supervisors import Multiprocess
except ModuleNotFoundError as error:
    raise MissingExtra("web", "uvicorn", "serving over HTTP") from error

_APP = "HEADWATER_SERVED_APP"
_SERVED = "HEADWATER_SERVED_AS"


class Served(msgspec.Struct, frozen=True):
    """What is served: the URL of the log and that of the read store (``None``: beside the log), in which role.

    ``ui`` names the user interface as ``module:attribute``; empty for the one that needs no words, ``None`` for none.
    """

    url: str
    read_store: str | None = None
    role: Role = "all"
    patience_seconds: float = 30.0
    shared_cache: str | None = None
    ui: str | None = ""

    @property
    def options(self) -> HttpOptions:
        """The HTTP door's."""
        doors = () if self.ui is None or self.role != "all" else (task_ui(self.ui),)
        return HttpOptions(role=self.role, patience_seconds=self.patience_seconds, doors=doors)


def task_ui(reference: str) -> Door:
    """The user interface of that name, or the one that needs no words. Raises ``WrongApp`` and ``MissingExtra``."""
    from headwater.ui import TaskUi

    return load_part(reference, TaskUi) if reference else TaskUi()


async def serve_here(
    screen: Screen, app: App, served: Served, *, host: str, port: int, access_log: bool = False
) -> None:
    """Serve from this process until SIGINT or SIGTERM. Raises ``StoreError``, or a click error for the port."""
    with listening(host, port) as listener:
        follow = served.role == "all"
        async with app.open(
            served.url, read_store=served.read_store, follow=follow, shared_cache=served.shared_cache
        ) as runtime:
            await serve_runtime(screen, runtime, served.url, listener, served.options, access_log=access_log)


async def serve_runtime(
    screen: Screen,
    runtime: Runtime,
    url: str,
    listener: socket.socket,
    options: HttpOptions | None = None,
    *,
    access_log: bool = False,
) -> None:
    """Serve an open application until SIGINT or SIGTERM; its stores stay open."""
    options = options or HttpOptions()
    config = _config(asgi(runtime, options), access_log=access_log, lifespan="off")
    pages = pages_of(options)
    server = _Announcing(
        config, lambda: _announce(screen, runtime.app.name, url, listener, pages), ending=runtime.end_watches
    )
    collect_seldom()
    with _calm_signals():
        await server.serve(sockets=[listener])
    screen.note("stopped")


def serve_in_processes(
    screen: Screen, reference: str, served: Served, *, host: str, port: int, workers: int, access_log: bool = False
) -> None:
    """Serve from several processes on one port, each with the stores open for itself, until SIGINT or SIGTERM."""
    app = load_app(reference)
    run_to_end(try_stores(app, served.url, served.read_store))
    os.environ[_APP], os.environ[_SERVED] = reference, as_json_text(served)
    config = _config(f"{__name__}:worker", access_log=access_log, lifespan="on", factory=True, workers=workers)
    with listening(host, port) as listener:
        listener.set_inheritable(True)
        _announce(screen, app.name, served.url, listener, pages_of(served.options))
        Multiprocess(config, sockets=[listener]).run()
    screen.note("stopped")


def worker() -> HttpDoor:
    """The application of one of several processes: what the parent process named."""
    served = msgspec.json.decode(os.environ[_SERVED], type=Served)
    app = load_app(os.environ[_APP])
    threading.Thread(target=_stop_with_parent, name="headwater parent", daemon=True).start()
    collect_seldom()
    return create_app(app, served.url, served.options, read_store=served.read_store, shared_cache=served.shared_cache)


def _stop_with_parent() -> None:
    """As with SIGTERM, when the process that began this one is gone: else this would keep the port unsupervised."""
    if (parent := parent_process()) is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


async def try_stores(app: App, url: str, read_store: str | None) -> None:
    """Open and close the stores once: their faults are told here rather than by each process."""
    async with app.open(url, read_store=read_store, follow=False):
        pass


@asynccontextmanager
async def serving_health(runtime: Runtime, options: HttpOptions, host: str, port: int) -> AsyncIterator[str]:
    """Answer for the health of this process during the block; gives the address. Signals are left to the caller."""
    with listening(host, port) as listener:
        server = _Deaf(_config(health_app(runtime, options), access_log=False, lifespan="off"))
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield _address(listener)
        finally:
            server.should_exit = True
            await running


class _Deaf(Server):
    """Leaves signals to others."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Announcing(Server):
    """Says when it listens, and when it stops: it would wait for requests that are not ended."""

    def __init__(self, config: Config, announce: Callable[[], None], ending: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce
        self._ending = ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._ending()
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


def _config(app: Any, *, access_log: bool, **more: Any) -> Config:
    level = "info" if access_log else "warning"
    more |= {"access_log": access_log, "proxy_headers": False, "server_header": False}
    return Config(app, http=_protocol(), log_level=level, **more)


def _protocol() -> Any:
    """The one that spares commands the way through ASGI, where uvicorn is what it builds on."""
    try:
        return import_module("headwater.http.direct").CommandProtocol
    except ImportError:
        return "auto"


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A listening socket, closed at the end. Raises ``CannotBegin`` if the place cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        why = f"cannot listen on {host}:{port}: {error.strerror}"
        raise CannotBegin(why, remedy="choose another --port or --host") from error
    with listener:
        yield listener


@contextmanager
def _calm_signals() -> Iterator[None]:
    """The server repeats the signal that stopped it; here that must not interrupt the closing of the stores."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _do_nothing) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _do_nothing(number: int, frame: Any) -> None:
    del number, frame


def pages_of(options: HttpOptions) -> str | None:
    """The path below which people find pages, if there are any."""
    if not options.doors:
        return None
    from headwater.ui import TaskUi

    return next((f"{door.path}/" for door in options.doors if isinstance(door, TaskUi)), None)


def _announce(screen: Screen, name: str, url: str, listener: socket.socket, pages: str | None) -> None:
    url, address = url_to_show(url), _address(listener)
    if screen.as_json:
        where = {} if pages is None else {"ui": f"{address}{pages}"}
        click.echo(as_json_text({"serving": address, "app": name, "url": url, **where}))
        return
    screen.line(f"serving {name} on {address}, log {url} (stop with Ctrl+C)")
    if pages is not None:
        screen.line(f"for people: {address}{pages}")
    screen.line(f"contract: {address}/openapi.json")


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
