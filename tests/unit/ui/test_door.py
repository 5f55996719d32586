from __future__ import annotations

import re

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from tests.unit.ui.conftest import browser_of, place
from tests.unit.ui.shop import EveryKind, FindOrders, GetOrder, PlaceOrder

from headwater.errors import WiringError
from headwater.http import HttpOptions, Unauthenticated, asgi
from headwater.ui import Show, TaskUi


async def test_pages_allow_nothing_but_what_comes_from_here(browser):
    """No inline script or style, no frame around, no sniffing, nothing kept."""
    page = await browser.open("/ui/commands/place-order")
    headers = page.response.headers

    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*src=)", page.response.text)


async def test_style_and_script_can_be_kept_for_good(browser):
    """Their addresses change with them."""
    page = await browser.open("/ui/")
    for tag, name in (("link", "href"), ("script", "src")):
        urls = [each[name] for each in page.tree.all(tag) if each.get(name)]
        for url in urls:
            response = await browser.client.get(url)
            assert response.status_code == 200
            assert "immutable" in response.headers["cache-control"]


async def test_what_is_not_there_is_a_page_too(browser):
    """An unknown query, command, file or path, with the nearest name."""
    for url, told in (
        ("queries/find-order", "FindOrders"),
        ("commands/plac-order", "PlaceOrder"),
        ("static/x.css", "x.css"),
        ("nowhere", "nowhere"),
    ):
        page = await browser.open(f"/ui/{url}")
        assert page.status == 404
        assert told in page.text


async def test_a_failure_of_ours_tells_nothing_of_it(browser, caplog):
    """The page of a command whose handler breaks: 500, logged."""
    form = (await browser.open("/ui/commands/fetch-prices")).form("task").fill(supplier="x")
    page = await browser.send(form)

    assert page.status == 500
    assert "hunter2" not in page.text
    assert "hunter2" in caplog.text


async def test_only_forms_of_a_bearable_size_are_read(runtime):
    """Anything else is refused with a page."""
    async with browser_of(runtime, max_body_bytes=1000) as browser:
        url, form = "/ui/commands/place-order", {"content-type": "application/x-www-form-urlencoded"}
        as_json = await browser.client.post(url, json={})
        large = await browser.client.post(url, content="a=" + "x" * 2000, headers=form)
        broken = await browser.client.post(url, content="a=%ff", headers=form)
        asked = await browser.client.get("/ui/queries/find-orders?a=%ff")

    assert asked.status_code == 400
    assert [each.status_code for each in (as_json, large, broken)] == [415, 413, 400]


async def test_who_is_not_known_gets_a_page_that_says_so(runtime):
    """The hook's own answer, with its challenge."""

    def nobody(scope):
        raise Unauthenticated("come in by the front door", challenge="Basic")

    async with browser_of(runtime, authenticate=nobody) as browser:
        pages = [await browser.open(f"/ui/{url}") for url in ("", "queries/find-orders", "commands/place-order")]

    assert [page.status for page in pages] == [401] * 3
    assert pages[0].response.headers["www-authenticate"] == "Basic"
    assert "come in by the front door" in pages[0].text


async def test_pages_are_found_below_where_they_are_mounted(runtime):
    """Links, forms, cookies and redirects all follow."""
    await place(runtime)
    inner = asgi(runtime, HttpOptions(doors=[TaskUi(path="/pages")]))
    outer = Starlette(routes=[Mount("/shop", app=inner)])
    async with browser_of(runtime) as browser:
        browser.client = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=outer), base_url="http://shop")
        detail = await browser.open((await browser.open("/shop/pages/queries/find-orders")).link("A-1"))
        page = await browser.send((await browser.open(detail.link("Ship order"))).form("task"))
        await browser.client.aclose()

    assert page.url.startswith("http://shop/shop/pages/queries/get-order?order_id=A-1")
    assert "Ship order: done" in page.text


@pytest.mark.parametrize("role", ["command", "query"])
async def test_there_are_no_pages_where_only_one_side_is_served(runtime, role):
    """A form needs both."""
    async with browser_of(runtime, role=role) as browser:
        assert (await browser.client.get("/ui/")).status_code == 404


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"path": "ui"}, "path"),
        ({"templates": "/nowhere/at/all"}, "templates"),
        ({"hide": [int]}, "int is no command or query"),
        ({"show": {PlaceOrder: Show(columns=["x"])}}, "columns are for lists"),
        ({"show": {PlaceOrder: Show(fields=["x"])}}, "has no field 'x'"),
        ({"show": {PlaceOrder: Show(fields=["order_id"])}}, "PlaceOrder.customer must be among the fields"),
        ({"show": {FindOrders: Show(columns=["colour"])}}, "colour"),
    ],
)
async def test_what_is_said_of_things_that_are_not_there_is_told_at_once(runtime, options, told):
    """When the application opens, not when somebody looks."""
    with pytest.raises(WiringError, match=told):
        asgi(runtime, HttpOptions(doors=[TaskUi(**options)]))


async def test_templates_of_the_application_take_the_place_of_ours(runtime, tmp_path):
    """One file in a folder, which may extend the one that comes along."""
    (tmp_path / "start.html").write_text("{% extends 'base.html' %}{% block main %}<h1>Welcome</h1>{% endblock %}")
    async with browser_of(runtime, TaskUi(templates=tmp_path)) as browser:
        start = await browser.open("/ui/")
        listed = await browser.open("/ui/queries/find-orders")

    assert start.text == "Welcome"
    assert listed.tree.one("h1").text == "Orders"


async def test_a_form_offers_the_fields_that_are_named(runtime):
    """In their order."""
    show = {EveryKind: Show(fields=["text", "order_id", "must", "status"]), GetOrder: Show(help="")}
    async with browser_of(runtime, TaskUi(show=show)) as browser:
        form = (await browser.open("/ui/commands/every-kind")).form("task")

    assert [name for name, _ in form.fields if not name.startswith("_")] == ["text", "order_id", "must", "status"]
