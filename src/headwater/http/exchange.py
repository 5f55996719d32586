"""Reading a request and sending a response, at the cost of a dict and two sends. Reads: problems.py.

Read next: commands.py. The ASGI messages are built by hand, because a request object per command would cost as much as
deciding it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import datetime
from typing import Any

import msgspec

from headwater.http.faults import BodyTooLarge, Headers, InvalidHeader, NotJson
from headwater.http.problems import MEDIA_TYPE, problem_of
from headwater.queries.past import as_of_text

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
RequestHeaders = Mapping[bytes, bytes]

TERMS = frozenset((b"idempotency-key", b"if-match", b"if-none-match", b"correlation-id", b"traceparent"))
"""The headers that say on what terms a command is sent; most commands have none of them."""

JSON = (b"content-type", b"application/json")
_NO_SNIFFING = (b"x-content-type-options", b"nosniff")
_ENTITY_TAG_POSITION = re.compile(rb'"(0|[1-9][0-9]{0,18})"')
_POSITION = re.compile(rb"0|[1-9][0-9]{0,18}")
_SECONDS = re.compile(rb"[0-9]{1,6}(\.[0-9]{1,6})?")
_WAIT = re.compile(rb"(?:^|,)\s*wait\s*=\s*([0-9]{1,6})\s*(?=,|;|$)", re.IGNORECASE)
_TRACE_ID = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_LONGEST_TOKEN = 255
_PLAIN_JSON = b"application/json"


class Disconnected(Exception):
    """The client went away before its body was complete."""


def check_json(headers: RequestHeaders, limit_bytes: int) -> None:
    """Refuse a body that is not declared as JSON, or as too large: ``NotJson`` or ``BodyTooLarge``."""
    declared = headers.get(b"content-type", b"")
    if declared != _PLAIN_JSON and not _is_json(declared):
        raise NotJson(declared.decode("latin-1"))
    if b"content-encoding" in headers and headers[b"content-encoding"].lower() != b"identity":
        raise NotJson(f"compressed with {headers[b'content-encoding'].decode('latin-1')}")
    length = headers.get(b"content-length")
    if length is not None and int(length) > limit_bytes:
        raise BodyTooLarge(limit_bytes)


async def read_json(headers: RequestHeaders, receive: Receive, limit_bytes: int) -> bytes:
    """The body, if it is declared as JSON and not too large; otherwise ``NotJson`` or ``BodyTooLarge``."""
    check_json(headers, limit_bytes)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message.get("more_body"):
        body = await _read_on(body, receive, limit_bytes)
    elif message["type"] == "http.disconnect":
        raise Disconnected
    if len(body) > limit_bytes:
        raise BodyTooLarge(limit_bytes)
    return body


async def _read_on(first: bytes, receive: Receive, limit_bytes: int) -> bytes:
    """The rest of a body that comes in parts, given up as soon as it is too large."""
    parts, length, more = [first], len(first), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        parts.append(message.get("body", b""))
        length += len(parts[-1])
        if length > limit_bytes:
            raise BodyTooLarge(limit_bytes)
        more = message.get("more_body", False)
    return b"".join(parts)


def _is_json(declared: bytes) -> bool:
    media, _, parameters = declared.lower().partition(b";")
    charset = parameters.replace(b" ", b"").replace(b'"', b"")
    return media.strip() == _PLAIN_JSON and charset in (b"", b"charset=utf-8")


def read_expectation(headers: RequestHeaders) -> int | None:
    """The position a command expects: ``If-Match: "<position>"``, or ``If-None-Match: *`` for "must be new"."""
    match, none_match = headers.get(b"if-match"), headers.get(b"if-none-match")
    if match is None and none_match is None:
        return None
    if none_match is None:
        found = _ENTITY_TAG_POSITION.fullmatch((match or b"").strip())
        if found is None:
            raise InvalidHeader("If-Match", 'one position as an entity tag, as in "42", from an earlier receipt')
        return int(found[1])
    if none_match.strip() != b"*" or match is not None:
        raise InvalidHeader("If-None-Match", "* on a command, and not beside If-Match")
    return 0


def read_idempotency_key(headers: RequestHeaders) -> str | None:
    """The ``Idempotency-Key``, quoted (as the IETF draft has it) or bare (as most clients send it)."""
    raw = headers.get(b"idempotency-key")
    if raw is None:
        return None
    text = raw.strip()
    if text[:1] == b'"' and text[-1:] == b'"':
        text = text[1:-1].replace(b'\\"', b'"').replace(b"\\\\", b"\\")
    return _token("Idempotency-Key", text)


def read_correlation(headers: RequestHeaders) -> str | None:
    """The ``Correlation-Id``, or else the trace id of ``traceparent`` (W3C Trace Context)."""
    own = headers.get(b"correlation-id")
    if own is not None:
        return _token("Correlation-Id", own.strip())
    trace = headers.get(b"traceparent")
    found = None if trace is None else _TRACE_ID.fullmatch(trace.strip())
    return None if found is None else found[1].decode()


def read_position(headers: RequestHeaders) -> int | None:
    """The position an answer must include, from ``Headwater-Position``: that of a receipt."""
    raw = headers.get(b"headwater-position")
    if raw is None:
        return None
    if _POSITION.fullmatch(raw.strip()) is None:
        raise InvalidHeader("Headwater-Position", "a position: a whole number from 0")
    return int(raw)


def read_last_event(headers: RequestHeaders) -> int | None:
    """The position of the last answer that a stream's reader has, from ``Last-Event-ID``."""
    raw = headers.get(b"last-event-id")
    if raw is None:
        return None
    if _POSITION.fullmatch(raw.strip()) is None:
        raise InvalidHeader("Last-Event-ID", "the position of an earlier event")
    return int(raw)


