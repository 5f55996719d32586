"""Behind PgBouncer in transaction mode, each transaction has another session, and no setting stays."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from tests.servers.pgbouncer import pooled

from headwater.backends.postgres.read_store import open_postgres
from headwater.errors import QueryTooSlow, ReadOnlyViolation
from headwater.testing.conformance.read_samples import NOON, SEATS, Seat, put


@pytest.fixture
def pooled_url(postgres_server, postgres_url):
    with pooled(postgres_server) as address:
        yield address + urlsplit(postgres_url).path


@asynccontextmanager
async def _opened(url):
    store = await open_postgres(url, migrate=True)
    try:
        await store.prepare([SEATS])
        yield store
    finally:
        await store.close()


async def test_many_connections_share_few_sessions(pooled_url):
    """Readers and writers alike, with more connections than there are sessions."""
    async with _opened(pooled_url) as one, _opened(pooled_url) as other:
        for number in range(10):
            await put(one, SEATS, Seat(day=NOON.date(), number=number))
            counts = await asyncio.gather(*(store.reader(Seat).count() for store in (one, other) * 5))
            assert set(counts) == {number + 1}
        await one.reset("Seats")
        assert await other.reader(Seat).count() == 0


async def test_a_stream_keeps_its_session(pooled_url):
    """To its end, while others work."""
    rows = [Seat(day=NOON.date(), number=number) for number in range(700)]
    async with _opened(pooled_url) as store:
        await put(store, SEATS, *rows)
        seen = []
        async for row in store.reader(Seat).sort("number").stream():
            if not len(seen) % 100:
                await store.reader(Seat).count()
            seen.append(row)
    assert seen == rows


async def test_queries_only_read_and_have_their_limit(pooled_url):
    """Although no session can be set so."""
    async with _opened(f"{pooled_url}?statement_timeout=0.2") as store:
        with pytest.raises(ReadOnlyViolation):
            await store.query("DELETE FROM seats_v1")
        with pytest.raises(QueryTooSlow):
            await store.query("SELECT pg_sleep(60)")
        await put(store, SEATS, Seat(day=NOON.date(), number=1))
        assert await store.query("SELECT count(*) FROM seats_v1") == [(1,)]
