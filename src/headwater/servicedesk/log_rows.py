"""The rows of a service desk's log: read from CSV, checked, typed.

Reads: incident_messages.py (statuses). Read next: row_commands.py (rows to commands).

A row that cannot be read is a ``BrokenRow`` that names its line and column. Times are local, to the minute.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from headwater.errors import HeadwaterError
from headwater.servicedesk.incident_messages import Status

STATUS_OF: dict[str, Status] = {
    "New": "new",
    "Active": "active",
    "Awaiting User Info": "awaiting-user",
    "Awaiting Vendor": "awaiting-vendor",
    "Awaiting Problem": "awaiting-problem",
    "Awaiting Evidence": "awaiting-evidence",
    "Resolved": "resolved",
    "Closed": "closed",
    "-100": "unrecognised",
}
"""The states as the platform calls them, and as the desk does."""


class LogError(HeadwaterError, ValueError):
    """The log cannot be read. ``path`` and ``line`` say how far it could."""

    code = "log-unreadable"
    remedy = "give a CSV file, plain or gzip, with the columns of the shipped log"


class BrokenRow(LogError):
    """A row does not have the shape of the log: ``line`` (from 1), ``column``. Nothing of it was sent."""

    code = "broken-row"
    remedy = "mend the line and start again with --resume, or leave such lines out with --skip-broken"
    line: int
    column: str

    def __init__(self, line: int, column: str, problem: str) -> None:
        super().__init__(f"line {line}, column {column}: {problem}", line=line, column=column)


class LogRow(NamedTuple):
    """One saved change of one incident, as the platform logged it. ``None`` stands for an absent value."""

    line: int
    case: str
    seq: int
    status: Status
    code: str
    at: datetime
    opened_at: datetime
    reassignments: int
    reopens: int
    modifications: int
    made_sla: bool
    caller: str | None
    opened_by: str | None
    contact_type: str | None
    location: str | None
    category: str | None
    subcategory: str | None
    symptom: str | None
    impact: int
    urgency: int
    priority: int
    group: str | None
    person: str | None
    knowledge: bool
    priority_confirmed: bool
    notify: str | None
    final_closed_code: str | None
    final_resolved_by: str | None
    saved_by: str | None
    final_resolved_at: datetime | None
    final_closed_at: datetime | None

    # The publisher wrote the final outcome on every row of a case. Whoever replays must not know the future, so
    # commands are made from these two views of it, which show an outcome from the save on that it was written with.

    @property
    def knows_resolution(self) -> bool:
        """Whether this save is, or comes after, the one that the final resolution was written with."""
        resolved_at = self.final_resolved_at
        return self.status in ("resolved", "closed") and resolved_at is not None and resolved_at <= self.at

    @property
    def knows_closing(self) -> bool:
        """Whether this save is, or comes after, the one that the final closing was written with."""
        closed_at = self.final_closed_at
        return self.status == "closed" and closed_at is not None and closed_at <= self.at


COLUMNS = (
    "case",
    "seq",
    "activity",
    "timestamp",
    "opened_at",
    "reassignment_count",
    "reopen_count",
    "sys_mod_count",
    "made_sla",
    "caller_id",
    "opened_by",
    "contact_type",
    "location",
    "category",
    "subcategory",
    "u_symptom",
    "impact",
    "urgency",
    "priority",
    "assignment_group",
    "assigned_to",
    "knowledge",
    "u_priority_confirmation",
    "notify",
    "closed_code",
    "resolved_by",
    "sys_updated_by",
    "resolved_at",
    "closed_at",
)
"""The columns that are read, in the order of ``LogRow``; others are left alone, and any order will do in the file."""


def read_rows(
    path: Path, *, limit: int | None = None, skip: Callable[[BrokenRow], None] | None = None
) -> Iterator[LogRow]:
    """The rows of a log from top to bottom, the first ``limit`` lines of them at most.

    Raises ``LogError`` if the file cannot be read (further) and ``BrokenRow`` for a row of another shape, unless
    ``skip`` is there to be told of it instead.
    """
    with ExitStack() as stack:
        lines = _Lines(path, stack)
        table = csv.reader(lines)
        header = _fields(table, lines) or []
        pick, width = _columns(header), len(header)
        while limit is None or lines.number <= limit:
            try:
                fields = _fields(table, lines)
                if fields is None:
                    return
                if fields and len(fields) != width:
                    raise BrokenRow(lines.number, "case", f"the row has {len(fields)} columns, and the header {width}")
                if fields:
                    yield _typed(lines.number, pick(fields))
            except BrokenRow as broken:
                if skip is None:
                    raise
                skip(broken)


def _fields(table: Iterator[list[str]], lines: _Lines) -> list[str] | None:
    try:
        return next(table, None)
    except csv.Error as error:
        raise BrokenRow(lines.number, "case", f"is no CSV ({error})") from error


class _Lines:
    """The decoded lines of a file, plain or gzip; a line that is not UTF-8 is a broken row."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._path = path
        self.number = 0
        """The number of the last line read, from 1."""
        try:
            file = stack.enter_context(path.open("rb"))
        except OSError as error:
            raise LogError(f"{path} cannot be opened: {error.strerror}", path=str(path), line=0) from error
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        self._file = io.BufferedReader(gzip.GzipFile(fileobj=file)) if packed else file

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            line = self._file.readline()
        except (EOFError, OSError, zlib.error) as error:
            raise LogError(
                f"{self._path} is damaged after line {self.number}: {error}",
                remedy="fetch the file again; what was acknowledged so far stays, go on with --resume",
                path=str(self._path),
                line=self.number,
            ) from error
        if not line:
            raise StopIteration
        self.number += 1
        try:
            return line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise BrokenRow(self.number, "case", f"is not UTF-8 (byte {error.start + 1} of the line)") from error


