"""A value as people read it: a text, a number, a time, a record, a table. Reads: names.py. Read next: sitemap.py.

What it is decides how it is shown; every text goes through the template's escaping.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from html import unescape
from typing import Any, Literal, TypeAlias
from uuid import UUID

import msgspec
from msgspec import UNSET

from headwater.annotations import UNRESOLVED, class_of, has_members, is_below, members, options
from headwater.plain import is_array, is_mapping_value
from headwater.ui.names import Labels

CellKind: TypeAlias = Literal["chip", "flag", "list", "marked", "none", "number", "record", "table", "text", "time"]
Link: TypeAlias = Callable[[Any], "str | None"]
"""Where the page of a row is, if it has one."""

_BYTES_SHOWN = 24
_MARK = re.compile(r"</?mark>")
_UNMARKED: Mapping[str, str] = {}


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One value: its kind, its text, and a machine's form of it (``exact``); ``href`` is where it leads.

    A list has cells inside, a record fields, a table a table; of a marked text each second part is marked.
    """

    kind: CellKind
    text: str = ""
    exact: str = ""
    href: str | None = None
    cells: tuple[Cell, ...] = ()
    parts: tuple[str, ...] = ()
    fields: tuple[Labelled, ...] = ()
    table: Table | None = None


class Labelled(msgspec.Struct, frozen=True):
    """A cell with what it is called."""

    name: str
    label: str
    cell: Cell


class Column(msgspec.Struct, frozen=True):
    """A column of a table; those with numbers are set to the right."""

    name: str
    label: str
    is_number: bool = False


class Table(msgspec.Struct, frozen=True):
    """Columns, and a cell of each for every row."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


class Cells:
    """Makes cells with the labels of one page, and links to the pages of rows."""

    def __init__(self, labels: Labels, link: Link) -> None:
        self._labels = labels
        self._link = link

    def of(self, value: Any, hint: Any = Any) -> Cell:
        """The cell of a value; the type says whether a text is one of a few."""
        single = _single(value, hint)
        if single is not None:
            return single
        if has_members(type(value)):
            return Cell(kind="record", fields=self.record(value), href=self._link(value))
        if is_mapping_value(value):
            return Cell(kind="record", fields=tuple(Labelled(str(k), str(k), self.of(v)) for k, v in value.items()))
        if is_array(value):
            return self._listed(value)
        if is_below(type(value), set, frozenset):
            return self._listed(sorted(value, key=str))
        return Cell(kind="text", text=str(value))

    def record(self, value: Any) -> tuple[Labelled, ...]:
        """The fields of a struct that hold something or nothing; what was not asked for is left out."""
        shown = ((name, getattr(value, name), hint) for name, hint in shape_of(type(value)))
        return tuple(
            Labelled(name, self._labels.of(name), self.of(inner, hint))
            for name, inner, hint in shown
            if inner is not UNSET
        )

    def table(
        self, rows: Sequence[Any], kind: Any, names: Sequence[str] = (), marked: Sequence[Mapping[str, str]] = ()
    ) -> Table:
        """The rows of a class as a table of these fields, else of all; the first one leads to a row's page.

        ``marked`` says for each row, by field, in which part of the text a search found its words.
        """
        shape = dict(shape_of(kind))
        chosen = [name for name in names if name in shape] or list(shape)
        columns = tuple(Column(name, self._labels.of(name), is_number=is_number(shape[name])) for name in chosen)
        found = [*marked, *[_UNMARKED] * (len(rows) - len(marked))]
        return Table(columns, tuple(self._row(row, chosen, shape, told) for row, told in zip(rows, found, strict=True)))

    def _row(
        self, row: Any, chosen: Sequence[str], shape: dict[str, Any], marked: Mapping[str, str]
    ) -> tuple[Cell, ...]:
        cells = [
            Cell(kind="marked", parts=marked_parts(marked[name]))
            if name in marked
            else self.of(getattr(row, name, UNSET), shape[name])
            for name in chosen
        ]
        href = self._link(row)
        if href is not None and cells:
            cells[0] = msgspec.structs.replace(cells[0], href=href)
        return tuple(cells)

    def _listed(self, values: Sequence[Any]) -> Cell:
        if not values:
            return Cell(kind="none")
        if has_members(type(values[0])) and len(set(map(type, values))) == 1:
            return Cell(kind="table", table=self.table(values, type(values[0])))
        return Cell(kind="list", cells=tuple(map(self.of, values)))


def shape_of(kind: Any) -> tuple[tuple[str, Any], ...]:
    """The names and types of a class's fields, in order."""
    return _shape(kind)


@lru_cache(maxsize=512)
def _shape(kind: Any) -> tuple[tuple[str, Any], ...]:
    try:
        return tuple(members(kind))
    except UNRESOLVED:
        listed = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
        return tuple((field.name, Any) for field in listed)


def marked_parts(highlight: str) -> tuple[str, ...]:
    """A highlight as plain texts, each second one marked: it is escaped anew, whoever made it.

    >>> marked_parts("a &amp; <mark>b</mark>")
    ('a & ', 'b', '')
    """
    return tuple(map(unescape, _MARK.split(highlight)))


def is_number(hint: Any) -> bool:
    """Whether a field holds numbers, which are set to the right."""
    return _all(hint, lambda each: is_below(each, int, float, Decimal) and each is not bool)


def is_plain(hint: Any) -> bool:
    """Whether a field holds one value, rather than others inside."""
    return _all(
        hint, lambda each: is_below(each, str, int, float, Decimal, date, time, timedelta, Enum) or each is Literal
    )


def _is_one_of(hint: Any) -> bool:
    return _all(hint, lambda each: each is Literal)


def _all(hint: Any, test: Callable[[Any], bool]) -> bool:
    alternatives: Iterable[Any] = options(hint)
    return all(test(class_of(each)) for each in alternatives)


def _single(value: Any, hint: Any) -> Cell | None:
    """The cell of a single value; ``None`` for one that has others inside."""
    if value is None or value is UNSET:
        return Cell(kind="none")
    if isinstance(value, bool):
        return Cell(kind="flag", text="Yes" if value else "No", exact="true" if value else "false")
    if isinstance(value, Enum):
        return Cell(kind="chip", text=str(value.value))
    if isinstance(value, str | UUID):
        return Cell(kind="chip" if _is_one_of(hint) else "text", text=str(value))
    if isinstance(value, int | float | Decimal | timedelta):
        return Cell(kind="number", text=str(value))
    if isinstance(value, datetime | date | time):
        return Cell(kind="time", text=_moment(value), exact=value.isoformat())
    if isinstance(value, bytes):
        shown = value[:_BYTES_SHOWN].hex()
        return Cell(kind="text", text=f"{shown}…" if len(value) > _BYTES_SHOWN else shown)
    return None


def _moment(value: datetime | date | time) -> str:
    """A time as people write it, in UTC where its zone is known."""
    if not isinstance(value, datetime):
        return value.isoformat()
    whole = value if value.tzinfo is None else value.astimezone(UTC)
    text = whole.replace(tzinfo=None).isoformat(" ", "seconds" if whole.second else "minutes")
    return f"{text} UTC" if value.tzinfo else text
