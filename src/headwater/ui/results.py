"""An answer as it is shown: a table with its order and its neighbours, or a record with its parts.

Reads: cells.py, sitemap.py. Read next: asked.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from msgspec import UNSET

from headwater.annotations import has_members, is_below
from headwater.plain import is_array
from headwater.read_models import Page, ReadModel
from headwater.read_store.highlighting import highlights_of
from headwater.read_store.searching import search_of
from headwater.read_store.tables import Table as StoredTable
from headwater.read_store.views import base_of
from headwater.ui.cells import Cells, Labelled, Table, is_plain, shape_of
from headwater.ui.names import Labels
from headwater.ui.sitemap import Listing

_COLUMNS = 8


class Order(Protocol):
    """What rows are searched for, how they are sorted, and where they are in another order or from another place on."""

    @property
    def sort(self) -> str:
        """The names of fields, with a minus sign where they descend."""
        ...

    @property
    def searched(self) -> str:
        """The words that are searched for; empty if none are."""
        ...

    def link(self, *left_out: str, **changes: object) -> str:
        """The same address without some names, and with others."""
        ...


class Heading(msgspec.Struct, frozen=True):
    """A column's head: where a click leads (if it can be sorted by), and how the table is sorted by it now."""

    name: str
    label: str
    is_number: bool
    href: str | None
    order: str
    place: int


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to see: rows in a table, or the fields of a record, single ones before those with parts."""

    table: Table | None = None
    headings: tuple[Heading, ...] = ()
    fields: tuple[Labelled, ...] = ()
    parts: tuple[Labelled, ...] = ()
    count: int = 0
    total: int | None = None
    next: str | None = None
    previous: str | None = None


def default_columns(listing: Listing) -> list[str]:
    """The first fields of a row that hold single values: as many as fit a screen."""
    plain = [name for name, hint in shape_of(listing.row) if is_plain(hint)] if has_members(listing.row) else []
    return plain[:_COLUMNS] if listing.kind == "list" else plain


def results_of(
    listing: Listing, value: Any, cells: Cells, labels: Labels, columns: Sequence[str], asked: Order
) -> Results:
    """Make what is shown of an answer."""
    if listing.kind == "list":
        return _page(listing, value, cells, columns, asked)
    if is_array(value) and has_members(listing.row):
        table = cells.table(value, listing.row, columns)
        return Results(table=table, headings=_headings(table, listing, asked), count=len(value))
    if has_members(type(value)):
        record = cells.record(value)
        fields = tuple(each for each in record if each.cell.kind not in {"record", "table"})
        return Results(fields=fields, parts=tuple(each for each in record if each.cell.kind in {"record", "table"}))
    return Results(fields=(Labelled("", labels.of("answer"), cells.of(value)),))


def _page(listing: Listing, page: Page[Any], cells: Cells, columns: Sequence[str], asked: Order) -> Results:
    marked = found_words(listing, page.items, asked.searched) if page.highlights is UNSET else page.highlights
    table = cells.table(page.items, listing.row, columns, marked)
    return Results(
        table=table,
        headings=_headings(table, listing, asked),
        count=len(page.items),
        total=page.total,
        next=None if page.next is None else asked.link(**{"page.cursor": page.next}),
        previous=None if page.previous is None else asked.link(**{"page.cursor": page.previous}),
    )


def found_words(listing: Listing, rows: Sequence[Any], text: str) -> list[dict[str, str]]:
    """By row and field, where the words of a search stand: for queries that do not say so themselves."""
    if not text or not is_below(listing.row, ReadModel):
        return []
    table = StoredTable(listing.row.__name__, 1, base_of(listing.row))
    search = search_of(text, table.language)
    return [] if search is None else [highlights_of(row, table.searched, table.language, search) for row in rows]


def _headings(table: Table, listing: Listing, asked: Order) -> tuple[Heading, ...]:
    words = [word.strip() for word in asked.sort.split(",") if word.strip()]
    orders = {word.lstrip("+-"): ("descending" if word.startswith("-") else "ascending") for word in words}
    places = {word.lstrip("+-"): place for place, word in enumerate(words, 1)}
    found: list[Heading] = []
    for column in table.columns:
        href = None
        order = orders.get(column.name, "none")
        if column.name in listing.sortable:
            ascending = order == "ascending" and places[column.name] == 1
            href = asked.link("page.cursor", sort=f"-{column.name}" if ascending else column.name)
        found.append(Heading(column.name, column.label, column.is_number, href, order, places.get(column.name, 0)))
    return tuple(found)
