"""Every error Headwater raises, in one tree. Reads: error_root.py, store_errors.py. Read next: messages.py.

    HeadwaterError
    ├── WiringError                (TypeError)        the application is put together wrongly
    ├── MissingExtra               (ImportError)      an optional dependency is not installed
    ├── WrongApp                   (LookupError)      no app is found under that ``module:attribute``
    ├── InvalidSetting             (ValueError)       an application is opened or served with a value that is none
    ├── ContractError              (TypeError)
    │   ├── ContractChanged                           a message changed in a way that breaks what is stored
    │   └── HandlerContractError                      a decider or handler returned what it must not return
    ├── MessageError               (ValueError)
    │   ├── MalformedMessage                          the bytes are not JSON
    │   ├── InvalidMessage                            JSON, but not a valid message: every fault with its pointer
    │   ├── UnknownMessage         (LookupError)      no message of that name
    │   └── UndecodableEvent                          a stored event does not fit its class
    ├── Refused                                       a business rule said no
    ├── Forbidden                  (PermissionError)  the actor may not
    ├── ConcurrencyError                              others kept changing the boundary
    │   └── ExpectationFailed                         the boundary is not where the caller expected it
    ├── IdempotencyMismatch        (ValueError)       one idempotency key, two different commands
    ├── EvolutionError             (RuntimeError)     an aggregate could not fold a stored event
    ├── QueryError                 (ValueError)
    │   ├── UnknownField           (LookupError)      a filter or sort name that the contract does not have
    │   ├── InvalidCursor                             a page cursor that was not made by this query
    │   ├── InvalidFilter                             an operator or value that does not fit its field
    │   ├── InvalidAsOf                               a place in the past that there is not
    │   ├── RowNotFound            (LookupError)      there is no row of that key
    │   └── QueryTooExpensive                         answering would cost more than its limits allow
    │       └── QueryTooSlow       (TimeoutError)     it took longer than its limits allow, and was broken off
    ├── ReadOnlyViolation          (PermissionError)  a query tried to write
    ├── ProjectionError            (RuntimeError)
    │   ├── ProjectionFailed                          a projection stopped on an event
    │   ├── ProjectionPaused                          a projection stands still by order
    │   ├── NotParked              (LookupError)      there is no such parked sequence
    │   ├── ParkedAlone                               a parked event can no longer be applied in its turn
    │   ├── ProjectionStalled                         a projection has work and does not get further
    │   ├── MissingRow             (LookupError)      an event changes a row that is not there
    │   └── ProjectionBehind       (TimeoutError)     the read model has not reached the wanted position yet
    └── StoreError                 (OSError)
        ├── UnsupportedUrl         (ValueError)       no backend for that URL
        ├── InvalidAppend          (ValueError)       an append that no store accepts
        ├── DuplicateEventId       (ValueError)       an event id that is already stored elsewhere
        ├── OtherHistory           (ValueError)       two logs that should be one hold different events
        ├── StoreClosed                               the store was closed
        ├── StoreBusy              (TimeoutError)     the queue or the file lock did not free in time
        ├── StoreFull                                 no space left
        ├── StoreReadOnly          (PermissionError)  the file or directory cannot be written
        ├── StoreCorrupt                              the file is not a log, or is damaged
        ├── StoreIOError                              the disk or connection failed; nothing was stored
        ├── OutcomeUnknown                            the commit may or may not have happened; repeat with the same ids
        ├── SchemaTooNew                              written by a newer Headwater
        └── SchemaOutdated                            written by an older Headwater and may not be migrated here

Each class has a stable ``code`` (used in problem documents and logs), typed fields, and a ``remedy``: what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from headwater.error_root import HeadwaterError
from headwater.store_errors import (
    DuplicateEventId,
    InvalidAppend,
    OtherHistory,
    OutcomeUnknown,
    SchemaOutdated,
    SchemaTooNew,
    StoreBusy,
    StoreClosed,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreIOError,
    StoreReadOnly,
    UnsupportedUrl,
)

__all__ = [
    "ConcurrencyError",
    "ContractChanged",
    "ContractError",
    "DuplicateEventId",
    "EvolutionError",
    "ExpectationFailed",
    "FieldError",
    "Forbidden",
    "HandlerContractError",
    "HeadwaterError",
    "IdempotencyMismatch",
    "InvalidAppend",
    "InvalidAsOf",
    "InvalidCursor",
    "InvalidFilter",
    "InvalidMessage",
    "InvalidSetting",
    "MalformedMessage",
    "MessageError",
    "MissingExtra",
    "MissingRow",
    "NotParked",
    "OtherHistory",
    "OutcomeUnknown",
    "ParkedAlone",
    "ProjectionBehind",
    "ProjectionError",
    "ProjectionFailed",
    "ProjectionPaused",
    "QueryError",
    "QueryTooExpensive",
    "QueryTooSlow",
    "ReadOnlyViolation",
    "Refused",
    "RowNotFound",
    "SchemaOutdated",
    "SchemaTooNew",
    "StoreBusy",
    "StoreClosed",
    "StoreCorrupt",
    "StoreError",
    "StoreFull",
    "StoreIOError",
    "StoreReadOnly",
    "UndecodableEvent",
    "UnknownField",
    "UnknownMessage",
    "UnsupportedUrl",
    "WiringError",
    "WrongApp",
]

_MOST_LISTED = 30


class WiringError(HeadwaterError, TypeError):
    """The parts of an application do not fit together. ``faults`` lists every fault, not only the first."""

    code = "wiring-error"
    faults: tuple[str, ...]

    def __init__(self, faults: tuple[str, ...], *, app: str = "") -> None:
        head = f"app {app!r} cannot be put together" if app else "this part cannot be used"
        super().__init__("\n  - ".join((f"{head}: {len(faults)} fault(s)", *faults)), faults=faults)


class MissingExtra(HeadwaterError, ImportError):
    """An optional dependency is absent. ``extra`` is the name to install."""

    code = "missing-extra"
    extra: str

    def __init__(self, extra: str, package: str, purpose: str) -> None:
        message, remedy = f"{purpose} needs {package}, which is not installed", f"pip install 'headwater[{extra}]'"
        super().__init__(message, remedy=remedy, extra=extra, package=package)


class WrongApp(HeadwaterError, LookupError):
    """A ``module:attribute`` text under which no app is found: ``reference`` is that text."""

    code = "wrong-app"
    reference: str

    def __init__(self, reference: str, what: str, *, remedy: str = "") -> None:
        super().__init__(f"app {reference!r} {what}", remedy=remedy, reference=reference)


class InvalidSetting(HeadwaterError, ValueError):
    """A keyword argument that cannot be what was given: ``setting`` is its name."""

    code = "invalid-setting"


class ContractError(HeadwaterError, TypeError):
    """A contract between the framework and a message or handler is broken."""

    code = "contract-error"


class ContractChanged(ContractError):
    """Messages differ from the lock file in a way that breaks stored data or callers. ``changes`` names each one."""

    code = "contract-changed"
    changes: tuple[str, ...]


class HandlerContractError(ContractError):
    """A decider returned what is no event, a command handler domain data, or ``start`` another thing than its state."""

    code = "handler-contract"


class MessageError(HeadwaterError, ValueError):
    """A message could not be read."""

    code = "message-error"


class MalformedMessage(MessageError):
    """The bytes are not JSON."""

    code = "malformed-message"


class FieldError(msgspec.Struct, frozen=True):
    """One fault in a message: a JSON pointer (RFC 6901) and what is wrong there."""

    pointer: str
    detail: str


class InvalidMessage(MessageError):
    """The JSON does not fit the message. ``errors`` holds every fault, each a ``FieldError``."""

    code = "invalid-message"
    name: str
    errors: tuple[FieldError, ...]

    def __init__(self, name: str, errors: tuple[FieldError, ...]) -> None:
        shown = "; ".join(f"{e.pointer or '/'}: {e.detail}" for e in errors)
        super().__init__(f"{name} is not valid: {shown}", name=name, errors=errors)


class UnknownMessage(MessageError, LookupError):
    """No message of that name. ``nearest`` is the closest known name, if any is close; those ``known`` are listed."""

    code = "unknown-message"
    name: str
    nearest: str | None

    def __init__(self, kind: str, name: str, nearest: str | None = None, *, known: Iterable[str] = ()) -> None:
        names = sorted(known)
        more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
        listed = ", ".join(names[:_MOST_LISTED]) + more
        hints = (f"did you mean {nearest}?" if nearest else "", f"there are: {listed}" if listed else "")
        remedy = " ".join(filter(None, hints))
        super().__init__(f"no {kind} is called {name!r}", remedy=remedy, kind=kind, name=name, nearest=nearest)


class UndecodableEvent(MessageError):
    """A stored event does not fit its class, even after upcasting. ``position`` says which event."""

    code = "undecodable-event"


class Refused(HeadwaterError):
    """A business rule refused the command. ``code`` is the rule's own slug, ``fields`` what the caller may need."""

    code = "refused"

    def __init__(self, code: str, message: str = "", **fields: Any) -> None:
        super().__init__(message or code.replace("-", " "))
        self.code = code
        self.fields = fields