def _columns(header: list[str]) -> Callable[[list[str]], tuple[str, ...]]:
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise LogError(f"line 1: the header lacks {', '.join(missing)}", line=1)
    return itemgetter(*(header.index(name) for name in COLUMNS))


def _typed(line: int, fields: tuple[str, ...]) -> LogRow:
    (case, seq, activity, at, opened_at, reassignments, reopens, modifications, made_sla, *rest) = fields
    (caller, opened_by, contact_type, location, category, subcategory, symptom, impact, urgency, priority) = rest[:10]
    (group, person, knowledge, priority_confirmed, notify, closed_code, resolved_by, saved_by) = rest[10:18]
    resolved_at, closed_at = rest[18:]
    status = STATUS_OF.get(activity)
    if status is None:
        raise BrokenRow(line, "activity", f"{activity!r} is no state of an incident")
    if not case:
        raise BrokenRow(line, "case", "is empty")
    return LogRow(
        line,
        case,
        _count(line, "seq", seq),
        status,
        activity,
        _time(line, "timestamp", at),
        _time(line, "opened_at", opened_at),
        _count(line, "reassignment_count", reassignments),
        _count(line, "reopen_count", reopens),
        _count(line, "sys_mod_count", modifications),
        _flag(line, "made_sla", made_sla),
        caller or None,
        opened_by or None,
        contact_type or None,
        location or None,
        category or None,
        subcategory or None,
        symptom or None,
        _level(line, "impact", impact, 3),
        _level(line, "urgency", urgency, 3),
        _level(line, "priority", priority, 4),
        group or None,
        person or None,
        _flag(line, "knowledge", knowledge),
        _flag(line, "u_priority_confirmation", priority_confirmed),
        notify or None,
        closed_code or None,
        resolved_by or None,
        saved_by or None,
        _time(line, "resolved_at", resolved_at) if resolved_at else None,
        _time(line, "closed_at", closed_at) if closed_at else None,
    )


def _time(line: int, column: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise BrokenRow(line, column, f"{text!r} is no date and time like 2016-02-29T01:23") from None
    if moment.tzinfo is not None:
        raise BrokenRow(line, column, f"{text!r} has a zone, but the desk's times are local")
    return moment


def _count(line: int, column: str, text: str) -> int:
    if text.isascii() and text.isdigit():
        return int(text)
    raise BrokenRow(line, column, f"{text!r} is no count")


def _level(line: int, column: str, text: str, lowest: int) -> int:
    level = _count(line, column, text)
    if 1 <= level <= lowest:
        return level
    raise BrokenRow(line, column, f"{text!r} is not between 1 and {lowest}")


def _flag(line: int, column: str, text: str) -> bool:
    if text == "true":
        return True
    if text == "false":
        return False
    raise BrokenRow(line, column, f"{text!r} is neither true nor false")
