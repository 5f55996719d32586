"""Words that very many rows have: found in all of them, and not ranked."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from headwater.backends.postgres import row_plans, row_words
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
            Ticket(
                code=f"{n:02}",
                title="word " * (4 - n % 4),
                text=("rare once", "rare", "rare")[n] if n < 3 else "",
                level=n % 3,
            )
            for n in range(12)
        ]
        await put(store, TICKETS, *rows)

        def ranking(most):
            for module in (row_plans, row_words):
                monkeypatch.setattr(module, "MOST_RANKED", most)
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


@pytest.mark.parametrize(
    ("most", "text", "is_counted"),
    [
        (4, "word", True),
        (4, "wor*", True),
        (4, "once", False),
        (4, "word once", False),
        (4, "word nowhere", False),
        (4, "-once", True),
        (24, "word", False),
    ],
)
async def test_rows_are_counted_only_where_there_may_be_many(
    reader, postgres_server, postgres_url, monkeypatch, most, text, is_counted
):
    """Statistics say which words are rare, and which tables small; without them everything is counted."""
    counted, is_common = [], row_plans.TableSql.is_common
    monkeypatch.setattr(
        row_plans.TableSql, "is_common", lambda names, search: counted.append(text) or is_common(names, search)
    )
    monkeypatch.setattr(row_words, "_BELIEVED_SECONDS", -1.0)
    found = reader(most).search(text)
    before = await found.all()
    assert counted == [text]
    postgres_server.execute("ANALYZE headwater_read.tickets_v1", url=postgres_url)
    assert await found.all() == before
    assert counted == [text] * (1 + is_counted)
