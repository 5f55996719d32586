"""A log and its read models as files in a folder, to be looked at by any tool. Reads: files.py. Read next: report.py.

The log stands in ``events/``, a file for each range of positions, named ``1-100000.parquet`` after it. A further run
goes on where the last one ended. Read models stand in ``rows/``, a file each, made anew by each run.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from headwater.analysis.files import FORMATS, Format, clear_unfinished, only_writer, write_file, write_lines
from headwater.errors import OtherHistory, StoreIOError
from headwater.event_store.protocol import EventStore, RecordedEvent
from headwater.read_models import ReadModel
from headwater.read_store.columns import Column
from headwater.read_store.protocol import ReadStore
from headwater.read_store.tables import Table

EVENTS_PER_FILE = 100_000
EVENT_COLUMNS = {
    "position": "BIGINT",
    "id": "VARCHAR",
    "type": "VARCHAR",
    "version": "INTEGER",
    "recorded_at": "TIMESTAMPTZ",
    "tags": "VARCHAR[]",
    "metadata": "JSON",
    "data": "JSON",
}
TYPES = ".types.json"
_PAGE = 5_000
_NAME = re.compile(r"([1-9][0-9]*)-([1-9][0-9]*)\.(parquet|ndjson)")
_MICROSECOND = timedelta(microseconds=1)
_MOST_DIGITS = 38
_TYPES = {
    bool: "BOOLEAN",
    int: "BIGINT",
    float: "DOUBLE",
    datetime: "TIMESTAMPTZ",
    date: "DATE",
    time: "TIME",
    timedelta: "INTERVAL",
}


class Exported(msgspec.Struct, frozen=True):
    """What an export wrote: ``events`` and ``files``, and the ``position`` it has reached; ``rows`` by read model."""

    events: int
    files: int
    position: int
    rows: dict[str, int] = {}


class _Origin(msgspec.Struct):
    """Which log a folder holds: the id of its first event."""

    log: str


async def export_log(
    events: EventStore, folder: Path, form: Format = "parquet", *, events_per_file: int = EVENTS_PER_FILE
) -> Exported:
    """Write the events that the folder does not hold yet.

    Raises ``OtherHistory`` if it holds those of another log, ``StoreIOError`` if it cannot be written or has a gap.
    """
    with only_writer(folder):
        place = folder / "events"
        clear_unfinished(place)
        position = written_until(place)
        await _identify(events, folder, position)
        start, head, files = position, await events.head(), 0
        while position < head:
            last = min(head, (position // events_per_file + 1) * events_per_file)
            lines = (_line(event) async for event in _read(events, position, last))
            await write_lines(place / f"{position + 1}-{last}.{form}", lines, lambda: EVENT_COLUMNS, form)
            position, files = last, files + 1
    return Exported(position - start, files, position)


async def export_rows(
    rows: ReadStore, models: Sequence[type[ReadModel]], folder: Path, form: Format = "parquet"
) -> dict[str, int]:
    """Write the rows of read models, each from one snapshot; how many there are of each. Raises ``StoreIOError``."""
    with only_writer(folder):
        place = folder / "rows"
        clear_unfinished(place)
        written: dict[str, int] = {}
        for model in models:
            table = rows.table_of(model)
            shape = _Shape(table)
            path = place / f"{model.__name__}.{form}"
            async with aclosing(rows.reader(model).stream()) as stream:
                lines = (shape.line(row) async for row in stream)
                written[model.__name__] = await write_lines(path, lines, shape.columns, form)
            types = msgspec.json.encode(shape.columns())  # lines of JSON do not tell them
            await asyncio.to_thread(write_file, path.with_suffix(TYPES), types)
            for other in FORMATS:
                if other != form:
                    path.with_suffix(f".{other}").unlink(missing_ok=True)
    return written


def written_until(place: Path) -> int:
    """The last position that the files of a folder hold. Raises ``StoreIOError`` if there is a gap between them."""
    ranges = sorted((int(found[1]), int(found[2])) for found in _names(place))
    position = 0
    for first, last in ranges:
        if first != position + 1 or last < first:
            raise StoreIOError(
                f"{place} holds no file with position {position + 1}, but one from {first} on",
                remedy="export into an empty folder",
            )
        position = last
    return position


def _names(place: Path) -> Iterator[re.Match[str]]:
    for path in place.glob("*"):
        found = _NAME.fullmatch(path.name)
        if found is not None:
            yield found


async def _identify(events: EventStore, folder: Path, position: int) -> None:
    first = (await events.read(limit=1)).events
    log = str(first[0].id) if first else ""
    path = folder / "log.json"
    known = msgspec.json.decode(path.read_bytes(), type=_Origin).log if path.exists() else ""
    if position and known != log:
        raise OtherHistory(
            f"{folder} holds another log", remedy="export into an empty folder", position=1, head=position
        )
    if log:
        await asyncio.to_thread(write_file, path, msgspec.json.encode(_Origin(log)))


async def _read(events: EventStore, after: int, last: int) -> AsyncIterator[RecordedEvent]:
    while after < last:
        page = (await events.read(after=after, limit=min(_PAGE, last - after))).events
        for event in page:
            yield event
        after = page[-1].position


def _line(event: RecordedEvent) -> bytes:
    told = {
        "position": event.position,
        "id": str(event.id),
        "type": event.type,
        "version": event.version,
        "recorded_at": event.recorded_at,
        "tags": list(event.tags),
        "metadata": _embedded(event.metadata),
        "data": _embedded(event.data),
    }
    return msgspec.json.encode(told)


def _embedded(json: bytes) -> msgspec.Raw:
    """JSON as it was stored, on one line. What is no JSON stands there as text."""
    try:
        return msgspec.Raw(msgspec.json.format(json, indent=-1))
    except msgspec.DecodeError:
        return msgspec.Raw(msgspec.json.encode(json.decode("utf-8", "backslashreplace")))


class _Shape:
    """How the rows of a table stand in lines, and the types of their columns, which Decimals decide as they come."""

    def __init__(self, table: Table) -> None:
        self._columns = table.columns
        self._scales = {column.name: 0 for column in table.columns if column.type is Decimal}
        self._digits = dict(self._scales)

    def line(self, row: Any) -> bytes:
        """A row as a line of JSON."""
        told = {column.name: self._told(column, getattr(row, column.name)) for column in self._columns}
        return msgspec.json.encode(told, enc_hook=str)

    def columns(self) -> dict[str, str]:
        """The columns of all rows so far."""
        return {column.name: self._type(column) for column in self._columns}

    def _told(self, column: Column, value: Any) -> Any:
        if value is None:
            return None
        if column.is_json:
            return msgspec.Raw(str(column.store(value) if column.store else value).encode())
        if isinstance(value, Decimal):
            scale = max(0, -int(value.as_tuple().exponent))
            self._scales[column.name] = max(self._scales[column.name], scale)
            self._digits[column.name] = max(self._digits[column.name], value.adjusted() + 1)
            return f"{value:f}" if value.adjusted() < _MOST_DIGITS else str(value)
        return f"{value // _MICROSECOND} microseconds" if isinstance(value, timedelta) else value

    def _type(self, column: Column) -> str:
        if column.is_json:
            return "JSON"
        if column.type is Decimal:
            scale = self._scales[column.name]
            fits = max(1, self._digits[column.name]) + scale <= _MOST_DIGITS
            return f"DECIMAL({_MOST_DIGITS}, {scale})" if fits else "VARCHAR"
        return _TYPES.get(column.type, "BIGINT" if column.kind == "integer" else "VARCHAR")
