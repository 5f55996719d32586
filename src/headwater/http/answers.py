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
from headwater.messages import Cache, Query
from headwater.queries.asker import Rendered
from headwater.read_models import Page, PageRequest

_READING = ("GET", "HEAD")
VARY = (b"vary", b"Accept, Authorization, Cookie, Headwater-Position, Headwater-Max-Staleness, Headwater-As-Of")
"""What else than the URL an answer depends on: who asks, and how fresh it has to be."""
_LONGEST_SECONDS = 31_536_000


class Reply(msgspec.Struct, frozen=True):
    """A query, its answer with its JSON, and whether everybody may see it (``is_public``)."""

    query: Query[Any]
    rendered: Rendered
    is_public: bool


async def respond_answer(send: Send, scope: Scope, headers: RequestHeaders, standing: Headers, reply: Reply) -> None:
    """Send the answer, or 304 if the caller has it already. The entity tag is a digest of the body.

    ``standing`` are headers that do not depend on the answer.
    """
    answer, body = reply.rendered.answer, reply.rendered.body
    tag = b'"%b"' % blake2b(body, digest_size=12).hexdigest().encode()
    told: Headers = [
        (b"headwater-position", b"%d" % answer.position),
        (b"headwater-age", b"%.3f" % answer.age_seconds),
        (b"age", b"%d" % ceil(answer.age_seconds)),
        (b"etag", tag),
        VARY,
        (b"cache-control", cache_control(reply.rendered.rules, is_public=reply.is_public)),
        *standing,
    ]
    reading = scope["method"] in _READING
    if reading and _matches(headers.get(b"if-none-match"), tag):
        await send({"type": "http.response.start", "status": 304, "headers": told})
        await send({"type": "http.response.body", "body": b""})
        return
    if reading:
        told.extend(_links(scope, reply.query, answer.value))
    await respond_json(send, 200, told, body, head=scope["method"] == "HEAD")


def cache_control(rules: Cache | None, *, is_public: bool) -> bytes:
    """Who may keep an answer, and for how long without asking again: as long as its query allows a change to be late.

    ``Age`` says how much of that is used up. A query that allows nothing is asked again each time, and 304 is cheap.
    """
    who = b"public" if is_public and rules is not None else b"private"
    seconds = 0 if rules is None else int(min(rules.max_staleness, rules.ttl or _LONGEST_SECONDS, _LONGEST_SECONDS))
    if rules is None or not seconds:
        return who + b", no-cache"
    late = int(min(rules.stale_while_revalidate, _LONGEST_SECONDS))
    return who + b", max-age=%d" % seconds + (b", stale-while-revalidate=%d" % late if late else b"")


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
