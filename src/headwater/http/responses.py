"""What a door answers with, in OpenAPI's words: its headers, and which problems come with which status.

Reads: faults.py, problems.py. Read next: openapi.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

from headwater import errors
from headwater.errors import HeadwaterError
from headwater.http.faults import (
    BodyTooLarge,
    InvalidHeader,
    MethodNotAllowed,
    NotJson,
    RequestFault,
    Unauthenticated,
)
from headwater.http.problems import INTERNAL, URN, status_of, title_of

Json = dict[str, Any]
Kind: TypeAlias = type[HeadwaterError] | type[RequestFault]

_ANY_ERRORS: tuple[Kind, ...] = (
    InvalidHeader,
    Unauthenticated,
    MethodNotAllowed,
    errors.Forbidden,
    errors.MalformedMessage,
    errors.InvalidMessage,
    errors.UnknownMessage,
    errors.StoreError,
    errors.QueryError,
    errors.ProjectionBehind,
    errors.ProjectionFailed,
    errors.ProjectionPaused,
    errors.ProjectionStalled,
)
BODY_ERRORS: tuple[Kind, ...] = (NotJson, BodyTooLarge)
"""What is wrong with a request's body."""
COMMAND_ERRORS: tuple[Kind, ...] = (
    *_ANY_ERRORS,
    *BODY_ERRORS,
    errors.Refused,
    errors.ConcurrencyError,
    errors.ExpectationFailed,
    errors.IdempotencyMismatch,
    errors.InvalidAppend,
)
"""What a command may be answered instead of its receipt; with each error the kinds of it."""
QUERY_ERRORS = _ANY_ERRORS
"""What a query may be answered instead of its answer."""

RECEIPT_HEADERS = ("ETag", "Headwater-Position", "Idempotency-Replayed", "Preference-Applied")
UNCHANGED_HEADERS = (
    "Age",
    "Cache-Control",
    "ETag",
    "Headwater-Age",
    "Headwater-Position",
    "Preference-Applied",
    "Vary",
)
ANSWER_HEADERS = (*UNCHANGED_HEADERS, "Link")
_PROBLEM_HEADERS = {
    401: ("WWW-Authenticate",),
    405: ("Allow",),
    415: ("Accept-Post",),
    503: ("Headwater-Position", "Retry-After"),
}


def _told(description: str, kind: str = "string") -> Json:
    return {"description": description, "schema": {"type": kind}}


HEADERS: Json = {
    "Accept-Post": _told("What a body may be declared as."),
    "Age": _told("How old the answer is, in whole seconds.", "integer"),
    "Allow": _told("The methods that are."),
    "Cache-Control": _told("Who may keep the answer, and for how long."),
    "ETag": _told("Names this version; send it back to be told of changes only."),
    "Headwater-Age": _told("How old the answer is, in seconds.", "number"),
    "Headwater-Position": _told("The position in the log it stands at.", "integer"),
    "Idempotency-Replayed": _told("`true` if the receipt is that of an earlier command with the same key."),
    "Link": _told("Where the next and the previous page are (RFC 8288)."),
    "Preference-Applied": _told("How long the answer might have been waited for."),
    "Retry-After": _told("After how many seconds to come again.", "integer"),
    "Vary": _told("What else than the URL the answer depends on."),
    "WWW-Authenticate": _told("How to say who calls."),
}
"""All headers of responses, described once."""


def refer(names: Iterable[str]) -> Json:
    """The headers of a response, by reference."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def problems(document: Json, kinds: Iterable[Kind]) -> Json:
    """A response for each status that these errors answer with; ``document`` is the schema of a problem document."""
    known: dict[int, dict[str, str]] = {}
    for kind in sorted({each for wanted in kinds for each in _family(wanted)}, key=lambda kind: kind.code):
        status, title = _said(kind)
        known.setdefault(status, {})[f"{URN}{kind.code}"] = title
    known[500] = {f"{URN}{INTERNAL}": "The server failed"}  # or another kind: its own fault is for its own log
    return {str(status): _problem(document, status, known[status]) for status in sorted(known)}


def _problem(document: Json, status: int, titles: dict[str, str]) -> Json:
    headers = _PROBLEM_HEADERS.get(status, ())
    return {
        "description": "; ".join(dict.fromkeys(titles.values())),
        "content": {"application/problem+json": {"schema": {**document, "x-headwater-problems": sorted(titles)}}},
    } | ({"headers": refer(headers)} if headers else {})


def _said(kind: Kind) -> tuple[int, str]:
    """The status and title that such an error answers with."""
    if issubclass(kind, RequestFault):
        return kind.status, kind.title
    return status_of(kind), title_of(kind)


def _family(kind: Kind) -> Iterator[Kind]:
    """An error and the kinds of it that Headwater has."""
    if kind.__module__.startswith("headwater."):
        yield kind
        for other in kind.__subclasses__():
            yield from _family(other)
