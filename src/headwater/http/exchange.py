"""Reading a request and sending a response, at the cost of a dict and two sends. Reads: problems.py.

Read next: commands.py. The ASGI messages are built by hand, because a request object per command would cost as much as
deciding it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from headwater.commands.deciding import CHANGED, Expected
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
_ENTITY_TAG = re.compile(rb'(W/)?"([\x21\x23-\x7e\x80-\xff]*+)"')
_ENTITY_TAGS = re.compile(rb"(?:[ \t]*+(?:%b[ \t]*+)?(?:,|\Z))++" % _ENTITY_TAG.pattern)
"""A list of them, in which places may be empty (RFC 9110 §5.6.1 and §8.8.3)."""
_QUOTED = re.compile(rb'"((?:[^"\\]|\\["\\])*+)"')
_ESCAPED = re.compile(rb"\\(.)")
_POSITION = re.compile(rb"0|[1-9][0-9]{0,18}")
_SECONDS = re.compile(rb"[0-9]{1,6}(\.[0-9]{1,6})?")
_WAIT = re.compile(rb"(?:^|,)\s*wait\s*=\s*([0-9]{1,6})\s*(?=,|;|$)", re.IGNORECASE)
_TRACE_ID = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_LONGEST_TOKEN = 255
_SINGLE = {b"idempotency-key": "Idempotency-Key", b"correlation-id": "Correlation-Id"}
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


def read_headers(raw: Sequence[tuple[bytes, bytes]]) -> RequestHeaders:
    """The headers by name. Terms in several lines are one list (RFC 9110 §5.3); ``InvalidHeader`` for what is none."""
    found = dict(raw)
    if len(found) < len(raw):
        for name in TERMS.intersection(found):
            values = [value for other, value in raw if other == name]
            if name in _SINGLE and len(values) > 1:
                raise InvalidHeader(_SINGLE[name], "given once")
            found[name] = b", ".join(values)
    return found


def read_expectation(headers: RequestHeaders) -> Expected | None:
    """The positions a command expects: those of ``If-Match``, or ``If-None-Match: *`` for "must be new"."""
    match, none_match = headers.get(b"if-match"), headers.get(b"if-none-match")
    if none_match is not None:
        if none_match.strip() != b"*" or match is not None:
            raise InvalidHeader("If-None-Match", "* on a command, and not beside If-Match")
        return 0
    if match is None:
        return None
    return CHANGED if match.strip() == b"*" else _positions(match)


def _positions(listed: bytes) -> Expected:
    """The positions that entity tags stand for. A weak one stands for none, since it never matches (§13.1.1)."""
    tags = _ENTITY_TAG.findall(listed) if _ENTITY_TAGS.fullmatch(listed) else []
    strong = [opaque for weak, opaque in tags if not weak]
    if not tags or not all(map(_POSITION.fullmatch, strong)):
        raise InvalidHeader("If-Match", '*, or entity tags of receipts, as in "42" or "41", "42"')
    return int(strong[0]) if len(tags) == 1 and strong else [int(opaque) for opaque in strong]


def read_idempotency_key(headers: RequestHeaders) -> str | None:
    """The ``Idempotency-Key``, quoted (as the IETF draft has it) or bare (as most clients send it).

    A comma outside of quotes is how a proxy joins two keys, so that a bare key has none.
    """
    raw = headers.get(b"idempotency-key")
    if raw is None:
        return None
    text = raw.strip()
    quoted = _QUOTED.fullmatch(text)
    if quoted is not None:
        text = _ESCAPED.sub(rb"\1", quoted[1])
    elif b"," in text:
        raise InvalidHeader("Idempotency-Key", 'one key; quote one that has a comma, as in "a,b"')
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
