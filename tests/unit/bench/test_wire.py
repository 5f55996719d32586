"""The load generator counts whole good responses, and tells of the others."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from headwater.bench.payload import line_json
from headwater.bench.served import hello
from headwater.bench.wire import drive, requests_for

_BODY = line_json("o-7")
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def _server(respond):
    async def serve(reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.partition(b"content-length: ")[2].split(b"\r")[0])
            await respond(writer, await reader.readexactly(length))

    async def quietly(reader, writer):
        try:
            await serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(quietly, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_it_counts_responses_and_tells_how_busy_it_was():
    """Responses that come in two pieces are counted once."""
    bodies = set()

    async def respond(writer, body):
        bodies.add(body)
        writer.write(_OK[:20])
        await writer.drain()
        writer.write(_OK[20:])

    async with _server(respond) as port:
        seen = await drive(port, 4, 0.2, "/commands/add-line", 8)

    assert seen["rate"] > 0
    assert seen["failures"] == []
    assert 0 < seen["details"]["generator_busy"] < 2
    assert len(bodies) == 8


async def test_it_keeps_the_answers_that_are_not_good():
    """A server that refuses everything has no rate."""

    async def respond(writer, _body):
        writer.write(_OK.replace(b"200 OK", b"500 No"))

    async with _server(respond) as port:
        seen = await drive(port, 1, 0.05, "/", 1)

    assert seen["rate"] == 0
    assert seen["failures"][0].startswith("HTTP/1.1 500 No")


def test_a_request_is_whole_and_about_its_order():
    """The length it declares is the length it has."""
    (request,) = requests_for("/commands/add-line", range(7, 8))

    head, _, body = request.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /commands/add-line HTTP/1.1\r\n")
    assert head.endswith(b"content-length: %d" % len(body))
    assert b'"order_id":"o-7"' in body


async def test_the_hello_it_is_held_against_reads_the_body_and_answers():
    """The floor of the HTTP figures does no less than receive the command."""
    sent, chunks = [], iter([{"body": _BODY[:50], "more_body": True}, {"body": _BODY[50:]}])

    async def receive():
        return next(chunks)

    async def send(message):
        sent.append(message)

    await hello()({"type": "http"}, receive, send)

    assert sent[0]["status"] == 200
    assert sent[1]["body"] == b'{"ok":true,"order_id":"o-7"}'
