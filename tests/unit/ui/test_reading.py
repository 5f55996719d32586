from __future__ import annotations

import asyncio
from urllib.parse import quote

import pytest
from tests.unit.ui.conftest import browser_of, place
from tests.unit.ui.shop import CancelOrder, FindOrders, Line, ShipOrder

from headwater.http import HttpOptions
from headwater.http.options import NOBODY
from headwater.servicedesk.app import app as desk
from headwater.servicedesk.incident_messages import OpenIncident
from headwater.ui import Show, TaskUi
from headwater.ui.changes import Changes
from headwater.ui.site import Site

_HOSTILE = "<script>alert(1)</script>\"'&{{7*7}}"


async def test_the_start_page_says_what_there_is(browser):
    """Lists, reports, details and tasks, in words from their names and docstrings."""
    page = await browser.open("/ui/")

    assert [link.text for link in page.tree.one("main").all("a")] == [
        "Orders",
        "Count orders",
        "Articles of",
        "Order",
        "Place order",
        "Every kind",
        "Ship order",
        "Cancel order",
        "Fetch prices",
    ]
    assert "A customer orders." in page.text
    assert "2 more tasks, for what is there already" in page.text


async def test_a_list_is_a_table_whose_rows_lead_to_their_pages(browser, runtime):
    """Fields with single values are its columns; the key is the link."""
    await place(runtime, "A-1", "Ada", lines=[Line(sku="x", count=3)])
    page = await browser.open("/ui/queries/find-orders")

    assert page.rows() == [["A-1", "Ada", "placed", "3", "2026-01-02 03:04 UTC", "\N{EN DASH} none"]]
    assert page.link("A-1") == "http://shop/ui/queries/get-order?order_id=A-1"


async def test_a_list_is_filtered_with_its_form(browser, runtime):
    """Each filter of the query is a field; what is left empty does not restrict."""
    await place(runtime, "A-1", "Ada", lines=[Line(sku="x", count=3)])
    await place(runtime, "B-1", "Bob")
    await place(runtime, "B-2", "Bert", lines=[Line(sku="x", count=9)])
    form = (await browser.open("/ui/queries/find-orders")).form("filters")
    page = await browser.send(form.fill(customer="B", articles__ge="1", status=["placed", "shipped"]))

    assert [row[0] for row in page.rows()] == ["B-2"]
    assert dict(page.form("filters").fields)["customer"] == "B"


async def test_a_search_marks_what_it_found(browser, runtime):
    """The words are marked, everything around them is escaped."""
    await place(runtime, "A-1", "Ada & <b>Byron</b>")
    page = await browser.open("/ui/queries/find-orders?search=byron")

    assert [mark.text for mark in page.tree.all("mark")] == ["Byron"]
    assert "<b>" not in page.response.text
    assert page.rows()[0][1] == "Ada & <b>Byron</b>"


async def test_a_search_is_marked_also_where_the_query_does_not_say_so():
    """Programs get highlights if the query declares them, people always."""
    async with desk.open("memory:") as runtime, browser_of(runtime) as browser:
        await runtime.execute(OpenIncident(incident_id="INC1", caller="Ada <b>"))
        await runtime.caught_up()
        page = await browser.open("/ui/queries/find-incidents?search=inc1+ada&fields=incident_id&fields=caller")

    assert page.rows() == [["INC1", "Ada <b>"]]
    assert [mark.text for mark in page.tree.all("mark")] == ["INC1", "Ada"]


async def test_a_list_is_sorted_by_its_headings_and_by_several_keys(browser, runtime):
    """A heading sorts up, then down; the form takes two keys."""
    for order_id, customer in (("1", "Bob"), ("2", "Ada"), ("3", "Bob")):
        await place(runtime, order_id, customer)
    up = await browser.open((await browser.open("/ui/queries/find-orders")).link("Customer"))
    down = await browser.open(up.link("Customer ↑"))
    both = await browser.send(down.form("filters").fill(sort=["customer", "-order_id"]))

    assert [row[1] for row in up.rows()] == ["Ada", "Bob", "Bob"]
    assert [row[1] for row in down.rows()] == ["Bob", "Bob", "Ada"]
    assert [row[0] for row in both.rows()] == ["2", "3", "1"]


