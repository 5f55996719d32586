"""Workers and the ranges they hold, in PostgreSQL's words. Reads: read_store/checkpoints.py. Read next: row_writing.py.

Each method is to be called inside a transaction. Ranges are locked before they are rearranged, in the order in which
commits lock them.
"""

from __future__ import annotations

from collections.abc import Sequence

from headwater.backends.postgres.driver import Connection
from headwater.backends.postgres.row_statements import RowStatements
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
                await self.add(connection, Share(projection, version, each))
        return made

    async def is_known_elsewhere(self, connection: Connection, projection: str, version: int) -> bool:
        """Whether another version has a live worker; nobody announces itself until the end of the transaction."""
        await connection.execute(self._statements["lock_checkpoints"])  # first, as in `leave`
        await connection.execute(self._statements["lock_workers"])
        workers = workers_of(map(tuple, await connection.fetch(self._statements["load_workers"])))
        return is_known_elsewhere(workers, projection, version)

    async def locked(self, connection: Connection, projection: str, version: int) -> list[Checkpoint]:
        """All ranges of a version; nobody else moves or rearranges any until the end of the transaction."""
        await connection.execute(self._statements["lock_checkpoints"])
        shares = shares_of(map(tuple, await connection.fetch(self._statements["load_checkpoints"])))
        return [each.checkpoint for each in shares if (each.projection, each.version) == (projection, version)]

    async def restart(self, connection: Connection, projection: str, version: int) -> int:
        """A projection begins again at the start of the log; gives the side of its table."""
        now = anew(await self.locked(connection, projection, version))
        await connection.execute(self._statements["remove_version"], projection, version)
        await self.add(connection, Share(projection, version, now))
        return now.side

    async def remove(self, connection: Connection, projection: str, version: int, ranges: Sequence[Checkpoint]) -> None:
        """Forget these ranges, all of one epoch."""
        if ranges:
            lows = [each.low for each in ranges]
            place = (projection, version, ranges[0].epoch)
            await connection.execute(self._statements["remove_ranges"], *place, lows)

    async def add(self, connection: Connection, share: Share) -> None:
        """Store a range."""
        await connection.execute(self._statements["add_range"], *range_facts(share))
