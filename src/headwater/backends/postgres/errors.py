"""Driver errors become domain errors here, by SQLSTATE. Reads: headwater.errors. Read next: connection.py.

Source: the PostgreSQL manual, appendix A. A message is in the server's language: it may be shown, but nothing depends
on its text.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from headwater.errors import (
    OutcomeUnknown,
    SchemaOutdated,
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreFull,
    StoreIOError,
    StoreReadOnly,
)

UNIQUE_VIOLATION = "23505"
WRONG_ISOLATION = "HW001"

_RETRY = "retry; if it lasts, look at the server's locks and connections"
_PRIMARY = "give the URL of the primary (read_url names a replica), or look at default_transaction_read_only"
_CROWDED = "give smaller pools in the URL, or raise max_connections"
_TIMEOUTS = "retry; if it lasts, look at statement_timeout and at what the server is busy with"
_GRANT = "grant the role what it needs, or connect as another one"
_BACKUP = "restore it from a backup"
_POOLER = "behind a pooler add statement_cache_size=0 to the URL"
_ADDRESS = "check the database, the user and the password in the URL"
_ISOLATION = "set default_transaction_isolation to 'read committed'"
_KINDS: dict[str, tuple[type[StoreError], str, str]] = {
    "53100": (StoreFull, "the server of {} has no space left", ""),
    "25006": (StoreReadOnly, "{} cannot be written", _PRIMARY),
    "42501": (StoreReadOnly, "the role may not do that in {}", _GRANT),
    **dict.fromkeys(("3F000", "42P01", "42883"), (SchemaOutdated, "{} lacks a part of the schema", "")),
    **dict.fromkeys(("40001", "40P01", "53200", "55P03", "57P03"), (StoreBusy, "the server of {} is busy", _RETRY)),
    "53300": (StoreBusy, "the server of {} has no connection left", _CROWDED),
    "57014": (StoreBusy, "the server of {} broke the statement off", _TIMEOUTS),
    **dict.fromkeys(("XX001", "XX002"), (StoreCorrupt, "{} is damaged", _BACKUP)),
    **dict.fromkeys(("3D000", "28000", "28P01"), (StoreIOError, "{} cannot be opened", _ADDRESS)),
    **dict.fromkeys(("26000", "42P05"), (StoreIOError, "{} has forgotten a prepared statement", _POOLER)),
    WRONG_ISOLATION: (StoreIOError, "{} has another isolation level than appends need", _ISOLATION),
}
_GONE = {"57P01", "57P02", "57P05"}


def store_error(error: BaseException, place: str, *, committing: bool = False) -> StoreError:
    """The domain error for what the driver or the network raised while working on ``place`` (without a password).

    ``committing`` says that a statement that commits was sent: if the connection then is lost, or the server ends it,
    the commit may or may not have happened. An error that the server answers with means that it rolled back.
    """
    if isinstance(error, StoreError):
        return error
    made = _by_state(getattr(error, "sqlstate", None), error, place, committing=committing)
    made.__cause__ = error
    return made


@contextmanager
def translated(place: str, *, committing: bool = False) -> Generator[None, None, None]:
    """Raise the domain error for every driver error in the block."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        raise store_error(error, place, committing=committing) from error


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, or in a state that nobody knows: then it must not be used again."""
    state = getattr(error, "sqlstate", None)
    return state is None or state[:2] == "08" or state in _GONE


def _by_state(state: str | None, error: BaseException, place: str, *, committing: bool) -> StoreError:
    facts: dict[str, Any] = {"place": place, "sqlstate": state}
    if state is None or is_lost(error):
        return _of_connection(error, facts, committing=committing)
    otherwise = (StoreIOError, f"{{}} failed with SQLSTATE {state}", "look into the server's log")
    kind, text, remedy = _KINDS.get(state, otherwise)
    return kind(f"{text.format(place)}: {_words(error)}", remedy=remedy, **facts)


def _of_connection(error: BaseException, facts: dict[str, Any], *, committing: bool) -> StoreError:
    place = facts["place"]
    if committing:
        return OutcomeUnknown(f"the connection to {place} was lost while committing", **facts)
    if isinstance(error, TimeoutError):
        remedy = "check the network and the server's locks, or give a longer timeout"
        return StoreBusy(f"{place} did not answer in time", remedy=remedy, **facts)
    remedy = "check the URL, the server and the network"
    what = f"the connection to {place} failed: {type(error).__name__}: {_words(error)}"
    return StoreIOError(what, remedy=remedy, **facts)


def _words(error: BaseException) -> str:
    """The first line of what driver or server say, without the details, which may hold values."""
    return str(getattr(error, "message", None) or error).partition("\n")[0]
