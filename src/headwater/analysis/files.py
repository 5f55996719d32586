"""Files that are there whole or not at all, as lines of JSON or as Parquet. Reads: errors.py. Read next: export.py."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeAlias

from headwater.errors import MissingExtra, StoreIOError

Format: TypeAlias = Literal["parquet", "ndjson"]
FORMATS: tuple[Format, ...] = ("parquet", "ndjson")
_UNFINISHED = ".unfinished"
_LINES_AT_ONCE = 5_000
_CHECK = "check the folder and its free space"


class Draft:
    """A file that appears under its name when it is whole: lines of JSON are added to it, then it is finished.

    Each of its verbs works on the disk, so call them in a thread. All raise ``StoreIOError``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._draft = path.with_name(path.name + _UNFINISHED)
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._draft.open("wb")

    def add(self, lines: Sequence[bytes]) -> None:
        """Write some lines."""
        with self._translated():
            self._file.writelines([line + b"\n" for line in lines])
        self.count += len(lines)

    def finish(self, columns: Mapping[str, str], form: Format) -> None:
        """Have it in that format, under its name. ``columns`` names the members and their types in DuckDB's words.

        Raises ``MissingExtra``.
        """
        with self._translated():
            with self._file:
                _keep(self._file)
            if form == "parquet":
                _to_parquet(self._draft, self.path, columns)
            else:
                self._draft.replace(self.path)
            _keep_names(self.path.parent)

    def close(self) -> None:
        """Write no more to it; what is not finished stays beside, until ``clear_unfinished``."""
        with suppress(OSError):  # of what could not be written, somebody was told
            self._file.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreIOError(f"{self.path} cannot be written: {error}", remedy=_CHECK) from error


def write_file(path: Path, content: bytes) -> None:
    """Write a small file of one line. Raises ``StoreIOError``."""
    draft = Draft(path)
    try:
        draft.add([content])
        draft.finish({}, "ndjson")
    finally:
        draft.close()


async def write_lines(
    path: Path, lines: AsyncIterable[bytes], columns: Callable[[], Mapping[str, str]], form: Format
) -> int:
    """Write lines as they come, a bounded number in memory at a time; how many there were: see ``Draft``.

    What the ``columns`` are is asked after the last line.
    """
    draft, batch = await asyncio.to_thread(Draft, path), list[bytes]()
    try:
        async for line in lines:
            batch.append(line)
            if len(batch) == _LINES_AT_ONCE:
                await asyncio.to_thread(draft.add, batch)
                batch = []
        await asyncio.to_thread(draft.add, batch)
        await asyncio.to_thread(draft.finish, columns(), form)
    finally:
        draft.close()
    return draft.count


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keep other runs, whose drafts have the same names, from the folder. Raises ``StoreIOError`` if one is there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("ab")
    except OSError as error:
        raise StoreIOError(f"{folder} cannot be written: {error}", remedy=_CHECK) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it goes with the process, however that ends
        except BlockingIOError as error:
            raise StoreIOError(
                f"another run writes to {folder}", remedy="wait for it, or take another folder"
            ) from error
        yield


def clear_unfinished(folder: Path) -> None:
    """Remove what an interrupted run left behind."""
    for path in folder.glob(f"*{_UNFINISHED}*"):
        path.unlink(missing_ok=True)


def duckdb() -> Any:
    """DuckDB. Raises ``MissingExtra``."""
    try:
        return import_module("duckdb")
    except ImportError as error:
        raise MissingExtra("reports", "DuckDB", "a report or a Parquet file") from error


def literal(text: str | Path) -> str:
    """Text as a literal of SQL."""
    return "'" + str(text).replace("'", "''") + "'"


def name(text: str) -> str:
    """Text as a name of SQL."""
    return '"' + text.replace('"', '""') + '"'


def reading_lines(path: str | Path, columns: Mapping[str, str]) -> str:
    """The table function that reads lines of JSON with these columns."""
    listed = ", ".join(f"{literal(each)}: {literal(kind)}" for each, kind in columns.items())
    return (
        f"read_json({literal(path)}, format='newline_delimited', columns={{{listed}}}, maximum_object_size=268435456)"
    )


def _to_parquet(draft: Path, path: Path, columns: Mapping[str, str]) -> None:
    made = draft.with_name(draft.name + ".parquet")
    with duckdb().connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        selected = f"SELECT * FROM {reading_lines(draft, columns)}"  # noqa: S608  names and texts are quoted
        try:
            connection.execute(f"COPY ({selected}) TO {literal(made)} (FORMAT parquet, COMPRESSION zstd)")
        except duckdb().Error as error:
            raise StoreIOError(f"{path} cannot be written: {error}", remedy=_CHECK) from error
    with made.open("rb") as file:
        os.fsync(file.fileno())
    made.replace(path)
    draft.unlink()


def _keep(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _keep_names(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
