from __future__ import annotations

import asyncio

import pytest
from tests.unit.ui.conftest import browser_of, place
from tests.unit.ui.shop import ShipOrder, app

from headwater.ui import TaskUi

_FORM = "/ui/commands/place-order"


async def test_a_command_is_sent_with_its_form_and_its_change_is_seen(browser):
    """The browser is led to the page of what was made, which has the change in it, and says what was done."""
    form = (await browser.open(_FORM)).form("task").fill(order_id="A-1", customer="Ada")
    page = await browser.send(form)

    assert page.url.startswith("http://shop/ui/queries/get-order?order_id=A-1")
    assert page.tree.one("h1").text == "Order A-1"
    assert page.tree.one(class_="good").text == "Place order: done. Position 1."


async def test_rows_are_added_and_removed_without_scripts(browser):
    """Buttons of the form; what was entered stays."""
    form = (await browser.open(_FORM)).form("task").fill(order_id="A-1", customer="Ada").press("_add", "lines")
    added = (await browser.send(form)).form("task")
    one = added.fill(lines__0__sku="x").press("_add", "lines")
    two = (
        (await browser.send(one)).form("task").fill(lines__1__sku="y", lines__1__count="2").press("_remove", "lines.0")
    )
    last = (await browser.send(two)).form("task")
    page = await browser.send(last)

    assert ("lines.0.count", "1") in added.fields
    assert "lines.0.sku" not in last.names()
    assert page.rows() == [["y", "2", "No"]]


async def test_every_fault_is_told_at_once_and_what_was_entered_stays(browser):
    """A summary that leads to each field, and the words beside it."""
    form = (await browser.open("/ui/commands/every-kind")).form("task")
    form.fill(order_id="lower case", text="kept", whole="77", day="yesterday", tags=["a", "b"], anything="{")
    page = await browser.send(form)

    assert page.status == 422
    assert [link["href"] for link in page.tree.one(id="faults").all("a")] == [
        "#f-order_id",
        "#f-whole",
        "#f-must",
        "#f-status",
        "#f-day",
        "#f-anything",
    ]
    assert page.tree.one("textarea", name="text").raw.strip() == "kept"
    assert page.tree.one(id="f-day")["value"] == "yesterday"
    assert page.tree.one(id="f-whole")["aria-describedby"] == "f-whole-error f-whole-help"


async def test_a_refusal_is_told_with_its_code(browser, runtime):
    """The rule's own words; the form stays as it was filled in."""
    await place(runtime)
    form = (await browser.open("/ui/commands/cancel-order?order_id=A-1")).form("task").fill(reason="because")
    page = await browser.send(form)

    assert page.status == 422
    assert page.tree.one(role="alert").text == "Not possible. because is no reason no-reason"
    assert page.tree.one("textarea", name="reason").raw.strip() == "because"


async def test_sending_a_form_twice_does_it_once(browser, runtime):
    """At the same time, and once more later: one event, and the page says that it was done already."""
    await place(runtime)
    form = (await browser.open("/ui/commands/ship-order?order_id=A-1")).form("task")
    first, second = await asyncio.gather(browser.post(form), browser.post(form))
    page = await browser.send(form)

    assert (first.status_code, second.status_code) == (303, 303)
    assert "was done already" in page.text
    assert await runtime.event_store.head() == 2


async def test_a_used_form_with_other_content_is_told(browser, runtime):
    """Its key stands for what was sent first; the form that comes back has a fresh one."""
    await place(runtime)
    form = (await browser.open("/ui/commands/cancel-order?order_id=A-1")).form("task").fill(reason="lost")
    await browser.post(form)
    page = await browser.send(form.fill(reason="found"))

    assert page.status == 422
    assert "idempotency" in page.tree.one(role="alert").text
    assert dict(page.form("task").fields)["_key"] != dict(form.fields)["_key"]


