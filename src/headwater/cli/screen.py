"""What a verb shows: one JSON value, or tables and lines for people; progress only where somebody watches.

Reads: nothing. Read next: drawing.py (the tables and bars), verb.py. rich is imported only when something is drawn.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

import click
import msgspec

_CONTROLS = {code: repr(chr(code))[1:-1] for code in (*range(0x20), *range(0x7F, 0xA0))}


class Screen:
    """Where one verb writes to. ``as_json`` and ``debug`` are its two common options."""

    def __init__(self, *, as_json: bool = False, debug: bool = False) -> None:
        self.as_json = as_json
        self.debug = debug

    def answer(self, value: Any, draw: Callable[[], None]) -> None:
        """Write the verb's one answer: as JSON if that was asked for, else by drawing it."""
        if self.as_json:
            click.echo(as_json_text(value))
        else:
            draw()

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str = "") -> None:
        """Draw rows under column names, numbers to the right; nothing with ``--json``."""
        if self.as_json:
            return
        from headwater.cli.drawing import draw_table

        numeric = {
            index
            for index in range(len(columns))
            if rows and all(isinstance(row[index], int | float | Decimal | None) for row in rows)
        }
        draw_table(title, columns, [[as_text(value) for value in row] for row in rows], numeric)

    def facts(self, facts: Mapping[str, Any]) -> None:
        """Draw names and values, one pair a line; nothing with ``--json``."""
        if self.as_json:
            return
        width = max(map(len, facts), default=0)
        for name, value in facts.items():
            click.echo(f"{click.style(name.ljust(width), bold=True)}  {as_text(value)}")

    def line(self, text: str = "") -> None:
        """Write one line for people; nothing with ``--json``."""
        if not self.as_json:
            click.echo(text)

    def note(self, text: str) -> None:
        """Say something beside the answer, on standard error; nothing with ``--json``."""
        if not self.as_json:
            sys.stdout.flush()  # where both go to one place, what was said first stands first
            click.echo(text, err=True)

    @contextmanager
    def progress(self, what: str) -> Iterator[Callable[[int, int | None], None]]:
        """A progress bar on standard error. Gives ``moved(done, total)``, which does nothing if nobody watches."""
        if self.as_json or not sys.stderr.isatty():
            yield lambda _done, _total: None
            return
        from headwater.cli.drawing import progress_bar

        with progress_bar(what) as moved:
            yield moved


def as_json_text(value: Any) -> str:
    """A value as one line of JSON; what JSON has no form for becomes its text."""
    return msgspec.json.encode(value, enc_hook=str).decode()


def as_text(value: Any) -> str:
    """A value as a person reads it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="milliseconds")
    plain = msgspec.to_builtins(value, enc_hook=str)  # a Decimal or a date is text in JSON, and needs no quotes here
    return visible(plain if isinstance(plain, str) else as_json_text(plain))


def visible(text: str) -> str:
    """The text with its control characters escaped, so that what somebody sent does not command the terminal."""
    return text.translate(_CONTROLS)
