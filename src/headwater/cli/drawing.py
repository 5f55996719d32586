"""Tables and progress bars, drawn with rich. Reads: nothing. Only screen.py reads this, and only to draw."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from typing import TextIO

from headwater.errors import MissingExtra

try:
    from rich import box, progress
    from rich.cells import cell_len
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table
except ModuleNotFoundError as error:
    raise MissingExtra("cli", "rich", "drawing tables") from error

_GAP = "   "


def draw_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: AbstractSet[int]) -> None:
    """Write a table to standard output; ``numeric`` are the columns that stand to the right."""
    if not sys.stdout.isatty():
        sys.stdout.writelines(f"{line}\n" for line in _plain_lines(title, columns, rows, numeric))
        return
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for index, name in enumerate(columns):
        table.add_column(name, justify="right" if index in numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))  # what is stored is data, never markup
    _console(sys.stdout).print(table)


def _plain_lines(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: AbstractSet[int]
) -> Iterator[str]:
    """The same without a terminal's width: a row stays one line, for grep and its like."""
    widths = [max(map(cell_len, column)) for column in zip(columns, *rows, strict=True)]

    def line(row: Sequence[str]) -> str:
        padded: list[str] = []
        for index, (cell, width) in enumerate(zip(row, widths, strict=True)):
            space = " " * (width - cell_len(cell))
            padded.append(space + cell if index in numeric else cell + space)
        return _GAP.join(padded).rstrip()

    if title:
        yield title
    yield line(columns)
    yield "─" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    yield from map(line, rows)


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar with count, rate and time left on standard error; give it ``(done, total)``, ``None`` if it is open."""
    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        _Rate(),
        progress.TimeRemainingColumn(elapsed_when_finished=True),
    )
    with progress.Progress(*columns, console=_console(sys.stderr), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _Rate(progress.ProgressColumn):
    """How many a second, over the last moments."""

    def render(self, task: progress.Task) -> str:
        speed = task.finished_speed or task.speed
        return f"{speed:,.0f}/s" if speed else ""


def _console(stream: TextIO) -> Console:
    """Made for each drawing, because the streams may be replaced between two of them."""
    return Console(file=stream, highlight=False)