async def test_a_change_by_others_is_told_before_anything_is_done(browser, runtime):
    """A form made on a detail page expects the state that was seen; sent again, it expects the new one."""
    await place(runtime)
    detail = await browser.open("/ui/queries/get-order?order_id=A-1")
    form = (await browser.open(detail.link("Every kind"))).form("task")
    form.fill(order_id="A-1", text="x", must="true", status="open")
    await runtime.execute(ShipOrder(order_id="A-1"))
    page = await browser.send(form)
    again = await browser.send(page.form("task"))

    assert page.status == 412
    assert "Changed since you looked." in page.tree.one(role="alert").text
    assert page.link("See how it stands now").endswith("/ui/queries/get-order?order_id=A-1")
    assert "Every kind: done" in again.text


async def test_after_a_task_the_browser_is_back_where_it_began(browser, runtime):
    """With its filters, and with the change in the page."""
    await place(runtime)
    listed = await browser.open("/ui/queries/find-orders?status=placed")
    form = (await browser.open(listed.link("Place order"))).form("task").fill(order_id="B-1", customer="Bob")
    page = await browser.send(form)

    assert page.url.startswith("http://shop/ui/queries/find-orders?status=placed&_done=place-order")
    assert page.link("Show it") == "http://shop/ui/queries/get-order?order_id=B-1"
    assert [row[0] for row in page.rows()] == ["A-1", "B-1"]


@pytest.mark.parametrize(
    "place_", ["//evil.example/", "https://evil.example", "queries/none", "../x", "queries/find-orders/x"]
)
async def test_nobody_is_led_to_another_site(browser, place_):
    """Only to a page of this application."""
    form = (await browser.open(f"{_FORM}?_from={place_}")).form("task").fill(order_id="A-1", customer="Ada")
    response = await browser.post(form)

    assert response.headers["location"].startswith("/ui/queries/get-order?order_id=A-1")


@pytest.mark.parametrize("token", ["", "x", "ä"])
async def test_a_form_that_was_not_made_here_does_nothing(browser, runtime, token):
    """Its token is missing or wrong: nothing is done, what was entered stays, and the fresh form can be sent."""
    form = (await browser.open(_FORM)).form("task").fill(order_id="A-1", customer="Ada", _token=token)
    page = await browser.send(form)
    again = await browser.send(page.form("task"))

    assert page.status == 403
    assert "Nothing was done" in page.tree.one(role="alert").text
    assert again.tree.one("h1").text == "Order A-1"


async def test_a_token_is_good_for_its_browser_alone(browser, runtime):
    """Another session, or another actor, has another one."""
    form = (await browser.open(_FORM)).form("task").fill(order_id="A-1", customer="Ada")
    browser.client.cookies.clear()
    assert (await browser.post(form)).status_code == 403
    form = (await browser.open(_FORM, actor="ada")).form("task").fill(order_id="A-1", customer="Ada")
    assert (await browser.post(form, actor="bob")).status_code == 403
    assert (await browser.post(form, actor="ada")).status_code == 303
    found = await runtime.event_store.read()

    assert b"ada" in found.events[0].metadata


async def test_the_session_is_kept_from_scripts_and_other_sites(browser):
    """HttpOnly, SameSite, below the pages only."""
    response = (await browser.open(_FORM)).response

    assert "HttpOnly; Path=/ui/; SameSite=lax" in response.headers["set-cookie"]


async def test_who_may_not_is_told(browser):
    """The same rule as at the other doors; nothing of the application is shown."""
    form = (await browser.open(_FORM, actor="mallory")).form("task").fill(order_id="A-1", customer="x")
    page = await browser.send(form, actor="mallory")
    listed = await browser.open("/ui/queries/find-orders", actor="mallory")

    assert (page.status, listed.status) == (403, 403)
    assert "mallory may not use PlaceOrder" in page.text
    assert "mallory may not use FindOrders" in listed.text


