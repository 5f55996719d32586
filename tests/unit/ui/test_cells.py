from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import pytest
from msgspec import UNSET
from tests.unit.ui.shop import Colour, Line

from headwater.ui.cells import Cells, marked_parts
from headwater.ui.names import Labels

CELLS = Cells(Labels({}), lambda row: f"/{row.sku}" if isinstance(row, Line) else None)


@dataclass
class Point:
    x: int
    y: float


@pytest.mark.parametrize(
    ("value", "hint", "kind", "text"),
    [
        (None, Any, "none", ""),
        (UNSET, Any, "none", ""),
        (True, bool, "flag", "Yes"),
        (Colour.RED, Colour, "chip", "red"),
        ("open", Literal["open"], "chip", "open"),
        ("open", str, "text", "open"),
        (UUID(int=0), UUID, "text", "00000000-0000-0000-0000-000000000000"),
        (7, int, "number", "7"),
        (Decimal("1.50"), Decimal, "number", "1.50"),
        (timedelta(minutes=90), timedelta, "number", "1:30:00"),
        (datetime(2026, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=2))), datetime, "time", "2026-01-02 01:04 UTC"),
        (datetime.fromisoformat("2026-01-02T03:04:05"), datetime, "time", "2026-01-02 03:04:05"),
        (date(2026, 1, 2), date, "time", "2026-01-02"),
        (time(3, 4), time, "time", "03:04:00"),
        (b"ab", bytes, "text", "6162"),
        (b"x" * 30, bytes, "text", "78" * 24 + "…"),
        ([], list, "none", ""),
        ({3, 1}, set, "list", ""),
        (1j, complex, "text", "1j"),
    ],
)
def test_a_value_is_shown_as_what_it_is(value, hint, kind, text):
    """Texts of a few, times with their zone, numbers to the right."""
    cell = CELLS.of(value, hint)

    assert (cell.kind, cell.text) == (kind, text)


def test_a_moment_keeps_its_exact_form_for_machines():
    """As an attribute of the element."""
    assert CELLS.of(datetime(2026, 1, 2, tzinfo=UTC)).exact == "2026-01-02T00:00:00+00:00"


def test_structs_inside_are_records_and_several_are_tables():
    """Of any kind that has members."""
    assert [each.label for each in CELLS.of(Point(1, 2.5)).fields] == ["X", "Y"]
    table = CELLS.of([Line(sku="a"), Line(sku="b")]).table
    assert [column.label for column in table.columns] == ["Sku", "Count", "Gift"]
    assert [row[0].href for row in table.rows] == ["/a", "/b"]
    assert [cell.kind for cell in CELLS.of([Line(sku="a"), 1]).cells] == ["record", "number"]


def test_a_highlight_is_taken_apart_and_trusted_with_nothing():
    """Whatever stands in it besides the marks becomes text."""
    assert marked_parts("a &lt;b&gt; <mark>c</mark> <script>") == ("a <b> ", "c", " <script>")
