"""The pages in a real browser, with scripts and without."""

from __future__ import annotations

from importlib.resources import files

import pytest
from playwright.async_api import expect
from tests.e2e.ui.conftest import PHONE, serving
from tests.unit.ui.shop import open_shop

from headwater.servicedesk.incident_messages import AssignIncident, OpenIncident
from headwater.ui import TaskUi

_LIST = "/queries/find-incidents?page.size=10"
_EVERY_PAGE = (
    "/",
    "/queries/find-incidents?page.total=true&search=INC003",
    "/queries/find-incidents?priority=x",
    "/queries/find-incidents?status=closed",
    "/queries/get-incident?incident_id=INC003",
    "/queries/get-incident?incident_id=nobody",
    "/queries/group-workload",
    "/queries/summarise-desk",
    "/commands/open-incident",
    "/commands/resume-incident?incident_id=INC001",
    "/commands/record-change",
    "/nowhere",
)
scripts = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])


async def _first(page):
    return await page.locator("tbody tr td:first-child").all_inner_texts()


@scripts
async def test_a_list_is_filtered_sorted_and_paged(open_page, scripts):
    """What a person clicks leads to the rows that are asked for."""
    async with open_page(_LIST, java_script_enabled=scripts) as page:
        await page.get_by_text("Filter", exact=True).click()
        await page.locator("#f-group").fill("group 1")
        await page.locator("#filters").get_by_role("button", name="Apply").click()
        await expect(page.locator("tbody tr").first).to_contain_text("INC028")
        await page.get_by_role("link", name="Incident ID").click()
        await expect(page.locator("tbody tr").first).to_contain_text("INC001")
        assert await page.locator("th[aria-sort=ascending]").inner_text() == "Incident ID ↑"
        await page.get_by_role("link", name="Priority").click()
        await expect(page.locator("th[aria-sort]")).to_have_text("Priority ↑")
        await page.goto(f"{page.url.split('?')[0]}?page.size=10&sort=incident_id")
        await page.get_by_role("link", name="Next →").click()
        await expect(page.locator("tbody tr").first).to_contain_text("INC011")
        await page.get_by_role("link", name="← Previous").click()
        await expect(page.locator("tbody tr").first).to_contain_text("INC001")
        assert await _first(page) == [f"INC{number:03}" for number in range(1, 11)]


@scripts
async def test_a_task_is_done_and_its_change_is_seen(open_page, scripts):
    """From the list to a page, to a form, and back; what is not on offer says why."""
    async with open_page(_LIST, java_script_enabled=scripts) as page:
        await page.get_by_role("link", name="INC030").click()
        tasks = page.get_by_role("complementary", name="Tasks")
        await expect(tasks.locator("li", has_text="Reopen incident")).to_contain_text("is new, not resolved or closed")
        await expect(tasks.get_by_role("link", name="Reopen incident")).to_have_count(0)
        await tasks.get_by_role("link", name="Assign incident").click()
        await expect(page.get_by_label("Incident ID")).to_have_value("INC030")
        await page.get_by_label("Group").fill("network")
        await page.get_by_role("button", name="Assign incident").click()
        await expect(page.get_by_role("status").first).to_contain_text("Assign incident: done.")
        await expect(page.locator("main")).to_contain_text("assigned to group network, person -")


@scripts
async def test_a_second_click_does_nothing_twice(open_page, desk, scripts):
    """A double click on the button, whose first answer is not waited for."""
    head = await desk.event_store.head()
    async with open_page("/commands/start-work?incident_id=INC001", java_script_enabled=scripts) as page:
        button = page.get_by_role("button", name="Start work")
        await button.evaluate("button => { button.click(); button.click() }")
        await page.wait_for_url("**/queries/get-incident**")

    assert await desk.event_store.head() == head + 1


@scripts
async def test_faults_are_told_beside_their_fields(open_page, scripts):
    """What the browser lets through is told by the server, with what was entered."""
    async with open_page(
        "/queries/find-incidents?priority=many&opened_at.ge=noon", java_script_enabled=scripts
    ) as page:
        await expect(page.locator("#f-priority-error")).to_have_text("must be a whole number")
        await expect(page.locator("#f-priority")).to_have_value("many")
        await page.get_by_role("link", name="Opened at: from").click()
        await expect(page.locator("#f-opened_at-ge")).to_be_in_viewport()
        await page.locator("#f-priority").fill("3")
        await page.locator("#f-opened_at-ge").fill("2026-03-02T10:00")
        await page.locator("#filters").get_by_role("button", name="Apply").click()
        await expect(page.locator("tbody tr")).to_have_count(5)
        assert page.url.endswith("/queries/find-incidents?priority=3&opened_at.ge=2026-03-02T10%3A00")


@scripts
async def test_a_row_is_added_where_one_looks(chromium, scripts):
    """The page comes back at the place of the button, with what was entered, and with the row's own defaults."""
    async with open_shop.open("memory:") as runtime, serving(runtime, TaskUi()) as address:
        context = await chromium.new_context(java_script_enabled=scripts, viewport=PHONE)
        page = await context.new_page()
        await page.goto(f"{address}/commands/every-kind")
        await page.get_by_label("Text").fill("kept")
        await page.locator("button[value=lines]").click()
        await expect(page.locator("#f-lines-0-count")).to_have_value("1")
        await expect(page.locator("#f-lines-0-sku")).to_be_in_viewport()
        await expect(page.get_by_label("Text")).to_have_value("kept")
        await context.close()


