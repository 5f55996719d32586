"""Reader: how a query handler reads rows. Reads: source.py, cursor.py. Read next: protocol.py.

A reader never changes: each word gives a new one, so a common beginning can be named once.

    open_ones = incidents.where(status="open")
    page = await open_ones.sort("-opened_at").page(PageRequest(size=20))
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any, Generic, TypeVar

from headwater.errors import InvalidFilter
from headwater.read_models import LARGEST_PAGE, Page, PageRequest, ReadModel
from headwater.read_store.cursor import Place, context_of, read_cursor, write_cursor
from headwater.read_store.filters import Condition
from headwater.read_store.reporting import report_of
from headwater.read_store.selection import Selection, Term, conditions_for, order_of
from headwater.read_store.source import RowSource
from headwater.read_store.tables import Table, Values
from headwater.reports import ReportRow

R = TypeVar("R", bound=ReadModel)
V = TypeVar("V", bound=ReportRow[Any])
_FIRST_PAGE = PageRequest()


class Reader(Generic[R]):
    """The rows of one read model, those that the filters leave, in the order asked for (default: by key)."""

    __slots__ = ("_conditions", "_order", "_store", "_table")

    def __init__(
        self,
        store: RowSource,
        table: Table,
        conditions: tuple[Condition, ...] = (),
        order: tuple[Term, ...] = (),
    ) -> None:
        self._store = store
        self._table = table
        self._conditions = conditions
        self._order = order

    # -- what to read

    def where(self, **filters: Any) -> Reader[R]:
        """Only rows that meet all filters: a plain value means "equal"; see ``Range In Prefix Contains IsNull``.

        A filter that is ``None`` is not applied. Raises ``UnknownField``, ``InvalidFilter``.
        """
        return Reader(self._store, self._table, self._conditions + conditions_for(self._table, filters), self._order)

    def sort(self, sort: str) -> Reader[R]:
        """In this order: ``"-opened_at,priority"``. Raises ``UnknownField``, ``InvalidFilter``."""
        return Reader(self._store, self._table, self._conditions, order_of(self._table, sort))

    # -- reading

    async def get(self, key: Any) -> R | None:
        """The row of that key (a tuple for a key of several fields), whatever the filters. Raises ``InvalidFilter``."""
        row: R | None = await self._store.get(self._table, self._table.bound_key(key))
        return row

    async def page(self, request: PageRequest = _FIRST_PAGE) -> Page[R]:
        """One page, with the cursors of its neighbours. Raises ``InvalidCursor``, ``InvalidFilter``."""
        if not 1 <= request.size <= LARGEST_PAGE:
            raise InvalidFilter(f"a page has 1 to {LARGEST_PAGE} rows, not {request.size}", field="size")
        whole = self._selection()
        context = context_of(whole)
        key = self._store.cursor_key
        place = read_cursor(key, context, request.cursor) if request.cursor is not None else None
        rows = await self._store.select(_from(whole, place, request.size + 1))
        more = len(rows) > request.size
        del rows[request.size :]
        backwards = place is not None and place.backwards
        if backwards:
            rows.reverse()
        following = bool(rows) and (more or backwards)
        preceding = bool(rows) and (more if backwards else place is not None)
        return Page(
            rows,
            write_cursor(key, context, _sort_values(whole, rows[-1]), backwards=False) if following else None,
            write_cursor(key, context, _sort_values(whole, rows[0]), backwards=True) if preceding else None,
            await self._store.count(whole) if request.total else None,
        )

    async def count(self) -> int:
        """How many rows there are."""
        return await self._store.count(self._selection())

    async def first(self) -> R | None:
        """The first row, ``None`` if there is none."""
        rows: list[R] = await self._store.select(self._selection(limit=1))
        return rows[0] if rows else None

    async def all(self, limit: int = LARGEST_PAGE) -> list[R]:
        """The rows, at most ``limit`` of them. For more, or for all, there is ``stream``."""
        if limit < 0:
            raise InvalidFilter(f"a limit is not negative, as {limit} is", field="limit")
        rows: list[R] = await self._store.select(self._selection(limit=limit))
        return rows

    def stream(self) -> AsyncGenerator[R, None]:
        """All rows, ``async for row in reader.stream()``, from one snapshot and a bounded number in memory at a time.

        Who stops half way should close it (``contextlib.aclosing``), so that the snapshot is let go at once.
        """
        return self._store.stream(self._selection())

    async def report(
        self, row: type[V], *, sort: str = "", limit: int = LARGEST_PAGE, zone: str | None = None
    ) -> list[V]:
        """Figures over the rows, one ``row`` for each group, in the order of its own fields (default: by group).

        ``zone`` names the time zone of groups that name none (default: UTC). Raises ``ContractError`` if the class does
        not fit the read model, ``UnknownField``, ``InvalidFilter``, ``QueryError`` for more than 100,000 groups.
        """
        report = report_of(row, self._table, zone)
        return report.rows(await self._store.summarise(report.summary(self._conditions)), sort, limit)

    def _selection(self, limit: int | None = None) -> Selection:
        order = self._order or order_of(self._table, "")
        return Selection(table=self._table, conditions=self._conditions, order=order, limit=limit)


def _from(whole: Selection, place: Place | None, limit: int) -> Selection:
    """The part of a selection that begins at a place; backwards, in the reversed order."""
    order = whole.order
    if place is not None and place.backwards:
        order = tuple(term.reversed() for term in order)
    after = None if place is None else place.values
    return Selection(table=whole.table, conditions=whole.conditions, order=order, after=after, limit=limit)


def _sort_values(whole: Selection, row: Any) -> Values:
    return tuple(term.column.comparable(getattr(row, term.column.name)) for term in whole.order)
