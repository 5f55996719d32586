"""What answering one query may cost. Reads: errors.py. Read next: messages.py (``limits=``), queries/asking.py.

The allowance of the query that is being answered goes along with its task, so that everything it reads counts: through
readers, reports and statements of its own. What reads outside a query has no limits.
"""

from __future__ import annotations

from contextvars import ContextVar
from time import monotonic

import msgspec

from headwater.errors import ContractError, QueryTooExpensive, QueryTooSlow, ReadOnlyViolation


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of a query: ``class FindIncidents(ListQuery[...], limits=Limits(seconds=2))``; ``None`` means no bound.

    A page has at most ``page_size`` rows. All that is read takes ``seconds`` at most, then the database is told to stop
    (``QueryTooSlow``). ``rows_scanned`` are looked at in memory and SQLite at most, which counts them in tens of
    thousands; PostgreSQL asks its planner first, whose estimate must not be above ``cost`` (``QueryTooExpensive``).
    """

    page_size: int | None = 1_000
    seconds: float | None = 30.0
    rows_scanned: int | None = 10_000_000
    cost: float | None = 5_000_000.0

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            bound = getattr(self, name)
            if bound is not None and not (is_seconds(bound) and bound > 0):
                raise ContractError(f"Limits: {name} is above 0, or None for no bound, not {bound!r}")


def is_seconds(value: object) -> bool:
    """Whether it is a number from 0, as times and bounds are."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


DEFAULT_LIMITS = Limits()


class Allowance(msgspec.Struct):
    """What is left of a query's limits; ``is_own`` if the query itself declares them.

    Time runs from the first read that takes long: most queries have none, and need not look at the clock.
    """

    limits: Limits
    is_own: bool = False
    scanned: int = 0
    deadline: float | None = None

    def seconds_left(self) -> float | None:
        """How long it may still take; ``None`` for as long as it likes. Raises ``QueryTooSlow`` if no time is left."""
        if self.limits.seconds is None:
            return None
        now = monotonic()
        if self.deadline is None:
            self.deadline = now + self.limits.seconds
        left = self.deadline - now
        if left <= 0:
            raise self.too_slow()
        return left

    def scan(self, rows: int) -> None:
        """Take so many rows as looked at. Raises ``QueryTooExpensive`` if these are too many."""
        self.scanned += rows
        allowed = self.limits.rows_scanned
        if allowed is not None and self.scanned > allowed:
            what = f"the query would look at more than {allowed:,} rows"
            raise QueryTooExpensive(what, limit="rows_scanned", allowed=allowed)

    def pay(self, cost: float) -> None:
        """Compare what a planner says of a statement. Raises ``QueryTooExpensive``."""
        allowed = self.limits.cost
        if allowed is not None and cost > allowed:
            what = f"the query would cost {cost:,.0f} by the planner's estimate, and {allowed:,.0f} is allowed"
            raise QueryTooExpensive(what, limit="cost", allowed=allowed, estimate=cost)

    def too_slow(self) -> QueryTooSlow:
        """The error for what has taken too long."""
        allowed = self.limits.seconds
        return QueryTooSlow(f"the query took longer than {allowed} s", limit="seconds", allowed=allowed)


class Terms(msgspec.Struct, frozen=True):
    """Whose limits hold: ``is_own`` if the query itself declares them."""

    limits: Limits
    is_own: bool = False


_CURRENT: ContextVar[Terms | Allowance | None] = ContextVar("headwater_allowance", default=None)

begin_query = _CURRENT.set
"""Begin to answer a query on these terms (or with an allowance); the token it gives is for ``end_query``."""
end_query = _CURRENT.reset
"""Back to what was before."""


def current_allowance() -> Allowance | None:
    """The allowance of the query that this task answers, made when first asked for; ``None`` outside of a query."""
    found = _CURRENT.get()
    if isinstance(found, Terms):
        found = Allowance(found.limits, found.is_own)
        _CURRENT.set(found)
    return found


def refuse_to_act() -> None:
    """Raise ``ReadOnlyViolation`` if a query is being answered here: whatever it was given, it changes nothing."""
    if _CURRENT.get() is not None:
        raise ReadOnlyViolation("a query handler sent a command")


def refuse_large_page(size: int) -> None:
    """Raise ``QueryTooExpensive`` if the query that this task answers may have no page of that size."""
    found = _CURRENT.get()
    allowed = None if found is None else found.limits.page_size
    if allowed is not None and size > allowed:
        what = f"a page of this query has at most {allowed} rows, not {size}"
        raise QueryTooExpensive(what, limit="page_size", allowed=allowed)
