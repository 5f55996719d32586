"""Reader: how a query handler reads rows. Reads: source.py, cursor.py. Read next: protocol.py.

A reader never changes: each word gives a new one, so a common beginning can be named once.

    open_ones = incidents.where(status="open")
    page = await open_ones.sort("-opened_at").page(PageRequest(size=20))
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from copy import copy
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec
from msgspec.structs import replace

from headwater.errors import ContractError, InvalidFilter, MissingExtra, QueryError
from headwater.limits import refuse_large_page
from headwater.read_models import LARGEST_PAGE, RELEVANCE, Page, PageRequest, ReadModel
from headwater.read_store.cursor import Place, context_of, read_cursor, write_cursor
from headwater.read_store.filters import Condition, Requirement
from headwater.read_store.highlighting import highlights_of
from headwater.read_store.reporting import report_of
from headwater.read_store.searching import Search, search_of
from headwater.read_store.selection import Selection, alternatives_for, conditions_for, order_of, unknown_field
from headwater.read_store.source import RowSource, SqlFace, no_sql
from headwater.read_store.tables import Table, Values
from headwater.read_store.views import Reading, View, reading_of
from headwater.reports import ReportRow

if TYPE_CHECKING:
    from sqlalchemy import Executable
    from sqlalchemy import Table as CoreTable

R = TypeVar("R", bound=ReadModel)
V = TypeVar("V", bound=ReportRow[Any])
_FIRST_PAGE = PageRequest()


class Wanted(msgspec.Struct, frozen=True):
    """What a reader reads: the rows that its words have left, in which order, and what of them."""

    conditions: tuple[Requirement, ...] = ()
    sort: str = RELEVANCE
    search: Search | None = None
    fields: tuple[str, ...] = ()
    highlight: bool = False


EVERYTHING = Wanted()


class Reader(Generic[R]):
    """The rows of one read model, those that the filters leave, in the order asked for (default: by key)."""

    __slots__ = ("_store", "_view", "_what")

    def __init__(self, store: RowSource, view: Table | View, what: Wanted = EVERYTHING) -> None:
        self._store = store
        self._view = view
        self._what = what

    def over(self, store: RowSource) -> Reader[R]:
        """The same reader on another source of the same rows."""
        made = copy(self)
        made._store = store  # noqa: SLF001  a reader of this class
        return made

    # -- what to read

    def where(self, **filters: Any) -> Reader[R]:
        """Only rows that meet all filters: a plain value means "equal"; else ``Range In Prefix Contains Ne AnyOf``.

        A filter that is ``None`` is not applied; see ``IsNull``. Raises ``UnknownField``, ``InvalidFilter``.
        """
        what = self._what
        conditions = what.conditions + conditions_for(self._view, filters)
        return Reader(self._store, self._view, Wanted(conditions, what.sort, what.search, what.fields, what.highlight))

    def where_any(self, **filters: Any) -> Reader[R]:
        """Only rows that meet at least one of the filters. Raises ``UnknownField``, ``InvalidFilter``."""
        return self._with(conditions=self._what.conditions + alternatives_for(self._view, filters))

    def search(self, text: str | None, *, highlight: bool = False) -> Reader[R]:
        """Only rows with all these words in their ``Searchable`` fields, best first unless ``sort`` says otherwise.

        ``pri*`` is a beginning, ``"paper jam"`` words in a row, ``-toner`` must be absent. Blank text searches nothing.
        With ``highlight`` a page says where the words were found. Raises ``InvalidFilter``.
        """
        if not self._view.searched:
            name = self._view.model.__name__
            raise InvalidFilter(f"{name} has no field to search", remedy="mark one: Annotated[str, Searchable()]")
        found = None if text is None else search_of(text, self._view.language)
        return self if found is None else self._with(search=found, highlight=highlight)

    def sort(self, sort: str) -> Reader[R]:
        """In this order: ``"-opened_at,priority"``, or ``"relevance"``. Raises ``UnknownField``, ``InvalidFilter``."""
        given: Any = sort
        if not isinstance(given, str):
            raise ContractError(f"rows are sorted by text as '-opened_at,priority', not by {sort!r}")
        order_of(self._view, sort)  # says at once what is wrong with it
        what = self._what
        return Reader(self._store, self._view, Wanted(what.conditions, sort, what.search, what.fields, what.highlight))

    def only(self, *fields: str) -> Reader[R]:
        """Only these fields are read; the others of each row are ``msgspec.UNSET``, and absent in JSON.

        Raises ``UnknownField``.
        """
        known = self._view.model.__struct_fields__
        for name in fields:
            if name not in known:
                raise unknown_field(self._view.model.__name__, name, "read", *known)
        return self._with(fields=tuple(dict.fromkeys(fields)))

    # -- reading

    async def get(self, key: Any) -> R | None:
        """The row of that key (a tuple for a key of several fields), whatever the filters. Raises ``InvalidFilter``."""
        view = self._view
        if isinstance(view, Table) and not self._what.fields:
            row: R | None = await self._store.get(view, view.bound_key(key))
            return row
        table = self._base()
        bound = table.bound_key(key)
        parts = bound if bound.__class__ is tuple else (bound,)
        same = tuple(Condition(column, "eq", (part,)) for column, part in zip(table.keys, parts, strict=True))
        return await self._with(conditions=same, sort="", search=None).first()

    async def page(self, request: PageRequest = _FIRST_PAGE) -> Page[R]:
        """One page, with the cursors of its neighbours. Raises ``InvalidCursor``, ``InvalidFilter``."""
        given: Any = request
        if not isinstance(given, PageRequest):
            raise ContractError(f"a page is asked for by PageRequest(size=...), not by {request!r}")
        if not 1 <= request.size <= LARGEST_PAGE:
            raise InvalidFilter(f"a page has 1 to {LARGEST_PAGE} rows, not {request.size}", field="size")
        refuse_large_page(request.size)
        whole = self._selection()
        context = context_of(whole)
        key = self._store.cursor_key
        place = read_cursor(key, context, request.cursor) if request.cursor is not None else None
        found = await self._store.select(_from(whole, place, request.size + 1))
        more = len(found) > request.size
        del found[request.size :]
        backwards = place is not None and place.backwards
        if backwards:
            found.reverse()
        following = bool(found) and (more or backwards)
        preceding = bool(found) and (more if backwards else place is not None)
        ahead = write_cursor(key, context, _place_of(whole, found[-1]), backwards=False) if following else None
        behind = write_cursor(key, context, _place_of(whole, found[0]), backwards=True) if preceding else None
        total = await self._store.count(whole) if request.total else None
        rows = [row for row, _ in found] if _is_placed(whole) else found
        return Page(rows, ahead, behind, total, self._highlights(rows) if self._what.highlight else msgspec.UNSET)

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
        if self._what.search is not None or isinstance(self._view, View):
            raise InvalidFilter(
                "a report is about rows as they are stored, without a search, and without others beside"
            )
        report = report_of(row, self._view, zone)
        return report.rows(await self._store.summarise(report.summary(self._what.conditions)), sort, limit)

    # -- with SQL of your own

    @property
    def table(self) -> CoreTable:
        """The read model as a table of SQLAlchemy Core, whose columns take and give the model's values.

        Raises ``MissingExtra`` without the extra ``[sqlalchemy]``, ``QueryError`` for read models in memory.
        """
        made: CoreTable = _core().core_table(self._base(), self._face())
        return made

    async def select(self, statement: Executable) -> list[Any]:
        """The rows of a SQLAlchemy statement as named tuples, read as everything here is: on a read-only connection.

        The statement stands for itself: what ``where`` and ``sort`` said does not apply to it. Raises
        ``ReadOnlyViolation`` for one that writes, ``InvalidFilter`` for a value that fits no field, ``QueryError``.
        """
        rows: list[Any] = await _core().select_on(self._store, self._face(), statement)
        return rows

    async def select_rows(self, statement: Executable) -> list[R]:
        """Like ``select``, for a statement that selects this model's table: its rows as rows of the model."""
        if isinstance(self._view, View):
            remedy = "take named tuples with select()"
            raise QueryError(f"rows of {self._view.model.__name__} have others beside their own", remedy=remedy)
        rows: list[R] = await _core().select_rows_on(self._store, self._face(), statement, self._view)
        return rows

    def _base(self) -> Table:
        return self._view if isinstance(self._view, Table) else self._view.table

    def _face(self) -> SqlFace:
        face = self._store.sql_face
        if face is None:
            raise no_sql()
        return face

    # -- inside

    def _with(self, **changes: Any) -> Reader[R]:
        return Reader(self._store, self._view, replace(self._what, **changes))

    def _selection(self, limit: int | None = None) -> Selection:
        view, what = self._view, self._what
        order = order_of(view, what.sort, what.search is not None)
        if isinstance(view, Table):
            some = reading_of(view, what.fields) if what.fields else None
            return Selection(view, what.conditions, order, None, limit, what.search, (), some)
        reading = reading_of(view, what.fields) if what.fields else view.reading
        return Selection(view.table, what.conditions, order, None, limit, what.search, view.joins, reading)

    def _highlights(self, rows: list[R]) -> list[dict[str, str]]:
        view, search = self._view, self._what.search
        if search is None:
            return [{} for _ in rows]
        return [highlights_of(row, view.searched, view.language, search) for row in rows]


