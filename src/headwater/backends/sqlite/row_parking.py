"""Parked sequences, discarded events and paused projections, in SQLite's words. Reads: read_store/parking.py.

Each function is to be called inside a transaction that writes. Read next: row_writing.py.
"""

from __future__ import annotations

from headwater.backends.sqlite.driver import Connection
from headwater.backends.sqlite.statements import statement
from headwater.read_store.parking import Pause, discarded_facts, parked_facts, pause_facts
from headwater.read_store.protocol import Changes


def settle(connection: Connection, changes: Changes, version: int) -> None:
    """What a commit parks, what goes on with it, and what was left out for that."""
    for sequence in changes.settles:
        connection.execute(statement("unpark_sequence"), (changes.projection, version, sequence))
    for parked in changes.parks:
        connection.execute(statement("park_sequence"), parked_facts(parked))
    for discarded in changes.discards:
        connection.execute(statement("record_discarded"), discarded_facts(discarded))


def restart(connection: Connection, projection: str, version: int) -> None:
    """A projection begins again: nothing of it is parked."""
    connection.execute(statement("remove_parked"), (projection, version))


def retire(connection: Connection, projection: str, version: int) -> None:
    """Forget what other versions had parked."""
    connection.execute(statement("remove_other_parked"), (projection, version))


def pause(connection: Connection, wanted: Pause) -> None:
    """See ``ReadStore.pause``."""
    connection.execute(statement("pause_projection"), pause_facts(wanted))


def resume(connection: Connection, projection: str) -> None:
    """See ``ReadStore.resume``."""
    connection.execute(statement("resume_projection"), (projection,))
