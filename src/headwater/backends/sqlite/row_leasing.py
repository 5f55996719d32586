"""Workers and the ranges they hold, in SQLite's words. Reads: read_store/checkpoints.py. Read next: row_writing.py.

Each function is to be called inside a transaction that writes, so that nobody else rearranges ranges meanwhile.
"""

from __future__ import annotations

from headwater.backends.sqlite.driver import Connection
from headwater.backends.sqlite.statements import statement
from headwater.read_store.checkpoints import (
    FORGOTTEN_SECONDS,
    Checkpoint,
    Regrant,
    Share,
    Worker,
    anew,
    range_facts,
    regranted,
    shares_of,
    worker_facts,
)


def announce(connection: Connection, worker: Worker, lease_seconds: float) -> None:
    """See ``ReadStore.announce``."""
    connection.execute(statement("announce_worker"), (*worker_facts(worker), lease_seconds))
    connection.execute(statement("forget_workers"), (FORGOTTEN_SECONDS,))


def leave(connection: Connection, worker: str) -> None:
    """See ``ReadStore.leave``."""
    connection.execute(statement("release_ranges"), (worker,))
    connection.execute(statement("remove_worker"), (worker,))


def regrant(connection: Connection, wanted: Regrant) -> tuple[Checkpoint, ...] | None:
    """One rearrangement: what is stored now, ``None`` if the ranges were not as seen."""
    projection, version, epoch, _ = wanted.key
    stored = [each for each in _stored(connection, projection, version) if each.epoch == epoch]
    made = regranted(wanted, stored)
    for share in () if made is None else wanted.before:
        connection.execute(statement("remove_range"), (projection, version, epoch, share.checkpoint.low))
    for each in made or ():
        connection.execute(statement("add_range"), range_facts(Share(projection, version, each)))
    return made


def restart(connection: Connection, projection: str, version: int) -> None:
    """A projection begins again at the start of the log."""
    now = anew(_stored(connection, projection, version))
    connection.execute(statement("remove_ranges"), (projection, version))
    connection.execute(statement("add_range"), range_facts(Share(projection, version, now)))


def _stored(connection: Connection, projection: str, version: int) -> list[Checkpoint]:
    shares = shares_of(connection.execute(statement("load_checkpoints")).fetchall())
    return [each.checkpoint for each in shares if (each.projection, each.version) == (projection, version)]
