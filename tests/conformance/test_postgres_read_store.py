"""The PostgreSQL read store passes the suite, on this year's server and on Debian's."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import pytest

from headwater.testing.conformance import Capabilities, ReadStoreConformance


class TestPostgresReadStore(ReadStoreConformance):
    """Every promise, with nothing left out; each test has a schema of its own."""

    capabilities = Capabilities(name="postgres", durable=True, multi_process=True, enforces_immutability=False)
    server_fixture = "postgres_server"
    database = ""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _database(cls, request: pytest.FixtureRequest) -> Iterator[None]:
        server = request.getfixturevalue(cls.server_fixture)
        cls.database = server.fresh_database()
        yield
        server.drop_database(cls.database)

    def url(self, directory: Path) -> str:
        name = blake2b(str(directory).encode(), digest_size=8).hexdigest()
        return f"{self.database}?schema=rows_{name}"


class TestDebianPostgresReadStore(TestPostgresReadStore):
    """The same on an older server."""

    server_fixture = "debian_postgres_server"
