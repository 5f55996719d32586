"""The ASGI applications that are measured over HTTP: a bare hello, and the orders. Reads: workload.py.

uvicorn makes them with ``--factory``; the URL of the log and the size of the cache come by environment.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from headwater.bench.workload import AddLine, orders_app

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

CREDENTIALS = "Bearer t0p5-8f3e41c99d0b4a7f"
"""What callers show who are asked who they are."""

_decode = msgspec.json.Decoder(AddLine).decode
_encode = msgspec.json.Encoder().encode


def hello() -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The least an ASGI application can do with a command: read its body, decode it, answer with its id."""
    return _hello


async def _hello(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    message = await receive()
    body: bytes = message["body"]
    while message.get("more_body"):
        message = await receive()
        body += message["body"]
    answer = _encode({"ok": True, "order_id": _decode(body).order_id})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


def commands() -> Any:
    """The orders over HTTP, as ``headwater serve`` offers them."""
    return _commands()


def commands_by_token() -> Any:
    """The same for callers who show a token."""
    from headwater.http import Caller, Unauthenticated

    callers = {CREDENTIALS.encode(): Caller("bench", "north")}

    def authenticate(scope: Scope) -> Caller:
        caller = callers.get(dict(scope["headers"]).get(b"authorization", b""))
        if caller is None:
            raise Unauthenticated
        return caller

    return _commands(authenticate=authenticate)


def _commands(**options: Any) -> Any:
    from headwater.http import HttpDoor, HttpOptions
    from headwater.http.collecting import collect_seldom

    collect_seldom()
    url, cache_size = os.environ["HEADWATER_BENCH_URL"], int(os.environ["HEADWATER_BENCH_CACHE"])
    return HttpDoor(lambda: orders_app().open(url, cache_size=cache_size), HttpOptions(**options))
