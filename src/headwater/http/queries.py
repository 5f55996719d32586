"""``GET``, ``QUERY`` and ``POST /queries/{name}``: parameters or a JSON body become a query, its answer JSON.

Reads: parameters.py, exchange.py. Read next: problems.py. These are stations 1 and 9 of a query.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any
from urllib.parse import quote

from headwater.http.exchange import (
    Disconnected,
    Receive,
    RequestHeaders,
    Scope,
    Send,
    read_json,
    read_max_staleness,
    read_position,
    read_wait_seconds,
    respond_json,
    respond_problem,
)
from headwater.http.faults import Headers, MethodNotAllowed
from headwater.http.options import NOBODY, HttpOptions, authenticate
from headwater.http.parameters import read_parameters, with_parameters
from headwater.messages import Query
from headwater.queries.asking import Answer
from headwater.read_models import Page, PageRequest
from headwater.runtime import Runtime

METHODS = ("GET", "HEAD", "POST", "QUERY")
_READING = ("GET", "HEAD")
_REVALIDATE = (b"cache-control", b"private, no-cache")


class QueryDoor:
    """Answers everything below ``/queries/``."""

    def __init__(self, runtime: Runtime, options: HttpOptions) -> None:
        self._runtime = runtime
        self._find = runtime.catalogue.query_type
        self._options = options

    async def answer(self, segment: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the query of that name, or answer with the problem."""
        method: str = scope["method"]
        try:
            asked = self._find(segment)
            if method not in METHODS:
                raise MethodNotAllowed(method, METHODS)
            headers: RequestHeaders = dict(scope["headers"])
            query = await self._query(asked, scope, headers, receive)
            answer = await self._ask(query, scope, headers)
            body = self._runtime.codec.encode(answer.value)
        except Disconnected:
            return
        except Exception as error:  # noqa: BLE001  the outermost frame: every error becomes a problem document
            await respond_problem(send, error, head=method == "HEAD")
        else:
            await self._respond(send, scope, headers, query, answer, body)

    async def _query(
        self, asked: type[Query[Any]], scope: Scope, headers: RequestHeaders, receive: Receive
    ) -> Query[Any]:
        codec = self._runtime.codec
        if scope["method"] in _READING:
            return codec.decode_query(asked, read_parameters(scope["query_string"]))
        return codec.decode_query(asked, await read_json(headers, receive, self._options.max_body_bytes))

    async def _ask(self, query: Query[Any], scope: Scope, headers: RequestHeaders) -> Answer[Any]:
        """Ask on behalf of the caller, as fresh as the headers want it."""
        options = self._options
        caller = NOBODY if options.authenticate is None else await authenticate(options.authenticate, scope)
        wait_seconds = read_wait_seconds(headers, options.longest_wait_seconds)
        return await self._runtime.answer(
            query,
            after=read_position(headers),
            max_staleness=read_max_staleness(headers),
            timeout=options.wait_seconds if wait_seconds is None else wait_seconds,
            actor=caller.actor,
        )

    async def _respond(
        self, send: Send, scope: Scope, headers: RequestHeaders, query: Query[Any], answer: Answer[Any], body: bytes
    ) -> None:
        """Send the answer, or 304 if the caller has it already. The entity tag is a digest of the body."""
        tag = b'"%b"' % blake2b(body, digest_size=12).hexdigest().encode()
        told: Headers = [
            (b"headwater-position", b"%d" % answer.position),
            (b"headwater-age", b"%.3f" % answer.age_seconds),
            (b"etag", tag),
            _REVALIDATE,
        ]
        reading = scope["method"] in _READING
        if reading and _matches(headers.get(b"if-none-match"), tag):
            await send({"type": "http.response.start", "status": 304, "headers": told})
            await send({"type": "http.response.body", "body": b""})
            return
        if reading:
            told.extend(_links(scope, query, answer.value))
        await respond_json(send, 200, told, body, head=scope["method"] == "HEAD")


def _matches(wanted: bytes | None, tag: bytes) -> bool:
    """Whether ``If-None-Match`` names the tag, by weak comparison (RFC 9110 §13.1.2)."""
    if wanted is None:
        return False
    return wanted.strip() == b"*" or tag in (part.strip().removeprefix(b"W/") for part in wanted.split(b","))


def _links(scope: Scope, query: Query[Any], page: object) -> Headers:
    """Where a page's neighbours are (RFC 8288): the same query with a cursor where its page request stands."""
    if not isinstance(page, Page):
        return []
    cursors = (("next", page.next), ("prev", page.previous))
    path, query_string = quote(scope["path"]), scope["query_string"]
    for field, name in zip(query.__struct_fields__, query.__struct_encode_fields__, strict=True):
        request = getattr(query, field)
        if isinstance(request, PageRequest):
            return [
                (b"link", f'<{path}?{with_parameters(query_string, changes)}>; rel="{relation}"'.encode())
                for relation, cursor in cursors
                if cursor is not None
                for changes in ({f"{name}.size": request.size, f"{name}.cursor": cursor},)
            ]
    return []
