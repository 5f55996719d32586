"""What goes wrong with rows, and whose fault it is. Reads: errors.py. Read next: row_pool.py."""

from __future__ import annotations

from typing import Literal, TypeAlias

from headwater.backends.postgres.errors import store_error
from headwater.errors import HeadwaterError, ProjectionError, QueryError, QueryTooSlow, ReadOnlyViolation

Blame: TypeAlias = Literal["store", "rows", "query"]
"""Who is to blame if the server refuses a value or a statement: nobody here, the projection, or the query."""

_READ_ONLY, _FORBIDDEN, _CANCELLED = "25006", "42501", "57014"
_UNFIT = {"22", "23", "54"}
_REFUSED = {"0A", "21", "22", "42"}


def row_error(error: Exception, place: str, blame: Blame, *, committing: bool = False) -> Exception:
    """The domain error for what driver or network raised while rows were read or written; all else stays as it is."""
    if isinstance(error, HeadwaterError) or not _is_foreign(error):
        return error
    state = str(getattr(error, "sqlstate", None) or "")
    if state == _READ_ONLY and blame != "rows":
        return ReadOnlyViolation("a query tried to write to the read store", sqlstate=state)
    if state == _CANCELLED and blame != "rows":
        what = "the server broke the query off, because it ran longer than the read store's statement_timeout"
        return QueryTooSlow(what, limit="statement_timeout", sqlstate=state)
    if blame == "rows" and state[:2] in _UNFIT:
        return ProjectionError(f"a row does not fit its table: {error}", sqlstate=state)
    if blame == "query" and state[:2] in _REFUSED and state != _FORBIDDEN:
        return QueryError(f"the server refused the query: {error}", sqlstate=state)
    return store_error(error, place, committing=committing)


def _is_foreign(error: Exception) -> bool:
    return isinstance(error, OSError) or type(error).__module__.startswith("asyncpg.")
