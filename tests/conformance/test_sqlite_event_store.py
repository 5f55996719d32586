"""The SQLite event log passes the suite, in both durabilities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import apsw

from headwater.testing.conformance import Capabilities, EventStoreConformance


class TestSqliteEventStore(EventStoreConformance):
    """Every promise, with nothing left out."""

    capabilities = Capabilities(name="sqlite", durable=True, multi_process=True, enforces_immutability=True)

    def url(self, directory: Path) -> str:
        return f"sqlite:///{directory / 'log.db'}"

    def tamperings(self, location: str) -> Sequence[Callable[[], object]]:
        connection = apsw.Connection(location.removeprefix("sqlite:///"))
        statements = (
            "UPDATE events SET data = x'00'",
            "DELETE FROM events",
            "INSERT OR REPLACE INTO events SELECT position, type, version, 0, id, tags, metadata, data FROM events",
            "INSERT OR REPLACE INTO events SELECT 99, type, version, 0, id, tags, metadata, data FROM events",
            "UPDATE event_tags SET position = position + 1",
            "DELETE FROM event_tags",
            "UPDATE types SET name = 'C'",
            "INSERT OR REPLACE INTO types VALUES (1, 'C')",
            "INSERT OR REPLACE INTO tags VALUES (9, 'x')",
            "DELETE FROM tags",
        )
        return [partial(connection.execute, statement) for statement in statements]
