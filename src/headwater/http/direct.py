"""Plain commands straight from uvicorn's parser: without a task, and messages in between.

``headwater serve`` gives uvicorn this protocol class, which is uvicorn's own on httptools. Whatever is no plain command
goes through ASGI as if the class were not there: other paths and methods, requests with further terms
(``CommandDoor.plain`` says which), chunked bodies, upgrades, pipelined requests, and what is over uvicorn's limit of
concurrency. So do all requests where the door is wrapped in another application. Reads: commands.py, application.py.

Importing it fails where uvicorn is not what this builds on; then serve the door as any ASGI application.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from contextvars import copy_context
from copy import copy
from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.protocols.utils import get_client_addr, get_path_with_query_string

from headwater.commands.executor import NOWHERE, Origin
from headwater.errors import StoreClosed
from headwater.http.application import COMMANDS, HttpDoor
from headwater.http.commands import CommandDoor, plain_origin, response_of
from headwater.http.exchange import Response, Scope
from headwater.http.options import Caller, Found, caller_of
from headwater.messages import Command, Receipt

_COMMANDS = COMMANDS.encode()
_FORWARDED = {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-proto"}
_KNOWN_AT_ONCE = (Caller, str, type(None))
_ASSUMED = {
    "__init__": {"access_log", "access_logger", "config", "cycle", "flow", "loop", "parser", "server_state", "tasks"},
    "connection_made": {"transport"},
    "connection_lost": {"cycle", "disconnected", "message_event", "response_complete"},
    "on_message_begin": {"expect_100_continue", "headers", "root_path", "scope", "url"},
    "on_headers_complete": {
        *("connections", "cycle", "flow", "limit_concurrency", "pipeline", "response_complete", "root_path", "scope"),
        *("tasks", "url"),
    },
    "on_response_complete": {"pipeline", "server_state", "timeout_keep_alive_task", "transport"},
    "shutdown": {"cycle", "keep_alive", "response_complete"},
}
"""What is relied on: methods of uvicorn's class, and the names that they use."""


def missing_in(protocol: type[HttpToolsProtocol]) -> list[str]:
    """What this uvicorn has not got of what is relied on."""
    found: list[str] = []
    for method, names in _ASSUMED.items():
        code = getattr(getattr(protocol, method, None), "__code__", None)
        known = set(() if code is None else code.co_names)
        found += sorted(f"{method}: {name}" for name in names - known)
    return found


class CommandProtocol(HttpToolsProtocol):
    """One connection. Its ``cycle`` is one of uvicorn's, or the exchange of a plain command."""

    config: Any
    cycle: Any
    parser: Any
    scope: Any
    tasks: set[Any]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """What uvicorn makes a protocol with."""
        super().__init__(*arguments, **named)
        app: object = self.config.loaded_app
        self._proxies: Any = None
        if isinstance(app, ProxyHeadersMiddleware):
            self._proxies = copy(app)
            self._proxies.app = _nothing
            app = app.app
        resets = getattr(self.config, "reset_contextvars", False)  # only of tasks
        self._door = app if isinstance(app, HttpDoor) and not resets else None
        self._context = copy_context()
        self._reading: _Exchange | None = None

    def on_message_begin(self) -> None:
        """A request begins: its scope is made once it is known that it needs one."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._reading = None

    def on_headers_complete(self) -> None:
        """Now it is known which way the request goes."""
        exchange = None if self._door is None else self._plain(self._door)
        if exchange is None:
            self._begin_scope()
            super().on_headers_complete()
        else:
            self._reading = self.cycle = exchange
            if exchange.origin is None:
                exchange.identify()

    def on_body(self, body: bytes) -> None:
        """A part of the body, most often all of it."""
        reading = self._reading
        if reading is None:
            super().on_body(body)
        elif not reading.body:
            reading.body = body
        else:
            reading.add(body)

    def on_message_complete(self) -> None:
        """The request is there."""
        reading = self._reading
        if reading is None:
            super().on_message_complete()
        else:
            self._reading = None
            reading.is_whole = True
            reading.proceed()

    def _plain(self, door: HttpDoor) -> _Exchange | None:
        """The exchange of a plain command; ``None`` for everything else."""
        commands, parser, previous = door.commands, self.parser, self.cycle
        if (
            commands is None
            or (previous is not None and not previous.response_complete)
            or self.flow.write_paused
            or not self.url.startswith(_COMMANDS)
            or parser.get_method() != b"POST"
            or not parser.should_keep_alive()
            or parser.get_http_version() != "1.1"
            or (self.limit_concurrency is not None and self._is_crowded(self.limit_concurrency))
        ):
            return None
        headers = dict(self.headers)
        command = commands.plain(self.url[len(_COMMANDS) :].decode("ascii", "replace"), headers)
        if command is None:
            return None
        exchange = _Exchange(self, commands, command)
        if self.access_log or commands.authenticate is not None:
            exchange.scope = self._scope_of_post(forwarded=not _FORWARDED.isdisjoint(headers))
        return exchange

    def _is_crowded(self, limit: int) -> bool:
        """Whether uvicorn would refuse the request: then it shall."""
        return len(self.connections) >= limit or len(self.tasks) >= limit

    def _begin_scope(self) -> None:
        """Go on as if uvicorn's own method had been called when the request began."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers

    def _scope_of_post(self, *, forwarded: bool) -> Scope:
        """The scope that an application would be given with a plain command."""
        self._begin_scope()
        scope: Scope = self.scope
        path = self.url.decode("ascii")
        scope["method"] = "POST"
        scope["path"] = self.root_path + path
        scope["raw_path"] = scope["path"].encode("ascii")
        scope["query_string"] = b""
        if forwarded and self._proxies is not None:
            with suppress(StopIteration):
                self._proxies(scope, None, None).send(None)
        return scope

    def respond(self, exchange: _Exchange, response: Response) -> None:
        """Log and write the whole response, as uvicorn does, unless nobody is there to read it."""
        if self.access_log and not exchange.disconnected:
            self._log(exchange.scope, response.status)
        if not exchange.disconnected and not self.transport.is_closing():
            parts = [STATUS_LINE[response.status]]
            for name, value in self.server_state.default_headers:
                parts += (name, b": ", value, b"\r\n")
            for name, value in response.headers:
                parts += (name, b": ", value, b"\r\n")
            last = b"" if exchange.keep_alive else b"connection: close\r\n"
            parts.append(b"content-length: %d\r\n%b\r\n" % (len(response.body), last))
            parts.append(response.body)
            self.transport.write(b"".join(parts))
            if not exchange.keep_alive:
                self.transport.close()
        if self.pipeline:  # what is next is not to run in the context of this one, nor of the batch it was in
            self._context.run(self.on_response_complete)
        else:
            self.on_response_complete()

    def _log(self, scope: Any, status: int) -> None:
        asked = get_client_addr(scope), scope["method"], get_path_with_query_string(scope), scope["http_version"]
        self.access_logger.info('%s - "%s %s HTTP/%s" %d', *asked, status)

    def keep(self, task: asyncio.Task[Any]) -> None:
        """The server waits for the task when it is told to stop."""
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


