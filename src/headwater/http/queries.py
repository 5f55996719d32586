"""``GET``, ``QUERY`` and ``POST /queries/{name}``: parameters or a JSON body become a query, its answer JSON.

Reads: parameters.py, exchange.py, answers.py, sse.py. Read next: problems.py. These are stations 1 and 9 of a query.
"""

from __future__ import annotations

from typing import Any

from headwater.http.answers import Reply, respond_answer
from headwater.http.exchange import (
    Disconnected,
    Receive,
    RequestHeaders,
    Scope,
    Send,
    applied,
    read_as_of,
    read_json,
    read_last_event,
    read_max_staleness,
    read_position,
    read_wait_seconds,
    respond_problem,
)
from headwater.http.faults import InvalidHeader, MethodNotAllowed
from headwater.http.hanging_up import unless_gone
from headwater.http.options import NOBODY, HttpOptions, authenticate
from headwater.http.parameters import read_parameters
from headwater.http.sse import Terms, stream_answers, wants_events
from headwater.messages import Query
from headwater.queries.asker import Rendered, Who
from headwater.runtime import Runtime

METHODS = ("GET", "HEAD", "POST", "QUERY")
_READING = ("GET", "HEAD")


class QueryDoor:
    """Answers everything below ``/queries/``."""

    def __init__(self, runtime: Runtime, options: HttpOptions) -> None:
        self._runtime = runtime
        self._find = runtime.catalogue.query_type
        self._options = options
        self._is_public = options.authenticate is None and runtime.app.authorise is None

    async def answer(self, segment: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the query of that name, or answer with the problem."""
        method: str = scope["method"]
        try:
            asked = self._find(segment)
            if method not in METHODS:
                raise MethodNotAllowed(method, METHODS)
            headers: RequestHeaders = dict(scope["headers"])
            query = await self._query(asked, scope, headers, receive)
            wait_seconds = read_wait_seconds(headers, self._options.longest_wait_seconds)
            if wants_events(method, headers):
                if read_as_of(headers) is not None:
                    raise InvalidHeader("Headwater-As-Of", "left out where answers come as they change")
                terms = await self._terms(scope, headers, wait_seconds)
                await stream_answers(self._runtime, query, terms, self._options.heartbeat_seconds, receive, send)
                return
            rendered = await unless_gone(receive, self._ask(query, scope, headers, wait_seconds))
        except Disconnected:
            return
        except Exception as error:  # noqa: BLE001  the outermost frame: every error becomes a problem document
            await respond_problem(send, error, head=method == "HEAD")
        else:
            reply = Reply(query, rendered, self._is_public)
            await respond_answer(send, scope, headers, applied(wait_seconds), reply)

    async def _query(
        self, asked: type[Query[Any]], scope: Scope, headers: RequestHeaders, receive: Receive
    ) -> Query[Any]:
        codec = self._runtime.codec
        if scope["method"] in _READING:
            return codec.decode_query(asked, read_parameters(scope["query_string"]))
        return codec.decode_query(asked, await read_json(headers, receive, self._options.max_body_bytes))

    async def _ask(
        self, query: Query[Any], scope: Scope, headers: RequestHeaders, wait_seconds: float | None
    ) -> Rendered:
        """Ask on behalf of the caller, as fresh as the headers want it."""
        terms = await self._terms(scope, headers, wait_seconds)
        return await self._runtime.rendered(
            query,
            after=terms.after,
            max_staleness=read_max_staleness(headers),
            timeout=terms.timeout,
            who=terms.who,
            as_of=read_as_of(headers),
        )

    async def _terms(self, scope: Scope, headers: RequestHeaders, wait_seconds: float | None) -> Terms:
        """Who asks, and what the answer must include at least."""
        options = self._options
        caller = NOBODY if options.authenticate is None else await authenticate(options.authenticate, scope)
        return Terms(
            who=Who(caller.actor, caller.tenant),
            after=read_position(headers),
            since=read_last_event(headers),
            timeout=options.wait_seconds if wait_seconds is None else wait_seconds,
        )
