"""``POST /commands/{name}``: a JSON body becomes a command, its receipt the answer. Reads: exchange.py, options.py.

Read next: direct.py, queries.py. This is station 1 and 9 of a write; what lies between is ``Runtime.execute_json``, or
``begin_json`` for who has no task.
"""

from __future__ import annotations

from headwater.commands.executor import NOWHERE, Origin
from headwater.errors import ProjectionBehind, UnknownMessage
from headwater.http.exchange import (
    JSON,
    TERMS,
    Disconnected,
    Receive,
    RequestHeaders,
    Response,
    Scope,
    Send,
    applied,
    check_json,
    problem_response,
    read_correlation,
    read_expectation,
    read_headers,
    read_idempotency_key,
    read_json,
    read_wait_seconds,
    respond,
    respond_problem,
)
from headwater.http.faults import Headers, MethodNotAllowed, RequestFault
from headwater.http.options import NOBODY, Caller, HttpOptions, authenticate
from headwater.messages import Command, Receipt
from headwater.runtime import Runtime

METHODS = ("POST",)
_DETOURS = TERMS | {b"prefer", b"expect", b"transfer-encoding", b"upgrade"}
"""Headers that a request without a task cannot do justice to."""

_TRUTH = (b"false", b"true")


class CommandDoor:
    """Answers everything below ``/commands/``."""

    def __init__(self, runtime: Runtime, options: HttpOptions) -> None:
        self._execute = runtime.execute_json
        self.begin = runtime.begin_json
        """Carries out a ``plain`` command; what it tells, ``response_of`` takes."""
        self._caught_up = runtime.caught_up
        self._find = runtime.catalogue.command_type
        self.authenticate = options.authenticate
        self._options = options

    async def answer(self, segment: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry out the command of that name, or answer with the problem."""
        try:
            command = self._find(segment)
            if scope["method"] != "POST":
                raise MethodNotAllowed(scope["method"], METHODS)
            headers = read_headers(scope["headers"])
            plain = self.authenticate is None and TERMS.isdisjoint(headers)
            origin = NOWHERE if plain else await self._origin(scope, headers)
            body = await read_json(headers, receive, self._options.max_body_bytes)
            receipt = await self._execute(command, body, origin)
            status, wait_seconds = 200, None
            if b"prefer" in headers:
                status, wait_seconds = await self._wait(receipt, headers)
        except Disconnected:
            return
        except Exception as error:  # noqa: BLE001  the outermost frame: every error becomes a problem document
            await respond_problem(send, error, head=scope["method"] == "HEAD")
        else:
            response = _response(receipt, status, wait_seconds)
            await respond(send, status, response.headers, response.body)

    def plain(self, segment: str, headers: RequestHeaders) -> type[Command] | None:
        """The command of that name, if a POST with these headers needs no task: then ``begin`` carries it out."""
        if not _DETOURS.isdisjoint(headers):
            return None
        try:
            check_json(headers, self._options.max_body_bytes)
            return self._find(segment)
        except (RequestFault, UnknownMessage):
            return None

    async def _origin(self, scope: Scope, headers: RequestHeaders) -> Origin:
        """Who sends the command, because of what, and under what terms."""
        hook = self.authenticate
        caller = NOBODY if hook is None else await authenticate(hook, scope)
        return Origin(
            actor=caller.actor,
            tenant=caller.tenant,
            correlation=read_correlation(headers),
            idempotency_key=read_idempotency_key(headers),
            expect=read_expectation(headers),
        )

    async def _wait(self, receipt: Receipt, headers: RequestHeaders) -> tuple[int, float | None]:
        """With ``Prefer: wait=n`` hold the receipt back until the read models include it: then 200, else 202."""
        seconds = read_wait_seconds(headers, self._options.longest_wait_seconds)
        if seconds is None:
            return 200, None
        try:
            await self._caught_up(receipt.position, timeout=seconds)
        except ProjectionBehind:
            return 202, seconds
        return 200, seconds


def plain_origin(caller: Caller) -> Origin:
    """Where a plain command comes from."""
    return NOWHERE if caller is NOBODY else Origin(caller.actor, caller.tenant)


def response_of(result: Receipt | Exception) -> Response:
    """The response to a plain command."""
    return problem_response(result) if isinstance(result, Exception) else _response(result)


def _response(receipt: Receipt, status: int = 200, wait_seconds: float | None = None) -> Response:
    position = b"%d" % receipt.position
    headers: Headers = [JSON, (b"headwater-position", position), (b"etag", b'"%b"' % position)]
    if receipt.replayed:
        headers.append((b"idempotency-replayed", b"true"))
    if wait_seconds is not None:
        headers += applied(wait_seconds)
    return Response(status, headers, b'{"position":%b,"replayed":%b}' % (position, _TRUTH[receipt.replayed]))
