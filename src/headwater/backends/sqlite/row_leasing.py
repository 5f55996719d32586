"""Workers and the ranges they hold, in SQLite's words. Reads: read_store/checkpoints.py. Read next: row_writing.py.

Each function is to be called inside a transaction that writes, so that nobody else rearranges ranges meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable

from headwater.backends.sqlite.driver import Connection
from headwater.backends.sqlite.statements import statement
from headwater.read_store.checkpoints import (
    FORGOTTEN_SECONDS,
    Checkpoint,
    Regrant,
    Share,
    Worker,
    anew,
    is_known_elsewhere,
    range_facts,
    regranted,
    shares_of,
    worker_facts,
    workers_of,
)


def announce(connection: Connection, worker: Worker, lease_seconds: float) -> None:
    """See ``ReadStore.announce``."""
    connection.execute(statement("announce_worker"), (*worker_facts(worker), lease_seconds))
    connection.execute(statement("forget_workers"), (FORGOTTEN_SECONDS,))


def leave(connection: Connection, worker: str) -> None:
    """See ``ReadStore.leave``."""
    connection.execute(statement("release_ranges"), (worker,))
    connection.execute(statement("remove_worker"), (worker,))


def has_other_worker(connection: Connection, projection: str, version: int) -> bool:
    """Whether another version of the projection has a live worker."""
    workers = workers_of(connection.execute(statement("load_workers")).fetchall())
    return is_known_elsewhere(workers, projection, version)


def regrant(connection: Connection, wanted: Regrant) -> tuple[Checkpoint, ...] | None:
    """One rearrangement: what is stored now, ``None`` if the ranges were not as seen."""
    projection, version, epoch, _ = wanted.key
    stored = [each for each in stored_ranges(connection, projection, version) if each.epoch == epoch]
    made = regranted(wanted, stored)
    if made is not None:
        remove(connection, projection, version, (share.checkpoint for share in wanted.before))
        for each in made:
            add(connection, Share(projection, version, each))
    return made


def restart(connection: Connection, projection: str, version: int) -> int:
    """A projection begins again at the start of the log; gives the side of its table."""
    now = anew(stored_ranges(connection, projection, version))
    connection.execute(statement("remove_ranges"), (projection, version))
    add(connection, Share(projection, version, now))
    return now.side


def add(connection: Connection, share: Share) -> None:
    """Store a range."""
    connection.execute(statement("add_range"), range_facts(share))


def remove(connection: Connection, projection: str, version: int, ranges: Iterable[Checkpoint]) -> None:
    """Forget these ranges."""
    for each in ranges:
        connection.execute(statement("remove_range"), (projection, version, each.epoch, each.low))


def stored_ranges(connection: Connection, projection: str, version: int) -> list[Checkpoint]:
    """All ranges of a version."""
    shares = shares_of(connection.execute(statement("load_checkpoints")).fetchall())
    return [each.checkpoint for each in shares if (each.projection, each.version) == (projection, version)]
