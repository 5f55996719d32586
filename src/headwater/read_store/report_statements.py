"""From summaries to SQL, in any database's words. Reads: figures.py, statements.py. Read next: a backend's figures.py.

As for selections: names come from declared read models alone, values are always bound. What stands in a text besides
is a zone's offsets, which are this library's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec

from headwater.figure_marks import Unit
from headwater.read_store.buckets import LABEL_LENGTHS, SECONDS_LENGTH, ZULU, Offsets
from headwater.read_store.columns import Stored
from headwater.read_store.figures import MOST_GROUPS, Figure, GroupBy, Summary, Summed, refuse_many
from headwater.read_store.statements import TableNames, filtering

Raw: TypeAlias = Sequence[Any]
Finish: TypeAlias = Callable[[Raw], Any]
"""From the values that the database computes for a figure to the figure."""


class FigureWords(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Where databases differ in figures. Functions take expressions and give expressions.

    ``shifted`` moves a stored time by an expression of seconds, ``monday`` gives the day a time's week begins at,
    ``whole_sum`` and ``decimal_sum`` are exact: each gives what to select, and the way from that to the sum.
    """

    shifted: Callable[[str, str], str]
    monday: Callable[[str], str]
    whole_sum: tuple[tuple[str, ...], Finish]
    decimal_sum: tuple[tuple[str, ...], Finish]


def summarising(names: TableNames, words: FigureWords, summary: Summary) -> tuple[str, list[Stored]]:
    """The statement that computes a summary, and its bindings. ``finished`` reads its rows."""
    identifier = names.dialect.identifier
    groups = [_grouped(identifier, words, group) for group in summary.groups]
    expressions = [shown for _, shown in groups]
    for figure in summary.figures:
        expressions += _computed(identifier, words, figure)[0]
    where, values = filtering(names.dialect, summary.conditions)
    grouping = f" GROUP BY {', '.join(by for by, _ in groups)}" if groups else ""
    sql = f"SELECT {', '.join(expressions) or '1'} FROM {names.name}{where}{grouping} LIMIT {MOST_GROUPS + 1}"  # noqa: S608
    return names.dialect.parameters(sql), values


def finished(words: FigureWords, summary: Summary, rows: Iterable[Raw]) -> Summed:
    """The figures of what that statement found. Raises ``QueryError`` for too many groups."""
    shapes = [_computed(str, words, figure) for figure in summary.figures]
    width = len(summary.groups)
    steps: list[tuple[int, int, Finish]] = []
    for expressions, finish in shapes:
        steps.append((width, width + len(expressions), finish))
        width += len(expressions)
    made = [(*row[: len(summary.groups)], *(finish(row[start:end]) for start, end, finish in steps)) for row in rows]
    refuse_many(len(made))
    return made


def _grouped(identifier: Callable[[str], str], words: FigureWords, group: GroupBy) -> tuple[str, str]:
    """What rows are grouped by, and what is shown of the group."""
    column = identifier(group.column.name)
    if group.unit is not None:
        label = _label(column, group.unit, group.offsets, words)
        return label, label
    if group.column.order is not None:
        return identifier(group.column.order_name), f"min({column})"
    return column, column


@lru_cache(maxsize=64)
def _label(column: str, unit: Unit, offsets: Offsets | None, words: FigureWords) -> str:
    text = column
    if offsets is not None:
        moved = words.shifted(f"substr({column}, 1, {SECONDS_LENGTH})", offsets_as_choice(offsets, column))
        text = f"CASE WHEN substr({column}, {ZULU + 1}) = 'Z' THEN {moved} ELSE {column} END"
    if unit == "quarter":
        return f"substr({text}, 1, 4) || '-Q' || ((CAST(substr({text}, 6, 2) AS INTEGER) + 2) / 3)"
    if unit == "week":
        return words.monday(f"substr({text}, 1, 10)")
    return f"substr({text}, 1, {LABEL_LENGTHS[unit]})"


def offsets_as_choice(offsets: Offsets, text: str, first: int = 0, last: int | None = None) -> str:
    """An expression for the offset at the stored time ``text``: halving, as ``bisect`` does."""
    last = len(offsets.cuts) if last is None else last
    if first == last:
        return str(offsets.seconds[first])
    middle = (first + last) // 2
    before = offsets_as_choice(offsets, text, first, middle)
    after = offsets_as_choice(offsets, text, middle + 1, last)
    return f"CASE WHEN {text} < '{offsets.cuts[middle]}' THEN {before} ELSE {after} END"


def _computed(identifier: Callable[[str], str], words: FigureWords, figure: Figure) -> tuple[tuple[str, ...], Finish]:
    if figure.column is None:
        return ("count(*)",), _whole
    column, order = identifier(figure.column.name), identifier(figure.column.order_name)
    if figure.kind == "count":
        return (f"count({column})",), _whole
    if figure.kind == "distinct":
        return (f"count(DISTINCT {order})",), _whole
    if figure.kind == "sum":
        return _sum(column, figure, words)
    if figure.column.order is None:
        return (f"{figure.kind}({column})",), _first
    # The text goes with what it is sorted by; a space is lower than all that may follow there, so it changes nothing.
    return (f"{figure.kind}({order} || ' ' || {column})",), _after_space


def _sum(column: str, figure: Figure, words: FigureWords) -> tuple[tuple[str, ...], Finish]:
    if figure.column is not None and figure.column.kind == "real":
        return (f"sum({column})",), _first
    expressions, finish = words.decimal_sum if figure.is_decimal else words.whole_sum
    return tuple(each.format(column) for each in expressions), finish


def _first(raw: Raw) -> Any:
    return raw[0]


def _whole(raw: Raw) -> int:
    return int(raw[0])


def _after_space(raw: Raw) -> Any:
    return None if raw[0] is None else raw[0].partition(" ")[2]
