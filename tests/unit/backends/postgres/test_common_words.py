"""Words that very many rows have: found in all of them, and not ranked."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from headwater.backends.postgres import row_plans
from headwater.backends.postgres.read_store import open_postgres
from headwater.read_models import PageRequest
from headwater.testing.conformance.read_samples import TICKETS, Ticket, put


@pytest_asyncio.fixture
async def reader(postgres_url, monkeypatch):
    """Tickets of which twelve have a word, some more often; so many are ranked at most as the test says."""
    async with AsyncExitStack() as stack:
        store = await open_postgres(postgres_url, migrate=True)
        stack.push_async_callback(store.close)
        await store.prepare([TICKETS])
        rows = [
            Ticket(code=f"{n:02}", title="word " * (4 - n % 4), text="rare" if n < 3 else "", level=n % 3)
            for n in range(12)
        ]
        await put(store, TICKETS, *rows)

        def ranking(most):
            monkeypatch.setattr(row_plans, "MOST_RANKED", most)
            return store.reader(Ticket).sort("relevance,-code")

        yield ranking


@pytest.mark.parametrize(("most", "is_ranked"), [(11, False), (12, True), (10_000, True)])
async def test_more_than_so_many_fit_alike(reader, most, is_ranked):
    """Then the next term of the order decides; nothing is left out."""
    codes = [row.code for row in await reader(most).search("word").all()]
    assert sorted(codes) == [f"{n:02}" for n in range(12)]
    assert (codes == sorted(codes, reverse=True)) is not is_ranked


async def test_what_few_rows_have_is_ranked_among_common_words(reader):
    """How many there are is asked of the whole search, not of each word."""
    few = [row.code for row in await reader(3).search("word rare").all()]
    assert few == [row.code for row in await reader(10_000).search("word rare").all()]
    assert sorted(few, reverse=True) == ["02", "01", "00"] != few


async def test_pages_join_up_and_filters_hold(reader):
    """Also those of what is not ranked, and backwards."""
    found = reader(3).search("word").where(level=1)
    page = first = await found.page(PageRequest(size=3, total=True))
    assert (page.total, [row.code for row in page.items]) == (4, ["10", "07", "04"])
    page = await found.page(PageRequest(size=3, cursor=page.next))
    assert ([row.code for row in page.items], page.next) == (["01"], None)
    assert (await found.page(PageRequest(size=3, cursor=page.previous))).items == first.items
