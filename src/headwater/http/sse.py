"""A live query as a stream of events: each answer when it changed, its position as the event's id.

Reads: exchange.py, problems.py. Read next: queries.py. Source: the HTML standard, server-sent events.

What is sent waits for the client, and while it does, newer answers take the place of older ones. So a slow client costs
no memory. A stream ends when the client goes, when the application closes, or with an event that says what is wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import msgspec

from headwater.http.exchange import Receive, RequestHeaders, Send
from headwater.http.faults import Headers
from headwater.http.problems import problem_of
from headwater.messages import Query
from headwater.queries.asker import Who
from headwater.queries.live import Seen
from headwater.runtime import Runtime

_MEDIA_TYPE = b"text/event-stream"
_HEADERS: Headers = [
    (b"content-type", _MEDIA_TYPE),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]
_BEGINNING = b"retry: 1000\n\n"
_HEARTBEAT = b":\n\n"


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, what an answer must include, and which one is known (``since``); ``timeout`` bounds the wait."""

    who: Who
    after: int | None
    since: int | None
    timeout: float


def wants_events(method: str, headers: RequestHeaders) -> bool:
    """Whether the client asks for a stream of events."""
    return method != "HEAD" and _MEDIA_TYPE in headers.get(b"accept", b"").lower()


def answer_event(seen: Seen) -> bytes:
    """An answer as the event of its stream: its JSON, and its position."""
    return b"id: %d\ndata: %b\n\n" % (seen.position, seen.body)


async def stream_answers(
    runtime: Runtime,
    query: Query[Any],
    terms: Terms,
    heartbeat_seconds: float,
    receive: Receive,
    send: Send,
    event_of: Callable[[Seen], bytes] = answer_event,
) -> None:
    """Send answers until one of both ends it. Raises what asking raises, as long as nothing is sent.

    ``event_of`` says what is sent of each.
    """
    found = runtime.watched(query, since=terms.since, after=terms.after, timeout=terms.timeout, who=terms.who)
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        async with aclosing(found) as answers:
            first = await _unless(gone, asyncio.ensure_future(anext(answers, _END)), None)
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await send({"type": "http.response.body", "body": _BEGINNING + _event(first, event_of), "more_body": True})
            if first is not _END:
                await _pump(answers, gone, heartbeat_seconds, send, event_of)
        await send({"type": "http.response.body", "body": b""})
    except _Gone:
        return
    finally:
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)


async def _pump(
    answers: AsyncGenerator[Seen | None, None],
    gone: asyncio.Future[None],
    heartbeat_seconds: float,
    send: Send,
    event_of: Callable[[Seen], bytes],
) -> None:
    """Send each answer as it comes, a heartbeat when none comes for long, and at last what went wrong."""
    try:
        while True:
            coming = asyncio.ensure_future(anext(answers, _END))
            found: Any = _NOTHING
            while found is _NOTHING:
                found = await _unless(gone, coming, heartbeat_seconds)
                if found is _NOTHING:
                    await send({"type": "http.response.body", "body": _HEARTBEAT, "more_body": True})
            if found is _END:
                return
            await send({"type": "http.response.body", "body": _event(found, event_of), "more_body": True})
    except _Gone:
        raise
    except Exception as error:  # noqa: BLE001  it is too late for a status, so the stream itself says what is wrong
        body = b"event: problem\ndata: %b\n\n" % problem_of(error).body
        await send({"type": "http.response.body", "body": body, "more_body": True})


def _event(found: Any, event_of: Callable[[Seen], bytes]) -> bytes:
    return event_of(found) if isinstance(found, Seen) else b""


class _Gone(Exception):
    """The client went away."""


_END = object()
_NOTHING = object()


async def _unless(gone: asyncio.Future[None], coming: asyncio.Future[Any], seconds: float | None) -> Any:
    """What comes; ``_NOTHING`` if that takes too long. Raises ``_Gone`` when the client goes."""
    try:
        await asyncio.wait({gone, coming}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            raise _Gone
        return coming.result() if coming.done() else _NOTHING
    except BaseException:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
        raise


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
