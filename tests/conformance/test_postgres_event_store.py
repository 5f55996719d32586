"""The PostgreSQL event log passes the suite, on the newest server and on Debian's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zlib import crc32

import pytest

from headwater.testing.conformance import Capabilities, EventStoreConformance


class TestPostgresEventStore(EventStoreConformance):
    """Every promise, with nothing left out."""

    capabilities = Capabilities(name="postgres", durable=True, multi_process=True, enforces_immutability=True)

    server_fixture = "postgres_server"

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def served(cls, request):
        """All tests share a database; each has a schema of its own."""
        cls.server = request.getfixturevalue(cls.server_fixture)
        cls.database = cls.server.fresh_database()
        yield
        cls.server.drop_database(cls.database)

    def url(self, directory: Path) -> str:
        return f"{self.database}?schema=log_{crc32(str(directory).encode()):08x}"

    def tamperings(self, location: str) -> Sequence[Callable[[], object]]:
        schema = parse_qs(urlsplit(location).query)["schema"][0]
        statements = (
            "UPDATE {}.events SET data = ''",
            "DELETE FROM {}.events",
            "TRUNCATE {}.events",
            "INSERT INTO {0}.events SELECT * FROM {0}.events ON CONFLICT (position) DO UPDATE SET data = ''",
            "UPDATE {}.event_tags SET position = position + 1",
            "DELETE FROM {}.event_tags",
            "TRUNCATE {}.event_tags",
            "UPDATE {}.types SET name = 'C'",
            "DELETE FROM {}.types",
            "TRUNCATE {0}.events, {0}.types, {0}.event_tags",
        )
        return [partial(self.server.execute, sql.format(schema), url=location) for sql in statements]


class TestDebianPostgresEventStore(TestPostgresEventStore):
    """The same on the oldest server that is supported."""

    server_fixture = "debian_postgres_server"
