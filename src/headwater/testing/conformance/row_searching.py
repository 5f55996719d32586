"""A search finds the rows with its words, the best first, and follows every change. Reads: row_paging.py.

What fits best is each backend's own judgement; where it is clear, they agree. Read next: row_joining.py.
"""

from __future__ import annotations

import pytest

from headwater.errors import ContractChanged, InvalidFilter
from headwater.read_models import PageRequest
from headwater.read_store import Range, ReadStore, Table
from headwater.testing.conformance.read_backend import ReadBackend
from headwater.testing.conformance.read_samples import (
    ARTICLES,
    SEATS,
    TICKETS,
    Article,
    Report,
    Seat,
    Ticket,
    put,
    reports,
)

_ROWS = (
    Ticket(code="a", title="Paper jam in printer", text="The printer on floor 2 stopped.", level=1),
    Ticket(code="b", title="No network", text="Wi-Fi gone; printing is slow. Paper is fine, a traffic jam", level=2),
    Ticket(code="c", title="Café MENÜ", text="Überfluß & <b>bold</b> 'quoted' 東京タワー", level=3),
    Ticket(code="d", title="Paper", text=None, level=4),
    Ticket(code="e", title="x_y 12.5 e-mail", text="bob@example.org", level=5),
)
_FOUND = (
    ("paper", "abd"),
    ("PAPER jam", "ab"),
    ('"paper jam"', "a"),
    ('"jam in"', "a"),
    ('"printer the"', ""),
    ("print*", "ab"),
    ("printer", "a"),
    ("pri* flo*", "a"),
    ("paper -jam", "d"),
    ("paper -print*", "d"),
    ('paper -"paper jam"', "bd"),
    ("-paper", "ce"),
    ("-paper -mail", "c"),
    ("cafe menu", "c"),
    ("uberfluss", "c"),
    ("ÜBERFLUSS", "c"),
    ("東京", "c"),
    ("京東", ""),
    ("wi-fi", "b"),
    ("e-mail", "e"),
    ("mail-e", ""),
    ("12.5", "e"),
    ("bob@example.org", "e"),
    ("x_y", "e"),
    ("nothing", ""),
    ("", "abcde"),
    ("  ", "abcde"),
    ("!!!", ""),
    ('"', ""),
    ('"paper', "abd"),
    ("*", ""),
    ("-", ""),
    ("NOT paper", ""),
    ("paper OR network", ""),
    ("title:paper", ""),
    ("paper' & 'jam", "ab"),
    ("paper) OR (code:a", ""),
    ('paper" OR "1"="1', ""),
    ("NEAR(paper jam)", ""),
    ("^paper", "abd"),
    ("{title}: paper", ""),
    ("paper\0jam", "a"),
    ("\ud800 paper", "abd"),
    ("'; DROP TABLE tickets_v1; --", ""),
    ("\\", ""),
    ("'paper':*", "abd"),
    ("!paper", "abd"),
    ("paper <-> jam", "ab"),
)