async def test_a_list_is_paged_both_ways_and_counted_when_asked(browser, runtime):
    """Signed cursors lead on and back; a total is told if it is asked for."""
    for number in range(5):
        await place(runtime, f"A-{number}")
    first = await browser.open("/ui/queries/find-orders?page.size=2&page.total=true")
    second = await browser.open(first.link("Next →"))
    back = await browser.open(second.link("← Previous"))

    assert "2 of 5" in first.text
    assert [[row[0] for row in page.rows()] for page in (second, back)] == [["A-2", "A-3"], ["A-0", "A-1"]]


async def test_the_reader_chooses_columns(browser, runtime):
    """Only those are read; the rows still lead to their pages."""
    await place(runtime)
    page = await browser.open("/ui/queries/find-orders?fields=status&fields=articles")

    assert page.rows() == [["placed", "0"]]
    assert page.link("placed").endswith("/ui/queries/get-order?order_id=A-1")


async def test_what_is_wrong_with_a_filter_stands_beside_it(browser):
    """Every fault at once, with what was entered; the query is not asked."""
    page = await browser.open("/ui/queries/find-orders?articles.ge=many&placed_at.le=noon&status=lost")

    assert page.status == 422
    assert page.tree.one(id="f-articles-ge")["value"] == "many"
    assert page.tree.one(id="f-articles-ge-error").text == "must be a whole number"
    assert page.tree.one(id="f-placed_at-le-error").text == "must be a date and a time"
    assert "must be one of the choices" in page.tree.one(id="f-status").text


@pytest.mark.parametrize(
    ("parameters", "told"),
    [("page.cursor=x", "cursor"), ("sort=lines", "lines"), ("fields=colour", "colour"), ("colour=x", "colour")],
)
async def test_what_a_query_cannot_do_is_told_in_the_page(browser, parameters, told):
    """A cursor of another query, an order or a field that there is not."""
    page = await browser.open(f"/ui/queries/find-orders?{parameters}")

    assert page.status in {400, 422}
    assert told in page.tree.one(role="alert").text


async def test_an_empty_list_says_so(browser):
    """And shows the way back to everything."""
    page = await browser.open("/ui/queries/find-orders?customer=Nobody")

    assert "Nothing fits." in page.text
    assert page.link("Show all") == "http://shop/ui/queries/find-orders"


async def test_a_detail_shows_what_can_be_done_and_why_not_the_rest(browser, runtime):
    """Nested rows are tables; tasks are on offer as long as their rule holds, else they say the reason."""
    await place(runtime, lines=[Line(sku="x", count=3, gift=True)])
    await runtime.execute(ShipOrder(order_id="A-1"))
    await runtime.caught_up()
    page = await browser.open("/ui/queries/get-order?order_id=A-1")
    tasks = page.tree.one("aside")

    assert page.rows() == [["x", "3", "Yes"]]
    assert [link.text for link in tasks.all("a")] == ["Every kind"]
    assert [(off.one("span").text, off.one("p").text) for off in tasks.one("ul", class_="off").all("li")] == [
        ("Place order", "order A-1 is already shipped"),
        ("Ship order", "order A-1 is shipped"),
        ("Cancel order", "Only an order that waits can be cancelled."),
    ]


async def test_a_detail_that_is_not_there_offers_what_would_make_it(browser):
    """404, and the tasks that begin."""
    page = await browser.open("/ui/queries/get-order?order_id=A-1")

    assert page.status == 404
    assert "Place order" in page.tree.one("main").text


async def test_a_detail_without_its_key_asks_for_it(browser, runtime):
    """Looking up begins with a form."""
    await place(runtime)
    form = (await browser.open("/ui/queries/get-order")).form("filters")
    page = await browser.send(form.fill(order_id="A-1"))

    assert page.tree.one("h1").text == "Order A-1"


async def test_reports_are_shown_as_what_they_answer(browser, runtime):
    """A number, a table of structs; a needed parameter is asked for first."""
    await place(runtime, lines=[Line(sku="x")])
    number = await browser.open("/ui/queries/count-orders")
    asked = await browser.open("/ui/queries/articles-of")
    table = await browser.send(asked.form("filters").fill(customer="Ada"))

    assert number.tree.one("dd").text == "1"
    assert table.rows() == [["x", "1", "No"]]


