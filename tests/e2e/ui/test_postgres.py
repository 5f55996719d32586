"""The pages on PostgreSQL: the same as on any other store."""

from __future__ import annotations

import httpx2
from tests.forms import Browser
from tests.unit.ui.shop import open_shop

from headwater.http import HttpOptions, asgi
from headwater.ui import TaskUi


async def test_the_pages_are_the_same_on_postgresql(postgres_url):
    """A form, its page, a list with a search and a filter, a task that is no longer on offer."""
    async with open_shop.open(postgres_url) as runtime:
        door = asgi(runtime, HttpOptions(doors=[TaskUi(wait_seconds=30)]))
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=door), base_url="http://shop") as client:
            browser = Browser(client)
            for order_id, customer in (("A-1", "Ada Lovelace"), ("B-1", "Bob")):
                form = (await browser.open("/ui/commands/place-order")).form("task")
                placed = await browser.send(form.fill(order_id=order_id, customer=customer))
            found = await browser.open("/ui/queries/find-orders?search=lovelace&status=placed&page.total=true")
            detail = await browser.open(found.link("A-1"))
            shipped = await browser.send((await browser.open(detail.link("Ship order"))).form("task"))

    assert placed.tree.one("h1").text == "Order B-1"
    assert ("1 of 1" in found.text, [mark.text for mark in found.tree.all("mark")]) == (True, ["Lovelace"])
    assert "order A-1 is shipped" in shipped.tree.one("ul", class_="off").text
