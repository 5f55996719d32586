"""Plain commands straight from uvicorn's parser: without a scope, a task, and messages in between.

``headwater serve`` gives uvicorn this protocol class, which is uvicorn's own on httptools. Whatever is no plain command
goes through ASGI as if the class were not there: other paths and methods, requests with further terms
(``CommandDoor.plain`` says which), chunked bodies, upgrades, pipelined requests. So do all requests where they are
logged or limited by uvicorn, or where the door is wrapped in another application. Reads: commands.py, application.py.

Importing it fails where uvicorn is not what this builds on; then serve the door as any ASGI application.
"""

from __future__ import annotations

from contextvars import copy_context
from typing import Any

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from headwater.http.application import COMMANDS, HttpDoor
from headwater.http.commands import CommandDoor, response_of
from headwater.messages import Command, Receipt

_COMMANDS = COMMANDS.encode()
_ASSUMED = {
    "__init__": {"access_log", "config", "cycle", "flow", "limit_concurrency", "parser", "root_path", "server_state"},
    "connection_made": {"transport"},
    "connection_lost": {"cycle", "disconnected", "message_event", "response_complete"},
    "on_message_begin": {"expect_100_continue", "headers", "scope", "url"},
    "on_headers_complete": {"cycle", "flow", "pipeline", "response_complete", "scope", "tasks", "url"},
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
    tasks: set[Any]

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """What uvicorn makes a protocol with."""
        super().__init__(*arguments, **named)
        app: object = self.config.loaded_app
        if isinstance(app, ProxyHeadersMiddleware):  # what it changes in a scope, no plain command looks at
            app = app.app
        usual = not self.access_log and self.limit_concurrency is None and not self.root_path
        self._door = app if usual and isinstance(app, HttpDoor) else None
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
            self._through_asgi()
        else:
            self._reading = self.cycle = exchange

    def on_body(self, body: bytes) -> None:
        """A part of the body, most often all of it."""
        if self._reading is None:
            super().on_body(body)
        elif not self._reading.body:
            self._reading.body = body
        else:
            self._reading.add(body)

    def on_message_complete(self) -> None:
        """The request is there."""
        if self._reading is None:
            super().on_message_complete()
        else:
            self._reading.begin()
            self._reading = None

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
        ):
            return None
        command = commands.plain(self.url[len(_COMMANDS) :].decode("latin-1"), dict(self.headers))
        return None if command is None else _Exchange(self, commands, command)

    def _through_asgi(self) -> None:
        """Go on as if uvicorn's own methods had been called from the beginning of the request."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()

    def respond(self, exchange: _Exchange, result: Receipt | Exception) -> None:
        """Write the whole response, as uvicorn writes one, unless nobody is there to read it."""
        if not exchange.disconnected and not self.transport.is_closing():
            response = response_of(result)
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


class _Silent:
    """Stands in for the event that wakes an ASGI application: here nobody waits."""

    def set(self) -> None:
        """Wake nobody."""


class _Exchange:
    """A plain command and its response. To uvicorn it is the cycle of the connection."""

    __slots__ = ("_command", "_commands", "_protocol", "body", "disconnected", "keep_alive", "response_complete")
    message_event = _Silent()

    def __init__(self, protocol: CommandProtocol, commands: CommandDoor, command: type[Command]) -> None:
        self._protocol = protocol
        self._commands = commands
        self._command = command
        self.body: bytes | bytearray = b""
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = False

    def add(self, body: bytes) -> None:
        """Take a further part of the body."""
        if isinstance(self.body, bytes):
            self.body = bytearray(self.body)
        self.body += body

    def begin(self) -> None:
        """Carry out the command. What its hooks set in the context is theirs alone, as it is in a task."""
        task = copy_context().run(self._commands.begin, self._command, bytes(self.body), self._tell)
        if task is not None:  # the server waits for it when it is told to stop
            self._protocol.tasks.add(task)
            task.add_done_callback(self._protocol.tasks.discard)

    def _tell(self, result: Receipt | Exception) -> None:
        self.response_complete = True
        self._protocol.respond(self, result)


if lacking := missing_in(HttpToolsProtocol):
    raise ImportError(f"this uvicorn lacks {', '.join(lacking)}")
