"""Workers and the ranges they hold, in PostgreSQL's words. Reads: read_store/checkpoints.py. Read next: row_writing.py.

Each method is to be called inside a transaction. Ranges are locked before they are rearranged, in the order in which
commits lock them.
"""

from __future__ import annotations

from headwater.backends.postgres.driver import Connection
from headwater.backends.postgres.row_statements import RowStatements
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


class RowLeasing:
    """The statements about workers and ranges of one schema."""

    def __init__(self, statements: RowStatements) -> None:
        self._statements = statements

    async def announce(self, connection: Connection, worker: Worker, lease_seconds: float) -> None:
        """See ``ReadStore.announce``."""
        await connection.execute(self._statements["announce_worker"], *worker_facts(worker), lease_seconds)
        await connection.execute(self._statements["forget_workers"], FORGOTTEN_SECONDS)

    async def leave(self, connection: Connection, worker: str) -> None:
        """See ``ReadStore.leave``."""
        await connection.execute(self._statements["release_ranges"], worker)
        await connection.execute(self._statements["remove_worker"], worker)

    async def regrant(self, connection: Connection, wanted: Regrant) -> tuple[Checkpoint, ...] | None:
        """One rearrangement: what is stored now, ``None`` if the ranges were not as seen."""
        projection, version, epoch, _ = wanted.key
        lows = [share.checkpoint.low for share in wanted.before]
        rows = await connection.fetch(self._statements["lock_ranges"], projection, version, epoch, lows)
        made = regranted(wanted, [Checkpoint(*row) for row in rows])
        if made is not None:
            await connection.execute(self._statements["remove_ranges"], projection, version, epoch, lows)
            for each in made:
                await self._add(connection, Share(projection, version, each))
        return made

    async def restart(self, connection: Connection, projection: str, version: int) -> None:
        """A projection begins again at the start of the log."""
        await connection.execute(self._statements["lock_checkpoints"])
        shares = shares_of(map(tuple, await connection.fetch(self._statements["load_checkpoints"])))
        stored = [each.checkpoint for each in shares if (each.projection, each.version) == (projection, version)]
        await connection.execute(self._statements["remove_version"], projection, version)
        await self._add(connection, Share(projection, version, anew(stored)))

    async def _add(self, connection: Connection, share: Share) -> None:
        await connection.execute(self._statements["add_range"], *range_facts(share))
