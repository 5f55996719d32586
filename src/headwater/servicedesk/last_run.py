"""The files of the demo's last run: only those that it made itself are removed.

Reads: app.py, replay.py. Read next: demo.py. A file of that name may be anybody's: a log counts as the demo's if its
first event came of a row of a replay, and rows if they were made from that log.
"""

from __future__ import annotations

import re
from pathlib import Path

from headwater.backends.sqlite.connection import READ_STORE, SqliteFile, connect
from headwater.backends.sqlite.errors import translated
from headwater.backends.sqlite.statements import statement
from headwater.errors import HeadwaterError, StoreCorrupt
from headwater.event_store import open_store
from headwater.servicedesk.app import app

_KEY_OF_A_ROW = re.compile(r"idempotency:[^/]+/[0-9]+/[0-9]+")
_REMEDY = "move it away, or have the demo write another log: --url sqlite:///FILE"


class DemoRefused(HeadwaterError):
    """The demo would mix its events with others, replace what it has not made, or has nothing to repeat."""

    code = "demo-refused"


async def remove_last_run(log: Path) -> bool:
    """Remove the demo's log and read store; says whether there was any.

    Raises ``DemoRefused`` if one of them is not the demo's, and leaves both. Raises other ``StoreError`` for a log that
    cannot be read, or that another release wrote.
    """
    rows = log.with_suffix(".read.db")
    try:
        _check_rows(rows, await _check_log(log))
    except StoreCorrupt as error:
        raise DemoRefused(f"the demo did not make this: {error.message}", remedy=_REMEDY) from error
    left = [file for file in (rows, log) if file.exists()]  # the rows first: without a log nobody knows whose they are
    for file in left:
        for path in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
            path.unlink(missing_ok=True)
    return bool(left)


async def _check_log(log: Path) -> bytes:
    """The id of the log's first event, empty if it has none; refuse one that the demo did not begin."""
    if _is_empty(log):
        return b""
    async with open_store(f"sqlite:///{log}", migrate=False) as store:
        found = (await store.read(limit=1)).events
    if not found:
        return b""
    first = found[0]
    if app.catalogue.knows_event(first.type) and any(map(_KEY_OF_A_ROW.fullmatch, first.tags)):
        return first.raw_id
    raise DemoRefused(f"{log} is a log, but its first event, {first.type}, is none of the demo's", remedy=_REMEDY)


def _check_rows(rows: Path, made_from: bytes) -> None:
    """Refuse rows of another log than that of the demo."""
    if _is_empty(rows):
        return
    file = SqliteFile(path=str(rows), kind=READ_STORE)
    connection = connect(file, read_only=True)
    with translated(file.path):
        try:
            known = connection.table_exists(None, "facts") and connection.execute(statement("load_fact"), ("log",)).get
        finally:
            connection.close()
    if known and known != made_from:
        raise DemoRefused(f"{rows} holds rows of another log than {rows.stem.removesuffix('.read')}.db", remedy=_REMEDY)


def _is_empty(file: Path) -> bool:
    """Whether there is nothing in it to lose."""
    return not file.exists() or (file.is_file() and file.stat().st_size == 0)