async def test_a_form_shows_the_reason_where_everybody_may_see_it(open_browser, open_runtime):
    """A task that is not on offer has no form, but the reason; sent all the same, it is refused."""
    await place(open_runtime)
    form = (await open_browser.open("/ui/commands/ship-order?order_id=A-1")).form("task")
    await open_runtime.execute(ShipOrder(order_id="A-1"))
    page = await open_browser.open("/ui/commands/ship-order?order_id=A-1")
    sent = await open_browser.send(form)

    assert "Not on offer now. order A-1 is shipped" in page.text
    assert list(page.tree.all("form")) == []
    assert "Not possible. order A-1 is shipped" in sent.text


async def test_who_may_not_see_a_thing_is_not_told_how_it_stands(browser, runtime):
    """Where rights are asked for, the form alone says nothing of the state."""
    await place(runtime)
    page = await browser.open("/ui/commands/place-order?order_id=A-1", actor="mallory")

    assert "already placed" not in page.text


async def test_a_page_that_is_behind_says_so_and_looks_again():
    """What was done is stored; the page looks again by itself until it is there."""
    async with app.open("memory:", follow=False) as idle, browser_of(idle, TaskUi(wait_seconds=0.01)) as browser:
        form = (await browser.open(_FORM)).form("task").fill(order_id="A-1", customer="Ada")
        page = await browser.send(form)

    refresh = page.tree.one("meta", http_equiv="refresh")["content"]
    assert refresh == "2; url=/ui/queries/get-order?order_id=A-1&_done=place-order&_position=1"
    assert "Still catching up." in page.text
    assert "There is no" not in page.text


async def test_a_page_whose_projection_stands_still_says_why(browser, runtime):
    """The change is stored all the same; nobody is made to wait for what does not come."""
    await place(runtime)
    await runtime.pause("Orders")
    form = (await browser.open("/ui/commands/ship-order?order_id=A-1")).form("task")
    page = await browser.send(form)

    assert "Not up to date. What you did is stored" in page.text
    assert page.tree.one("h1").text == "Order A-1"
    assert list(page.tree.all("meta", http_equiv="refresh")) == []


async def test_what_a_rule_says_is_escaped(browser, runtime):
    """A refusal may repeat what somebody entered."""
    hostile = "<img src=x onerror=alert(1)> because"
    await place(runtime)
    form = (await browser.open("/ui/commands/cancel-order?order_id=A-1")).form("task").fill(reason=hostile)
    page = await browser.send(form)

    assert f"{hostile} is no reason" in page.text
    assert "<img" not in page.response.text


async def test_who_is_signed_in_is_shown(browser):
    """As the hook named them."""
    known = await browser.open("/ui/", actor="<ada>")
    nobody = await browser.open("/ui/")

    assert known.tree.one("p", class_="who").text == "Signed in as <ada>"
    assert list(nobody.tree.all("p", class_="who")) == []


async def test_a_form_from_a_page_stays_about_what_the_page_showed(browser, runtime):
    """Its key can be read but not changed; opened by itself, it can be filled in."""
    await place(runtime)
    detail = await browser.open("/ui/queries/get-order?order_id=A-1")
    from_page = await browser.open(detail.link("Ship order"))
    alone = await browser.open("/ui/commands/ship-order")

    assert from_page.tree.one(id="f-order_id").get("readonly") == "readonly"
    assert alone.tree.one(id="f-order_id").get("readonly") is None


async def test_what_may_be_left_out_asks_for_nothing_inside(browser):
    """The fields of a part that may be left out are not needed, as long as none is filled in."""
    page = await browser.open("/ui/commands/every-kind")
    form = page.form("task").fill(order_id="A-1", text="x", must="true", status="open", parcel__weight="3")
    sent = await browser.send(form)
    form.fill(parcel__weight="")

    assert "required" not in page.tree.one(id="f-parcel-code").attributes
    assert sent.tree.one(id="f-parcel-code-error").text == "is needed"
    assert "Every kind: done." in (await browser.send(form)).text
