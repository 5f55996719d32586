"""Real servers and real sockets for the tests of the HTTP door: what goes over the wire, byte for byte."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from headwater.http import HttpDoor, HttpOptions
from headwater.http.direct import CommandProtocol

DIRECT, PLAIN = CommandProtocol, "httptools"
HEALTH = b"GET /health HTTP/1.1\r\nhost: desk\r\n\r\n"


class CountingDoor(HttpDoor):
    """A door that counts the requests that come to it through ASGI."""

    requests = 0

    async def __call__(self, scope, receive, send):
        """One more, unless it is the server's lifespan."""
        self.requests += scope["type"] == "http"
        await super().__call__(scope, receive, send)


class Served:
    """A running server, its door, and connections to it."""

    def __init__(self, door, server, port):
        self.door = door
        self.server = server
        self._port = port

    @property
    def protocols(self):
        """The server's sides of its connections."""
        return list(self.server.server_state.connections)

    @asynccontextmanager
    async def connection(self):
        """A connection: its reader and its writer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            yield reader, writer
        finally:
            writer.close()

    async def talk(self, *pieces, answers):
        """What comes back for these bytes, and whether the connection can be used again."""
        async with self.connection() as (reader, writer):
            for piece in pieces:
                writer.write(piece)
                await asyncio.sleep(0.01)
            has_body = not pieces[0].startswith(b"HEAD")
            got = [await response(reader, has_body=has_body) for _ in range(answers)]
            writer.write(HEALTH)
            return got, await response(reader)


@asynccontextmanager
async def serving(app, url, protocol, options=None, **config) -> AsyncIterator[Served]:
    """The application behind uvicorn with that protocol class. Neither dates nor names in the responses."""
    door = CountingDoor(lambda: app.open(url), options or HttpOptions(max_body_bytes=1_000))
    quiet = {"log_level": "critical", "access_log": False, "date_header": False, "server_header": False}
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(door, http=protocol, lifespan="on", **{**quiet, **config}))
        running = asyncio.create_task(server.serve(sockets=[listening]))
        await until(lambda: server.started)
        try:
            yield Served(door, server, listening.getsockname()[1])
        finally:
            server.should_exit = True
            await running


async def until(holds):
    """Wait for a condition of this process."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110  a server's own state, which announces nothing
            await asyncio.sleep(0.002)


async def response(reader, *, has_body=True):
    """The next response, whole; nothing if the server has closed the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionResetError):
        return b""
    lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    if not has_body or not lengths:
        return head
    return head + await reader.readexactly(int(lengths[0].partition(b":")[2]))


def post(name, body, *headers, version=b"1.1", method=b"POST", length=True):
    """A request for a command."""
    lines = [b"%b /commands/%b HTTP/%b" % (method, name, version), b"host: desk", *headers]
    if not any(line.lower().startswith(b"content-type") for line in headers):
        lines.append(b"content-type: application/json")
    if length:
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def opening(incident, caller="c7"):
    """The body of a command that opens an incident."""
    return b'{"incident_id":"%b","caller":"%b"}' % (incident.encode(), caller.encode())
