"""Tells a page whenever its answer has changed, so that it asks again. Reads: asked.py. Read next: door.py."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from headwater.http.exchange import Receive, Scope, Send, read_last_event
from headwater.http.options import Caller
from headwater.http.sse import Terms, stream_answers
from headwater.messages import Query
from headwater.queries.asker import Who
from headwater.queries.live import Seen
from headwater.ui.asked import asked_in, query_of
from headwater.ui.site import Site, entered_in, known_listing, position_of


async def query_changes(site: Site, request: Request) -> Response:
    """A stream that says whenever the answer of a page has changed."""
    listing = known_listing(site, request.path_params["name"])
    caller = await site.caller(request)
    asked = asked_in(listing, "", entered_in(request))
    return Changes(site, query_of(site, asked), caller, position_of(asked.own.one("_since")))


class Changes(Response):
    """A stream of events without content; it is sent as long as somebody listens."""

    def __init__(self, site: Site, query: Query[Any], caller: Caller, since: int | None) -> None:
        super().__init__()
        self._site = site
        self._query = query
        self._who = Who(caller.actor, caller.tenant)
        self._since = since

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send an event for each answer that differs from the one before."""
        last = read_last_event(dict(scope["headers"]))
        since = self._since if last is None else last
        terms = Terms(who=self._who, after=None, since=since, timeout=self._site.http.wait_seconds)
        heartbeat_seconds = self._site.http.heartbeat_seconds
        await stream_answers(self._site.runtime, self._query, terms, heartbeat_seconds, receive, send, _changed)


def _changed(seen: Seen) -> bytes:
    return b"id: %d\nevent: changed\ndata:\n\n" % seen.position