async def test_with_scripts_a_list_changes_in_place(open_page):
    """Choosing a filter asks at once; the page stays, the address follows, what is open stays open."""
    async with open_page(_LIST) as page:
        await page.evaluate("window.stayed = true")
        await page.get_by_text("Filter", exact=True).click()
        await page.locator("#f-status").focus()
        await page.locator("#f-status").select_option("resolved")
        await expect(page.locator("tbody tr")).to_have_count(1)
        assert "status=resolved" in page.url
        assert await page.evaluate("window.stayed")
        await expect(page.locator("#f-status")).to_be_focused()
        await page.locator("#f-priority").evaluate("input => { input.type = 'text'; input.value = 'x' }")
        await page.locator("#filters").get_by_role("button", name="Apply").click()
        await expect(page.locator("#f-priority-error")).to_have_text("must be a whole number")
        await page.go_back()
        await expect(page.locator("tbody tr")).to_have_count(1)


async def test_with_scripts_nothing_fails_unseen(open_page):
    """What is answered with a problem shows it; a request that is lost is made again in the ordinary way."""
    async with open_page(_LIST, expected=("ERR_FAILED", "Failed to fetch")) as page:
        await page.locator("#next").evaluate("link => link.setAttribute('hx-get', '/ui/queries/nothing')")
        await page.locator("#next").click()
        await expect(page.locator("#query")).to_contain_text("no query is called 'nothing'")
        await page.goto(page.url.split("/queries")[0] + _LIST)
        await page.evaluate("window.stayed = true")
        await page.route("**/queries/find-incidents?*status=resolved*", lambda route: route.abort(), times=1)
        await page.get_by_text("Filter", exact=True).click()
        await page.locator("#f-status").select_option("resolved")
        await expect(page.locator("tbody tr")).to_have_count(1)
        assert not await page.evaluate("window.stayed")


async def test_a_live_list_shows_changes_as_they_come(open_page, desk):
    """Nobody reloads; without scripts the page does so by itself."""
    async with open_page("/queries/find-incidents") as page:
        await page.get_by_role("link", name="Update as it changes").click()
        await expect(page.get_by_role("link", name="Stop updating")).to_be_visible()
        await page.evaluate("window.stayed = true")
        await desk.execute(OpenIncident(incident_id="NEW001"))
        await expect(page.locator("tbody tr").first).to_contain_text("NEW001")
        await desk.execute(OpenIncident(incident_id="NEW002"))
        await expect(page.locator("tbody tr").first).to_contain_text("NEW002")
        assert await page.evaluate("window.stayed")


async def test_a_change_by_somebody_else_is_told(open_page, desk):
    """Two people open the same incident; the slower one is told, sees how it stands, and may send again."""
    async with open_page("/queries/get-incident?incident_id=INC002") as page:
        await page.get_by_role("link", name="Change priority").click()
        await desk.execute(AssignIncident(incident_id="INC002", group="others"))
        await page.get_by_label("Impact").fill("1")
        await page.get_by_label("Urgency").fill("1")
        await page.get_by_role("button", name="Change priority").click()
        await expect(page.get_by_role("alert")).to_contain_text("Changed since you looked.")
        await expect(page.get_by_role("alert")).to_be_focused()
        await expect(page).to_have_title("Not done: Change priority \N{MIDDLE DOT} Service desk")
        await expect(page.get_by_label("Impact")).to_have_value("1")
        await page.get_by_role("button", name="Change priority").click()
        await expect(page.get_by_role("status").first).to_contain_text("Change priority: done.")


async def test_everything_can_be_reached_by_keyboard(open_page):
    """Skip the menu, open a filter, search, go to a row, do a task: no mouse."""
    async with open_page(_LIST) as page:
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        await page.keyboard.press("Enter")
        await page.get_by_role("searchbox").focus()
        await page.keyboard.type("INC007")
        await page.keyboard.press("Enter")
        await expect(page.locator("tbody tr")).to_have_count(1)
        await expect(page.get_by_role("searchbox")).to_be_focused()
        link = page.get_by_role("link", name="INC007")
        for _ in range(40):
            await page.keyboard.press("Tab")
            if await link.evaluate("link => link === document.activeElement"):
                break
        await page.keyboard.press("Enter")
        await page.get_by_role("link", name="Start work").focus()
        await page.keyboard.press("Enter")
        await page.get_by_label("Incident ID").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("status").first).to_contain_text("Start work: done.")


async def test_nothing_is_wider_than_a_phone(open_page, address):
    """No page scrolls sideways."""
    async with open_page(viewport=PHONE) as page:
        widths = {}
        for path in _EVERY_PAGE:
            await page.goto(f"{address}{path}")
            widths[path] = await page.evaluate("document.documentElement.scrollWidth")

    assert {path: width for path, width in widths.items() if width > PHONE["width"]} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_pages_are_accessible(open_page, address, scheme):
    """No rule of axe-core (WCAG 2.1 A and AA, and good practice) is broken: names, labels, contrast, landmarks."""
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text()
    async with open_page(color_scheme=scheme) as page:
        broken = {}
        for path in _EVERY_PAGE:
            await page.goto(f"{address}{path}")
            await page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
            await page.evaluate(axe)
            found = await page.evaluate("axe.run()")
            broken[path] = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]]

    assert {path: rules for path, rules in broken.items() if rules} == {}
