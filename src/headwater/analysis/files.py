"""Files that are there whole or not at all, as lines of JSON or as Parquet. Reads: errors.py. Read next: export.py."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeAlias

from headwater.errors import MissingExtra, StoreIOError

Format: TypeAlias = Literal["parquet", "ndjson"]
FORMATS: tuple[Format, ...] = ("parquet", "ndjson")
_UNFINISHED = ".unfinished"
_CHECK = "check the folder and its free space"


def write_file(path: Path, lines: Iterable[bytes], columns: Mapping[str, str], form: Format) -> int:
    """Write lines of JSON to a file, in that format; how many there were. It appears under its name when it is whole.

    ``columns`` names the members and their types in DuckDB's words. Raises ``StoreIOError``, ``MissingExtra``.
    """
    draft = path.with_name(path.name + _UNFINISHED)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        count = 0
        with draft.open("wb") as file:
            for line in lines:
                file.write(line + b"\n")
                count += 1
            _keep(file)
        if form == "parquet":
            _to_parquet(draft, path, columns)
        else:
            draft.replace(path)
        _keep_names(path.parent)
    except OSError as error:
        raise StoreIOError(f"{path} cannot be written: {error}", remedy=_CHECK) from error
    return count


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
        raise MissingExtra("reports", "DuckDB", "Parquet files and reports") from error


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
