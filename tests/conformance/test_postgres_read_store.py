"""The PostgreSQL read store passes the suite."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import pytest
from tests.servers.postgres import Postgres

from headwater.testing.conformance import Capabilities, ReadStoreConformance


@pytest.fixture(scope="module")
def database(postgres_server: Postgres) -> Iterator[str]:
    url = postgres_server.fresh_database()
    yield url
    postgres_server.drop_database(url)


class TestPostgresReadStore(ReadStoreConformance):
    """Every promise, with nothing left out; each test has a schema of its own."""

    capabilities = Capabilities(name="postgres", durable=True, multi_process=True, enforces_immutability=False)
    database: str

    @pytest.fixture(autouse=True)
    def _database(self, database: str) -> None:
        type(self).database = database

    def url(self, directory: Path) -> str:
        name = blake2b(str(directory).encode(), digest_size=8).hexdigest()
        return f"{self.database}?schema=rows_{name}"