class RowSearching(ReadBackend):
    """Words, phrases, beginnings, exclusions; order, pages, highlights; and that the index follows the rows."""

    @pytest.mark.parametrize(("text", "found"), _FOUND, ids=ascii)
    async def test_a_search_finds_what_it_says(self, store: ReadStore, text: str, found: str) -> None:
        """No text is an error, and none means anything to the database."""
        await put(store, TICKETS, *_ROWS)
        reader = store.reader(Ticket).search(text)
        assert sorted([row.code for row in await reader.all()]) == list(found)
        assert sorted([row.code for row in await reader.sort("-level").all()]) == list(found)
        assert await reader.count() == len(found)

    async def test_what_fits_best_comes_first(self, store: ReadStore) -> None:
        """A field of greater weight counts more, and so does a word that is found more often; the key decides ties."""
        rows = [
            Ticket(code="a", title="apple", text="once a pear and other fruit"),
            Ticket(code="b", title="pear", text="once an apple and other fruit"),
            Ticket(code="c", title="plum", text="pear and pear and other fruit"),
            Ticket(code="d", title="apple", text="once a pear and other fruit"),
            *[Ticket(code=f"x{number}", title="plum", text="nothing to be found in here") for number in range(20)],
        ]
        await put(store, TICKETS, *rows)
        reader = store.reader(Ticket).search("pear")
        assert [row.code for row in await reader.all()] == ["b", "c", "a", "d"]
        assert [row.code for row in await reader.sort("-relevance,-code").all()] == ["d", "a", "c", "b"]
        assert [row.code for row in await reader.sort("title,relevance").all()] == ["a", "d", "b", "c"]
        assert [row.code for row in await store.reader(Ticket).sort("relevance,-code").where(level=0).all(1)] == ["x9"]

    async def test_what_only_excludes_fits_all_alike(self, store: ReadStore) -> None:
        """There is nothing to be found in them, be there words or none; what comes next in the order decides."""
        rows = [Ticket(code=code, title=title, text=None) for code, title in (("a", ""), ("b", "lamp"), ("c", "pear"))]
        await put(store, TICKETS, *rows, Ticket(code="d", title="jam", text="jam"))
        reader = store.reader(Ticket).search("-lamp -jam")
        assert [row.code for row in await reader.all()] == ["a", "c"]
        assert [row.code for row in await reader.sort("relevance,-code").all()] == ["c", "a"]

    @pytest.mark.parametrize("sort", ["relevance", "relevance,-level", "-level", "level,code"])
    async def test_pages_of_a_search_join_up_both_ways(self, store: ReadStore, sort: str) -> None:
        """With filters, a total, and many rows that fit equally well."""
        rows = [Ticket(code=f"{n:03}", title="word " * (n % 4 + 1), text="other", level=n % 7) for n in range(90)]
        await put(store, TICKETS, *rows)
        reader = store.reader(Ticket).search("word").where(level=Range(ge=2)).sort(sort)
        everything = [row.code for row in await reader.all()]
        seen: list[str] = []
        page = await reader.page(PageRequest(size=7, total=True))
        assert page.total == len(everything) == await reader.count()
        while True:
            seen += [row.code for row in page.items]
            if page.next is None:
                break
            page = await reader.page(PageRequest(size=7, cursor=page.next))
        assert seen == everything
        while page.previous is not None:
            page = await reader.page(PageRequest(size=7, cursor=page.previous))
            assert [row.code for row in page.items] == everything[everything.index(page.items[0].code) :][:7]

    async def test_the_index_follows_every_change(self, store: ReadStore) -> None:
        """New rows, changed words, changed other fields, deleted rows, and rows built anew."""
        await put(store, TICKETS, *_ROWS)
        await put(store, TICKETS, Ticket(code="a", title="Toner", text="empty"), deletes=["d"])
        assert [row.code for row in await store.reader(Ticket).search("paper").all()] == ["b"]
        assert [row.code for row in await store.reader(Ticket).search("toner").all()] == ["a"]
        await put(store, TICKETS, Ticket(code="a", title="Toner", text="empty", level=9))
        (found,) = await store.reader(Ticket).search("toner").all()
        assert found.level == 9
        assert await store.reader(Ticket).get("a") == found
        await store.reset("Tickets")
        assert await store.reader(Ticket).search("toner").all() == []
        await put(store, TICKETS, *_ROWS)
        assert await store.reader(Ticket).search("paper").count() == 3

    async def test_another_version_has_an_index_of_its_own(self, store: ReadStore, location: str) -> None:
        """And the old one goes with its table."""
        await put(store, TICKETS, *_ROWS)
        newer = Table("Tickets", 2, Ticket)
        await store.prepare([ARTICLES, SEATS, newer])
        assert await store.reader(Ticket).search("paper").all() == []
        await put(store, newer, _ROWS[0])
        await store.retire("Tickets")
        assert [row.code for row in await store.reader(Ticket).search("paper").all()] == ["a"]
        self.needs("durable")
        await store.close()
        async with self.open(location) as again:
            await again.prepare([ARTICLES, SEATS, newer])
            assert [row.code for row in await again.reader(Ticket).search("jam").all()] == ["a"]

    async def test_searching_another_way_is_another_shape(self, store: ReadStore, location: str) -> None:
        """What is stored under the same version has no index for it."""
        self.needs("durable")

        class Plain(Ticket):
            title: str = ""

        await store.close()
        async with self.open(location) as again:
            with pytest.raises(ContractChanged, match="version = 2"):
                await again.prepare([Table("Tickets", 1, Plain)])

    async def test_highlights_show_where_the_words_are(self, store: ReadStore) -> None:
        """As safe HTML, by field, for each item of a page, and only if they are asked for."""
        await put(store, TICKETS, *_ROWS)
        page = await store.reader(Ticket).search('bold "paper jam"', highlight=True).page()
        assert (page.items, page.highlights) == ([], [])
        page = await store.reader(Ticket).search("bold quo*", highlight=True).page()
        marked = "Überfluß &amp; &lt;b&gt;<mark>bold</mark>&lt;/b&gt; &#x27;<mark>quoted</mark>&#x27; 東京タワー"
        assert page.highlights == [{"text": marked}]
        page = await store.reader(Ticket).search("menu 東京", highlight=True).page()
        shown = "Überfluß &amp; &lt;b&gt;bold&lt;/b&gt; &#x27;quoted&#x27; <mark>東京</mark>タワー"
        assert page.highlights == [{"title": "Café <mark>MENÜ</mark>", "text": shown}]
        assert not (await store.reader(Ticket).search("menu").page()).highlights

    async def test_of_a_long_text_a_part_is_shown_and_found_again(self, store: ReadStore) -> None:
        """Also where there are more words than an index takes."""
        text = "start " + "lorem ipsum " * 100 + "needle " + "dolor sit " * 40_000 + "thread"
        await put(store, TICKETS, Ticket(code="long", title="title", text=text))
        page = await store.reader(Ticket).search('"ipsum needle"', highlight=True).page()
        assert page.highlights
        fragment = page.highlights[0]["text"]
        assert fragment.startswith("…")
        assert fragment.endswith("…")
        assert "<mark>ipsum needle</mark> dolor" in fragment
        assert len(fragment) < 250
        assert await store.reader(Ticket).search("start needle").count() == 1

    async def test_a_language_finds_the_forms_of_a_word(self, store: ReadStore) -> None:
        """In every store alike, because the words are cut before they are stored."""
        pytest.importorskip("snowballstemmer")
        table = reports()
        await store.prepare([table])
        await put(store, table, Report(code="a", text="The printers are printing"), Report(code="b", text="A print"))
        reader = store.reader(Report)
        assert [row.code for row in await reader.search("printer").all()] == ["a"]
        assert await reader.search("printed").count() == 2
        assert await reader.search('"are print"').count() == 1
        assert await reader.search("printi*").count() == 0
        page = await reader.search("prints", highlight=True).sort("code").page()
        assert page.highlights == [
            {"text": "The printers are <mark>printing</mark>"},
            {"text": "A <mark>print</mark>"},
        ]

    @pytest.mark.parametrize("text", ["x" * 501, " ".join(f"w{number}" for number in range(33))])
    async def test_a_search_has_bounds(self, store: ReadStore, text: str) -> None:
        """Of characters, and of different words."""
        with pytest.raises(InvalidFilter, match="at most"):
            store.reader(Ticket).search(text)

    async def test_what_has_no_words_cannot_be_searched(self, store: ReadStore) -> None:
        """The error says how to change that."""
        with pytest.raises(InvalidFilter, match="Searchable"):
            store.reader(Seat).search("x")
        with pytest.raises(InvalidFilter, match="Searchable"):
            store.reader(Article).search("")
