"""Errors become problem documents: one table from error class to status. Reads: faults.py. Read next: commands.py.

Source: RFC 9457 (problem details). The type is ``urn:headwater:problem:<code>``; codes are stable, statuses follow from
the table. A refusal carries its own ``code``, an invalid message its ``errors`` with JSON pointers.
"""

from __future__ import annotations

import logging
import re
from typing import Any

import msgspec

from headwater import errors
from headwater.http.faults import Headers, RequestFault

_log = logging.getLogger("headwater.http")

MEDIA_TYPE = b"application/problem+json"
URN = "urn:headwater:problem:"
INTERNAL = "internal-error"

STATUS_OF: dict[type[errors.HeadwaterError], int] = {
    errors.MalformedMessage: 400,
    errors.QueryError: 400,
    errors.Forbidden: 403,
    errors.NotParked: 404,
    errors.UnknownMessage: 404,
    errors.RowNotFound: 404,
    errors.ConcurrencyError: 409,
    errors.ExpectationFailed: 412,
    errors.IdempotencyMismatch: 422,
    errors.InvalidAppend: 422,
    errors.InvalidMessage: 422,
    errors.QueryTooExpensive: 422,
    errors.Refused: 422,
    errors.ProjectionBehind: 503,
    errors.ProjectionFailed: 503,
    errors.ProjectionPaused: 503,
    errors.ProjectionStalled: 503,
    errors.StoreError: 503,
    errors.QueryTooSlow: 503,
    errors.StoreFull: 507,
}
"""Which status an error answers with: the nearest class of its tree that stands here. Others are ours, hence 500."""

_CLAUSE_END = re.compile(r"[.:](?:\s|$)|\n")
_TELLABLE = (errors.InvalidAppend, errors.DuplicateEventId)
_PASSING = (errors.ProjectionBehind, errors.QueryTooSlow, errors.StoreBusy, errors.StoreClosed)
"""What a request may be sent again for as it was: nothing came of it."""
_RETRY_AFTER_SECONDS = b"1"
_OUR_FAULT = 500


class Problem(msgspec.Struct, frozen=True):
    """A problem document ready to be sent: the status, the encoded body, and headers beyond the usual."""

    status: int
    body: bytes
    headers: Headers


def problem_of(error: Exception) -> Problem:
    """The problem document of any error. What is our own fault is logged, and tells the caller nothing of it."""
    if isinstance(error, RequestFault):
        return _problem(error.status, error.code, error.title, error.detail, error.headers, remedy=error.remedy)
    if isinstance(error, errors.HeadwaterError):
        status = status_of(type(error))
        if status != _OUR_FAULT:
            return _known(error, status)
    _log.error("a request failed", exc_info=error)
    code = error.code if isinstance(error, errors.HeadwaterError) else INTERNAL
    return _problem(_OUR_FAULT, code, "The server failed", "the failure was logged", [])


def status_of(kind: type[BaseException]) -> int:
    """The status of an error class: its own, or that of the nearest class above it in the table, or 500."""
    if issubclass(kind, errors.UndecodableEvent):
        return _OUR_FAULT
    return next((STATUS_OF[cls] for cls in kind.__mro__ if cls in STATUS_OF), _OUR_FAULT)


def title_of(kind: type[BaseException]) -> str:
    """The first clause of an error class's documentation: the same for every occurrence."""
    return _CLAUSE_END.split(kind.__doc__ or kind.__name__, maxsplit=1)[0].replace("``", "")


def _known(error: errors.HeadwaterError, status: int) -> Problem:
    """The document of an error of the tree, with its facts."""
    headers: Headers = [(b"retry-after", _RETRY_AFTER_SECONDS)] if isinstance(error, _PASSING) else []
    if isinstance(error, errors.ProjectionBehind) and "reached" in error.fields:
        headers.append((b"headwater-position", b"%d" % error.fields["reached"]))
    facts: dict[str, Any] = {"remedy": error.remedy}
    if isinstance(error, errors.Refused):
        facts |= {"code": error.code, "fields": error.fields}
    elif isinstance(error, errors.InvalidMessage):
        facts["errors"] = error.errors
    elif not _is_inner(error):
        facts["fields"] = error.fields
    detail = title_of(type(error)) if _is_inner(error) else error.message
    return _problem(status, type(error).code, title_of(type(error)), detail, headers, **facts)


def _is_inner(error: errors.HeadwaterError) -> bool:
    """Whether its words may name files or hosts of the server, which are for the operator's log."""
    return isinstance(error, errors.StoreError) and not isinstance(error, _TELLABLE)


def _problem(status: int, kind: str, title: str, detail: str, headers: Headers, **more: Any) -> Problem:
    document = {"type": f"{URN}{kind}", "title": title, "status": status, "detail": detail}
    document |= {name: value for name, value in more.items() if value}
    return Problem(status, msgspec.json.encode(document, enc_hook=str), headers)