class Forbidden(HeadwaterError, PermissionError):
    """The actor may not send this command or ask this query."""

    code = "forbidden"


class ConcurrencyError(HeadwaterError):
    """Others changed the boundary on every try. Nothing was stored; the command may be sent again."""

    code = "concurrency-conflict"
    remedy = "send the command again"


class ExpectationFailed(ConcurrencyError):
    """The boundary is not where it was expected: at ``expected`` (a position, a list, or ``"any"``), but ``actual``."""

    code = "expectation-failed"
    remedy = "read the current state, decide again, and send with its position"


class IdempotencyMismatch(HeadwaterError, ValueError):
    """The idempotency key was already used for a different command."""

    code = "idempotency-mismatch"
    remedy = "use a fresh key for a different command"


class EvolutionError(HeadwaterError, RuntimeError):
    """An aggregate's ``evolve`` failed on a stored event."""

    code = "evolution-error"


class QueryError(HeadwaterError, ValueError):
    """A query asks for something its contract does not offer."""

    code = "query-error"


class UnknownField(QueryError, LookupError):
    """A filter or sort name the contract does not have. ``allowed`` lists the right ones."""

    code = "unknown-field"


class InvalidCursor(QueryError):
    """A page cursor that was damaged or made for another query or sort."""

    code = "invalid-cursor"
    remedy = "start again without a cursor"