def read_as_of(headers: RequestHeaders) -> int | datetime | None:
    """The place in the past an answer is asked for, from ``Headwater-As-Of``: a position or a time with its zone."""
    raw = headers.get(b"headwater-as-of")
    if raw is None:
        return None
    try:
        return as_of_text(raw.decode("ascii").strip())
    except ValueError as error:
        raise InvalidHeader("Headwater-As-Of", "a position, or a time with its zone (RFC 3339)") from error


def read_max_staleness(headers: RequestHeaders) -> float | None:
    """How old an answer may be, in seconds, from ``Headwater-Max-Staleness``."""
    raw = headers.get(b"headwater-max-staleness")
    if raw is None:
        return None
    if _SECONDS.fullmatch(raw.strip()) is None:
        raise InvalidHeader("Headwater-Max-Staleness", "a number of seconds")
    return float(raw)


def read_wait_seconds(headers: RequestHeaders, longest_seconds: float) -> float | None:
    """How long the caller prefers to wait (``Prefer: wait=5``, RFC 7240), at most ``longest_seconds``."""
    prefer = headers.get(b"prefer")
    found = None if prefer is None else _WAIT.search(prefer)
    return None if found is None else min(float(found[1]), longest_seconds)


def applied(wait_seconds: float | None) -> Headers:
    """Says which wait was kept to, if the caller named one (RFC 7240 §3)."""
    return [] if wait_seconds is None else [(b"preference-applied", b"wait=%d" % int(wait_seconds))]


def _token(name: str, raw: bytes) -> str:
    if not 0 < len(raw) <= _LONGEST_TOKEN or not raw.isascii() or not raw.decode("ascii").isprintable():
        raise InvalidHeader(name, f"1 to {_LONGEST_TOKEN} printable ASCII characters")
    return raw.decode("ascii")


class Response(msgspec.Struct, frozen=True):
    """A whole response; its headers lack the length of the body."""

    status: int
    headers: Headers
    body: bytes


async def respond(send: Send, status: int, headers: Headers, body: bytes, *, head: bool = False) -> None:
    """Send a whole response; with ``head`` everything but the body."""
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head else body})


async def respond_json(send: Send, status: int, headers: Headers, body: bytes, *, head: bool = False) -> None:
    """Send JSON that no browser may take for anything else."""
    await respond(send, status, [JSON, _NO_SNIFFING, *headers], body, head=head)


async def respond_problem(send: Send, error: Exception, *, head: bool = False) -> None:
    """Send the problem document of an error."""
    response = problem_response(error)
    await respond(send, response.status, response.headers, response.body, head=head)


def problem_response(error: Exception) -> Response:
    """The problem document of an error, ready to be sent."""
    problem = problem_of(error)
    return Response(problem.status, [(b"content-type", MEDIA_TYPE), _NO_SNIFFING, *problem.headers], problem.body)