async def test_every_text_is_escaped(browser, runtime):
    """Rows, reasons and entered values may hold anything."""
    await place(runtime, customer=_HOSTILE, lines=[Line(sku=_HOSTILE)])
    await runtime.execute(CancelOrder(order_id="A-1", reason=_HOSTILE))
    await runtime.caught_up()
    for parameters in ("find-orders?search=", "find-orders?articles.ge=", "find-orders?x=", "get-order?order_id="):
        shown = await browser.open(f"/ui/queries/{parameters}{quote(_HOSTILE)}")
        assert "<script>alert" not in shown.response.text
        assert "49" not in shown.tree.one("main").text
    page = await browser.open("/ui/queries/find-orders")

    assert page.rows()[0][1] == _HOSTILE
    assert "&lt;script&gt;alert(1)" in page.response.text


async def test_an_answer_says_how_fresh_it_is(browser, runtime):
    """Its position and its age."""
    await place(runtime)
    page = await browser.open("/ui/queries/find-orders")

    assert "As of position 1, up to date." in page.text


async def test_what_is_said_about_the_pages_is_shown(runtime):
    """Titles, words for fields, columns and what is hidden."""
    ui = TaskUi(
        title="The corner shop",
        show={FindOrders: Show(title="All of them", columns=["order_id", "status"], labels={"status": "State"})},
        hide=[CancelOrder],
        labels={"order_id": "Number"},
    )
    await place(runtime)
    async with browser_of(runtime, ui) as browser:
        page = await browser.open("/ui/queries/find-orders")
        hidden = await browser.open("/ui/commands/cancel-order")
        detail = await browser.open("/ui/queries/get-order?order_id=A-1")

    assert [head.text for head in page.tree.all("th")] == ["Number", "State"]
    assert page.tree.one("h1").text == "All of them"
    assert page.tree.one("a", class_="brand").text == "The corner shop"
    assert hidden.status == 404
    assert "Cancel order" not in detail.text


async def test_an_address_says_only_what_is_not_so_anyway(browser):
    """A form without scripts says every field; the address that can be passed on is short."""
    form = (await browser.open("/ui/queries/find-orders")).form("filters")
    usual = await browser.send(form)
    changed = await browser.send(usual.form("filters").fill(sort=["-articles", ""], customer="A"))

    assert usual.url == "http://shop/ui/queries/find-orders"
    assert changed.url == "http://shop/ui/queries/find-orders?sort=-articles&customer=A"


async def test_a_filter_that_holds_is_named_and_can_be_left(browser, runtime):
    """Beside the answer, with what was entered."""
    await place(runtime)
    page = await browser.open("/ui/queries/find-orders?status=placed&status=shipped&articles.ge=0&search=ada")
    held = page.tree.one("ul", class_="chosen")

    assert [each.text for each in held.all("li")] == [
        "Status: placed, shipped \N{MULTIPLICATION SIGN}",
        "Articles from: 0 \N{MULTIPLICATION SIGN}",
        "Search: ada \N{MULTIPLICATION SIGN}",
    ]
    assert next(held.all("a"))["href"] == "/ui/queries/find-orders?articles.ge=0&search=ada"


async def test_changes_of_an_answer_are_told_as_they_come(runtime):
    """An event for each change, without content; it goes on after the position that the page shows."""
    await place(runtime)
    site = Site(runtime, HttpOptions(), TaskUi())
    changes = Changes(site, FindOrders(), NOBODY, 1)
    sent, gone = asyncio.Queue(), asyncio.Event()

    async def receive():
        await gone.wait()
        return {"type": "http.disconnect"}

    telling = asyncio.create_task(changes({"headers": []}, receive, sent.put))
    assert (await sent.get())["status"] == 200
    assert (await sent.get())["body"] == b"retry: 1000\n\n"
    await place(runtime, "B-1")
    assert (await sent.get())["body"] == b"id: 2\nevent: changed\ndata:\n\n"
    gone.set()
    await telling


async def test_a_live_list_says_where_changes_are_told(browser, runtime):
    """With scripts they are heard, without the page reloads; it can be left again."""
    await place(runtime)
    quiet = await browser.open("/ui/queries/find-orders?status=placed")
    live = await browser.open(quiet.link("Update as it changes"))

    assert live.tree.one(**{"hx-sse:connect": "/ui/queries/find-orders/changes?status=placed&_since=1"})
    assert live.tree.one("noscript").one("meta", http_equiv="refresh")
    assert live.link("Stop updating") == quiet.url
