"""A log in a database of its own, and words to look at it from outside."""

from __future__ import annotations

import pytest
import pytest_asyncio

from headwater.event_store import open_store


@pytest_asyncio.fixture
async def store(postgres_url):
    """An empty log, closed after the test."""
    async with open_store(postgres_url) as opened:
        yield opened


@pytest.fixture
def sql(postgres_server, postgres_url):
    """Run a statement in the test's database, as the server's superuser."""

    def run(statement):
        return postgres_server.execute(statement, url=postgres_url)

    return run