def _core() -> ModuleType:
    """The module that needs SQLAlchemy. Raises ``MissingExtra``."""
    try:
        return import_module("headwater.read_store.core_tables")
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "sqlalchemy":
            raise
        raise MissingExtra("sqlalchemy", "SQLAlchemy", "a read model as a table of SQLAlchemy") from error


def _from(whole: Selection, place: Place | None, limit: int) -> Selection:
    """The part of a selection that begins at a place; backwards, in the reversed order."""
    order = whole.order
    if place is not None and place.backwards:
        order = tuple(term.reversed() for term in order)
    after = None if place is None else place.values
    reading = whole.reading
    if _is_placed(whole):  # a row may lack what its place consists of
        if reading is None:
            reading = Reading(tuple(column.name for column in whole.table.columns), whole.table.row_of)
        reading = reading.placed(term.column.order_name for term in whole.order)
    return Selection(whole.table, whole.conditions, order, after, limit, whole.search, whole.joins, reading)


def _is_placed(whole: Selection) -> bool:
    return whole.reading is not None or whole.search is not None


def _place_of(whole: Selection, found: Any) -> Values:
    if _is_placed(whole):
        place: Values = found[1]
        return place
    return tuple([term.column.comparable(getattr(found, term.column.name)) for term in whole.order])
