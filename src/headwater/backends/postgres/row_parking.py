"""Parked sequences, discarded events and paused projections, in PostgreSQL's words. Reads: read_store/parking.py.

Each method is to be called inside a transaction. Read next: row_writing.py.
"""

from __future__ import annotations

from headwater.backends.postgres.driver import Connection
from headwater.backends.postgres.row_statements import RowStatements
from headwater.read_store.parking import (
    Discarded,
    Parked,
    Pause,
    discarded_facts,
    discarded_of,
    parked_facts,
    parked_of,
    pause_facts,
)
from headwater.read_store.protocol import Changes


class RowParking:
    """The statements about what is set aside in one schema."""

    def __init__(self, statements: RowStatements) -> None:
        self._statements = statements

    async def settle(self, connection: Connection, changes: Changes, version: int) -> None:
        """What a commit parks, what goes on with it, and what was left out for that."""
        for sequence in changes.settles:
            await connection.execute(self._statements["unpark_sequence"], changes.projection, version, sequence)
        for parked in changes.parks:
            await connection.execute(self._statements["park_sequence"], *parked_facts(parked))
        for discarded in changes.discards:
            await connection.execute(self._statements["record_discarded"], *discarded_facts(discarded))

    async def restart(self, connection: Connection, projection: str, version: int) -> None:
        """A projection begins again: nothing of it is parked."""
        await connection.execute(self._statements["remove_parked"], projection, version)

    async def retire(self, connection: Connection, projection: str, version: int) -> None:
        """Forget what other versions had parked."""
        await connection.execute(self._statements["remove_other_parked"], projection, version)

    async def parked(self, connection: Connection) -> list[Parked]:
        """Everything that is parked."""
        return [parked_of(tuple(row)) for row in await connection.fetch(self._statements["load_parked"])]

    async def discarded(self, connection: Connection) -> list[Discarded]:
        """Everything that was left out."""
        return [discarded_of(tuple(row)) for row in await connection.fetch(self._statements["load_discarded"])]

    async def paused(self, connection: Connection) -> frozenset[str]:
        """The projections that stand still by order."""
        return frozenset(row[0] for row in await connection.fetch(self._statements["load_paused"]))

    async def pause(self, connection: Connection, wanted: Pause) -> None:
        """See ``ReadStore.pause``."""
        await connection.execute(self._statements["pause_projection"], *pause_facts(wanted))

    async def resume(self, connection: Connection, projection: str) -> None:
        """See ``ReadStore.resume``."""
        await connection.execute(self._statements["resume_projection"], projection)
