"""An answer as a response: how fresh it is, whether the caller has it already, where a page's neighbours are.

Reads: exchange.py. Read next: queries.py. Sources: RFC 9110 (entity tags), RFC 9111 (caches), RFC 8288 (links).
"""

from __future__ import annotations

from hashlib import blake2b
from math import ceil
from typing import Any
from urllib.parse import quote

import msgspec

from headwater.http.exchange import RequestHeaders, Scope, Send, respond_json
from headwater.http.faults import Headers
from headwater.http.parameters import with_parameters
from headwater.messages import Query
from headwater.queries.asking import Answer
from headwater.read_models import Page, PageRequest

_READING = ("GET", "HEAD")
VARY = (b"vary", b"Accept, Authorization, Cookie, Headwater-Position, Headwater-Max-Staleness, Headwater-As-Of")
"""What else than the URL an answer depends on: who asks, and how fresh it has to be."""
REVALIDATE = (b"cache-control", b"private, no-cache")


class Reply(msgspec.Struct, frozen=True):
    """A query, its answer, and the answer's ``body`` as JSON."""

    query: Query[Any]
    answer: Answer[Any]
    body: bytes


async def respond_answer(send: Send, scope: Scope, headers: RequestHeaders, standing: Headers, reply: Reply) -> None:
    """Send the answer, or 304 if the caller has it already. The entity tag is a digest of the body.

    ``standing`` are headers that do not depend on the answer.
    """
    answer = reply.answer
    tag = b'"%b"' % blake2b(reply.body, digest_size=12).hexdigest().encode()
    told: Headers = [
        (b"headwater-position", b"%d" % answer.position),
        (b"headwater-age", b"%.3f" % answer.age_seconds),
        (b"age", b"%d" % ceil(answer.age_seconds)),
        (b"etag", tag),
        *standing,
    ]
    reading = scope["method"] in _READING
    if reading and _matches(headers.get(b"if-none-match"), tag):
        await send({"type": "http.response.start", "status": 304, "headers": told})
        await send({"type": "http.response.body", "body": b""})
        return
    if reading:
        told.extend(_links(scope, reply.query, answer.value))
    await respond_json(send, 200, told, reply.body, head=scope["method"] == "HEAD")


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