async def _nothing(*_: Any) -> None:
    """Stands in for the application behind a middleware of which only what it does to the scope is wanted."""


class _Silent:
    """Stands in for the event that wakes an ASGI application: here nobody waits."""

    def set(self) -> None:
        """Wake nobody."""


class _Exchange:
    """A plain command and its response. To uvicorn it is the cycle of the connection."""

    message_event = _Silent()
    scope: Scope
    origin: Origin | None = NOWHERE
    """Who sends it; ``None`` as long as that is not known."""
    body: bytes | bytearray = b""
    is_whole = False
    disconnected = False
    keep_alive = True
    response_complete = False

    def __init__(self, protocol: CommandProtocol, commands: CommandDoor, command: type[Command]) -> None:
        self._protocol = protocol
        self._commands = commands
        self._command = command
        self._context = copy_context()  # what its hooks set is theirs alone, as it is in a task
        if commands.authenticate is not None:
            self.origin = None

    def identify(self) -> None:
        """Have it said who calls, before there is a body. A hook that has to be awaited is, in a task."""
        hook: Any = self._commands.authenticate
        try:
            found = self._context.run(hook, self.scope)
            if isinstance(found, _KNOWN_AT_ONCE):
                self.origin = plain_origin(caller_of(found))
                return
        except Exception as error:  # noqa: BLE001  whatever it is, it is answered
            self._tell(error)
        else:
            self._protocol.keep(self._protocol.loop.create_task(self._wait(found), context=self._context))

    async def _wait(self, found: Awaitable[Found]) -> None:
        try:
            self.origin = plain_origin(caller_of(await found))
        except asyncio.CancelledError:  # the server does not wait any longer
            self._tell(StoreClosed("the server stops"))
        except Exception as error:  # noqa: BLE001  the same
            self._tell(error)
        else:
            self._context = copy_context()  # the task is in the other one
            self._protocol.flow.resume_reading()
            self.proceed()

    def add(self, body: bytes) -> None:
        """Take a further part of the body: not much before it is known who sends it, nothing after a refusal."""
        if self.response_complete:
            return
        if isinstance(self.body, bytes):
            self.body = bytearray(self.body)
        self.body += body
        if self.origin is None and len(self.body) > HIGH_WATER_LIMIT:
            self._protocol.flow.pause_reading()

    def proceed(self) -> None:
        """Carry out the command, if it is there and it is known who sends it; but for nobody who is gone."""
        if not self.is_whole or self.origin is None or self.disconnected:
            return
        begin = self._commands.begin
        task = self._context.run(begin, self._command, bytes(self.body), self.origin, self._tell)
        if task is not None:
            self._protocol.keep(task)

    def _tell(self, result: Receipt | Exception) -> None:
        self.response_complete = True
        self._protocol.respond(self, response_of(result))


if lacking := missing_in(HttpToolsProtocol):
    raise ImportError(f"this uvicorn lacks {', '.join(lacking)}")
