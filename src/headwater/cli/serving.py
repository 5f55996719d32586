"""Serves an app over HTTP, in this process or in several. Reads: applications.py, http/. Read next: verbs/serve.py.

The stores are opened here, before the server starts: what is wrong with them leaves as a typed error. A signal stops
the server first, then closes the stores, so that nothing acknowledged is lost.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
import msgspec

from headwater.app import App
from headwater.cli.applications import load_app
from headwater.cli.screen import Screen, as_json_text
from headwater.cli.verb import run_to_end
from headwater.errors import MissingExtra
from headwater.event_store.opening import url_to_show
from headwater.http import HttpDoor, asgi, create_app
from headwater.runtime import Runtime

try:
    from uvicorn import Config, Server
    from uvicorn.supervisors import Multiprocess
except ModuleNotFoundError as error:
    raise MissingExtra("web", "uvicorn", "serving over HTTP") from error

_APP = "HEADWATER_SERVED_APP"
_URL = "HEADWATER_SERVED_URL"
_READ_STORE = "HEADWATER_SERVED_READ_STORE"


class Stores(msgspec.Struct, frozen=True):
    """The URL of the log and that of the read store, ``None`` for the one beside the log."""

    url: str
    read_store: str | None = None


async def serve_here(
    screen: Screen, app: App, stores: Stores, *, host: str, port: int, access_log: bool = False
) -> None:
    """Serve from this process until SIGINT or SIGTERM. Raises ``StoreError``, or a click error for the port."""
    with listening(host, port) as listener:
        async with app.open(stores.url, read_store=stores.read_store) as runtime:
            await serve_runtime(screen, runtime, stores.url, listener, access_log=access_log)


async def serve_runtime(
    screen: Screen, runtime: Runtime, url: str, listener: socket.socket, *, access_log: bool = False
) -> None:
    """Serve an open application until SIGINT or SIGTERM; its stores stay open."""
    config = _config(asgi(runtime), access_log=access_log, lifespan="off")
    server = _Announcing(config, lambda: _announce(screen, runtime.app.name, url, listener))
    with _calm_signals():
        await server.serve(sockets=[listener])
    screen.note("stopped")


def serve_in_processes(
    screen: Screen, reference: str, stores: Stores, *, host: str, port: int, workers: int, access_log: bool = False
) -> None:
    """Serve from several processes on one port, each with the stores open for itself, until SIGINT or SIGTERM."""
    app = load_app(reference)
    run_to_end(_try_stores(app, stores))
    os.environ[_APP], os.environ[_URL], os.environ[_READ_STORE] = reference, stores.url, stores.read_store or ""
    config = _config(f"{__name__}:worker", access_log=access_log, lifespan="on", factory=True, workers=workers)
    with listening(host, port) as listener:
        listener.set_inheritable(True)
        _announce(screen, app.name, stores.url, listener)
        Multiprocess(config, sockets=[listener]).run()
    screen.note("stopped")


def worker() -> HttpDoor:
    """The application of one of several processes: what the parent process named."""
    read_store = os.environ[_READ_STORE] or None
    return create_app(load_app(os.environ[_APP]), os.environ[_URL], read_store=read_store)


async def _try_stores(app: App, stores: Stores) -> None:
    """Open and close the stores once: their faults are told here rather than by each process."""
    async with app.open(stores.url, read_store=stores.read_store, follow=False):
        pass


class _Announcing(Server):
    """Says when it listens."""

    def __init__(self, config: Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._announce()


def _config(app: Any, *, access_log: bool, **more: Any) -> Config:
    level = "info" if access_log else "warning"
    return Config(app, log_level=level, access_log=access_log, proxy_headers=False, server_header=False, **more)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A listening socket, closed at the end. Raises a click error if the port cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise click.ClickException(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another --port"
        ) from error
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


def _announce(screen: Screen, name: str, url: str, listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    url = url_to_show(url)
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    if screen.as_json:
        click.echo(as_json_text({"serving": address, "app": name, "url": url}))
    else:
        screen.line(f"serving {name} on {address}, log {url} (stop with Ctrl+C)")
        screen.line(f"contract: {address}/openapi.json")
