"""Pages follow each other without gap or repetition, both ways. Reads: row_finding.py. Read next: read_store.py."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headwater.errors import InvalidCursor, InvalidFilter
from headwater.read_models import Page, PageRequest
from headwater.read_store import Range, Reader, ReadStore
from headwater.testing.conformance.read_backend import ReadBackend
from headwater.testing.conformance.read_samples import ARTICLES, SEATS, Article, put

_SORTS = (
    "",
    "stock",
    "-stock",
    "price,-stock",
    "-price,stock",
    "title,-code",
    "-title",
    "state,-title,stock",
    "-made_at",
)
_rows = st.builds(
    Article,
    code=st.text(alphabet="abc", max_size=4),
    state=st.sampled_from(["new", "old"]),
    stock=st.none() | st.integers(0, 2),
    price=st.none() | st.decimals(-2, 2, places=1),
    title=st.none() | st.sampled_from(["", "x", "y"]),
)


class RowPaging(ReadBackend):
    """Cursors."""

    async def test_a_page_knows_its_neighbours(self, store: ReadStore) -> None:
        """Forward to the end and back to the beginning, with the total if asked for."""
        reader = await _ten(store)
        first = await reader.page(PageRequest(size=4, total=True))
        second = await reader.page(PageRequest(size=4, cursor=first.next))
        third = await reader.page(PageRequest(size=4, cursor=second.next))
        assert [_codes(page) for page in (first, second, third)] == ["9876", "5432", "10"]
        assert (first.previous, third.next) == (None, None)
        assert (first.total, second.total) == (10, None)
        back = await reader.page(PageRequest(size=4, cursor=third.previous))
        start = await reader.page(PageRequest(size=4, cursor=back.previous))
        assert [_codes(page) for page in (back, start)] == ["5432", "9876"]
        assert start.previous is None
        assert back.next is not None

    async def test_pages_stay_in_place_when_rows_come_and_go(self, store: ReadStore) -> None:
        """A page begins after a row, not after a number of rows."""
        reader = await _ten(store)
        first = await reader.page(PageRequest(size=3))
        await put(store, ARTICLES, Article(code="99"), deletes=["9", "8"])
        assert _codes(await reader.page(PageRequest(size=3, cursor=first.next))) == "654"

    async def test_an_empty_page_has_no_neighbours(self, store: ReadStore) -> None:
        """Nothing is found, and nothing lies beyond."""
        assert await store.reader(Article).page() == Page([], None, None, None)
        assert await store.reader(Article).page(PageRequest(total=True)) == Page([], None, None, 0)

    @pytest.mark.parametrize("size", [0, -1, 1_001])
    async def test_a_page_has_bounds(self, store: ReadStore, size: int) -> None:
        """Nobody reads the whole table by mistake."""
        with pytest.raises(InvalidFilter, match="1000"):
            await store.reader(Article).page(PageRequest(size=size))

    async def test_a_cursor_is_good_for_its_own_query_only(self, store: ReadStore) -> None:
        """Another order, filter or model refuses it, and the page size does not matter."""
        reader = await _ten(store)
        cursor = (await reader.page(PageRequest(size=3))).next
        others: list[Reader[Any]] = [
            reader.sort("code"),
            reader.sort("-stock"),
            reader.where(state="new"),
            reader.where(stock=Range(0, 99)),
        ]
        for other in others:
            with pytest.raises(InvalidCursor):
                await other.page(PageRequest(cursor=cursor))
        assert _codes(await reader.page(PageRequest(size=1, cursor=cursor))) == "6"

    async def test_a_damaged_cursor_is_refused(self, store: ReadStore) -> None:
        """Every single character of it counts."""
        reader = await _ten(store)
        cursor = (await reader.page(PageRequest(size=3))).next or ""
        damaged = [
            cursor[:at] + ("A" if cursor[at] != "A" else "B") + cursor[at + 1 :] for at in range(len(cursor) - 1)
        ]
        for bad in ("", "x", "====", "\u00e4", "a" * 10_000, cursor[:-4], cursor + "AAAA", *damaged):
            with pytest.raises(InvalidCursor):
                await reader.page(PageRequest(cursor=bad))

    async def test_a_cursor_survives_a_restart(self, location: str, store: ReadStore) -> None:
        """Its key is kept with the rows."""
        self.needs("durable")
        cursor = (await (await _ten(store)).page(PageRequest(size=3))).next
        await store.close()
        async with self.open(location) as again:
            await again.prepare([ARTICLES, SEATS])
            page = await again.reader(Article).sort("-code").page(PageRequest(size=2, cursor=cursor))
        assert _codes(page) == "65"

    def test_pages_together_are_the_whole(self, tmp_path: Path) -> None:
        """For any rows, order and size: forward and backward, with None, ties and mixed directions."""
        directories = (tmp_path / str(number) for number in itertools.count())

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(
            rows=st.lists(_rows, max_size=14, unique_by=lambda row: row.code),
            sort=st.sampled_from(_SORTS),
            size=st.integers(1, 5),
        )
        def check(rows: list[Article], sort: str, size: int) -> None:
            directory = next(directories)
            directory.mkdir()
            asyncio.run(self._pages_are_the_whole(self.url(directory), rows, sort, size))

        check()

    async def _pages_are_the_whole(self, location: str, rows: list[Article], sort: str, size: int) -> None:
        async with self.open(location) as store:
            await store.prepare([ARTICLES])
            await put(store, ARTICLES, *rows)
            reader = store.reader(Article).sort(sort)
            expected = sorted_rows(rows, sort)
            assert await reader.all() == expected
            forward, last = await _walk(reader, size, "next")
            assert list(itertools.chain(*forward)) == expected
            backward, _ = await _walk(reader, size, "previous", last.previous)
            assert backward[::-1] == forward[:-1]


def sorted_rows(rows: list[Article], sort: str) -> list[Article]:
    """What the order means, said in Python."""
    terms = [(name.removeprefix("-"), name.startswith("-")) for name in sort.split(",") if name]
    terms.append(("code", terms[-1][1] if terms else False))
    for name, descending in reversed(terms):

        def rank(row: Article, name: str = name) -> tuple[bool, Any]:
            value = getattr(row, name)
            return (value is not None, 0 if value is None else value)

        rows = sorted(rows, key=rank, reverse=descending)
    return rows


async def _walk(
    reader: Reader[Article], size: int, direction: str, cursor: str | None = ""
) -> tuple[list[list[Article]], Page[Article]]:
    """The pages from a cursor on (an empty one: from the start), and the last of them."""
    pages: list[list[Article]] = []
    page: Page[Article] = Page([])
    while cursor is not None:
        page = await reader.page(PageRequest(size=size, cursor=cursor or None))
        pages.append(page.items)
        cursor = page.next if direction == "next" else page.previous
    return pages, page


async def _ten(store: ReadStore) -> Reader[Article]:
    await put(store, ARTICLES, *[Article(code=str(number), stock=number) for number in range(10)])
    return store.reader(Article).sort("-code")


def _codes(page: Page[Article]) -> str:
    return "".join(row.code for row in page.items)