class InvalidFilter(QueryError):
    """An operator or value that does not fit its ``field``. ``allowed`` lists the values, where there are few."""

    code = "invalid-filter"


class RowNotFound(QueryError, LookupError):
    """A detail query found no row of its key: ``model`` and ``key``."""

    code = "row-not-found"


class QueryTooExpensive(QueryError):
    """A query would cost more than its limits allow. ``limit`` names which one, ``allowed`` says how much that is."""

    code = "query-too-expensive"
    remedy = "ask for less: filter by indexed fields, or for a smaller page; or declare other Limits for the query"


class QueryTooSlow(QueryTooExpensive, TimeoutError):
    """A query took longer than its limits allow and was broken off. ``allowed`` is in seconds."""

    code = "query-too-slow"


class InvalidAsOf(QueryError):
    """A place in the past that there is not: beyond the log, still to come, or a time without zone."""

    code = "invalid-as-of"


class ReadOnlyViolation(HeadwaterError, PermissionError):
    """A query handler tried to write. Queries never change anything."""

    code = "read-only"
    remedy = "change state with a command, read models with a projection"


class ProjectionError(HeadwaterError, RuntimeError):
    """A projection cannot go on or cannot answer."""

    code = "projection-error"


class ProjectionFailed(ProjectionError):
    """A projection stopped on an event: ``projection``, ``position``, and the cause as ``__cause__``."""

    code = "projection-failed"


class ProjectionPaused(ProjectionError):
    """A projection stands still by order: ``projection``, ``position``."""

    code = "projection-paused"
    remedy = "resume it: headwater projections resume"


class NotParked(ProjectionError, LookupError):
    """There is no such parked sequence, or no more: ``projection``, ``sequence``."""

    code = "not-parked"
    remedy = "see what is parked: headwater parked list"


class ParkedAlone(ProjectionError):
    """An event that was parked alone can no longer be applied in its turn: ``projection``, ``position``."""

    code = "parked-alone"
    remedy = "rebuild the projection, which applies every event in its turn, or discard the event"


class ProjectionStalled(ProjectionError):
    """A projection has work and does not get further: ``projection``, ``position``, ``head``, ``lag_positions``."""

    code = "projection-stalled"
    remedy = "look at `headwater projections list` for what it stumbles over, and whether anybody runs it"


class MissingRow(ProjectionError, LookupError):
    """An event changes a row that is not there."""

    code = "missing-row"
    remedy = "annotate the parameter `row: Row | None` if the row may be absent"


class ProjectionBehind(ProjectionError, TimeoutError):
    """The read model has not reached the wanted position: ``projection``, ``wanted``, ``reached`` (positions)."""

    code = "projection-behind"
    remedy = "ask again shortly, or accept an older answer"
