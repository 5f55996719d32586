from __future__ import annotations

import io
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from headwater.cli.screen import Screen, as_json_text, as_text


class Watched(io.StringIO):
    """A stream that says somebody watches."""

    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "yes"),
        (False, "no"),
        (1234567, "1,234,567"),
        (0.5, "0.50"),
        ("a", "a"),
        ("\x1b[2Jred\n\x9b1mö", "\\x1b[2Jred\\n\\x9b1mö"),
        (["a", 1], '["a",1]'),
        (Decimal("12.50"), "12.50"),
        (date(2026, 3, 1), "2026-03-01"),
        (datetime(2026, 3, 1, 12, tzinfo=UTC), "2026-03-01 12:00:00.000+00:00"),
    ],
)
def test_values_read_well(value, text):
    """Numbers get their separators, nothing is a dash, structures are JSON."""
    assert as_text(value) == text


def test_what_json_has_no_form_for_becomes_text():
    """A program never meets an encoding error."""
    assert msgspec.json.decode(as_json_text({"id": UUID(int=1), "price": Decimal("1.5"), "what": object})) == {
        "id": "00000000-0000-0000-0000-000000000001",
        "price": "1.5",
        "what": "<class 'object'>",
    }


def test_with_json_only_the_answer_is_written(capsys):
    """Lines, notes, tables and facts are for people."""
    screen = Screen(as_json=True)
    screen.line("a")
    screen.note("b")
    screen.table(("c",), [("d",)])
    screen.facts({"e": 1})
    screen.answer({"f": 2}, lambda: None)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ('{"f":2}\n', "")


def test_a_table_keeps_every_character_of_its_data(capsys):
    """Long values are not cut where nobody watches, and markup is data."""
    Screen().table(("name", "count"), [("[b]" + "x" * 150, 1000)], title="Things")
    shown = capsys.readouterr().out
    assert "[b]" + "x" * 150 in shown
    assert "1,000" in shown
    assert "Things" in shown


def test_a_row_is_a_line_under_its_columns(capsys):
    """Numbers stand to the right, and wide characters take two places."""
    Screen().table(("name", "count"), [("日本", 5), ("b\nc", 1000)])
    assert capsys.readouterr().out.splitlines() == [
        "name   count",
        "────────────",
        "日本       5",
        "b\\nc   1,000",
    ]


def test_an_empty_table_is_its_columns(capsys):
    """No rows are no fault."""
    Screen().table(("name", "count"), [])
    assert "name" in capsys.readouterr().out


def test_progress_is_drawn_only_where_somebody_watches(monkeypatch):
    """A bar with count and total goes to a terminal's standard error, and nowhere else."""
    for watched, as_json in ((io.StringIO(), False), (Watched(), True)):
        monkeypatch.setattr(sys, "stderr", watched)
        with Screen(as_json=as_json).progress("reading") as moved:
            moved(1, 2)
        assert watched.getvalue() == ""
    terminal = Watched()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with Screen().progress("reading") as moved:
        moved(3, 3)
    assert "reading" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()
