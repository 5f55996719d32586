from __future__ import annotations

import pytest
from tests.unit.ui.conftest import browser_of
from tests.unit.ui.university import Enrol, Enrolment, EnrolmentRow, app

from headwater.ui import TaskUi
from headwater.ui.sitemap import sitemap


@pytest.fixture
async def university():
    """An open university with three enrolments in one course."""
    async with app.open("memory:") as runtime:
        for number in (1, 2, 3):
            await runtime.execute(Enrol(course_id="c1", student_no=number))
        await runtime.caught_up()
        yield runtime


@pytest.fixture
async def browser(university):
    """A browser in its pages."""
    async with browser_of(university) as opened:
        yield opened


async def test_a_query_is_shown_as_what_it_answers(university):
    """Pages are lists, sequences reports; a row found by its key is a detail."""
    found = sitemap(university, TaskUi())

    assert {name: each.kind for name, each in found.listings.items()} == {
        "enrolments-by-year": "report",
        "find-enrolments": "list",
        "get-enrolment": "detail",
        "show-course": "other",
        "list-by-hand": "list",
        "names": "report",
        "anything": "other",
        "overview": "other",
    }
    assert found.details[EnrolmentRow].keys == {"course_id": "course_id", "student_no": "student_no"}


async def test_what_begins_is_known_from_the_rules(university):
    """A rule that holds where nothing has happened; without a state to ask, a task may be the first."""
    found = sitemap(university, TaskUi())

    assert {name: each.begins for name, each in found.tasks.items()} == {
        "enrol": True,
        "mark": False,
        "invoice": True,
        "lottery": True,
    }


async def test_a_key_of_two_parts_leads_to_its_page_and_its_tasks(browser):
    """Names in JSON differ from those of fields, and numbers are no texts."""
    listed = await browser.open("/ui/queries/find-enrolments")
    page = await browser.open(listed.link("c1"))
    tasks = page.tree.one("aside")

    assert page.url == "http://shop/ui/queries/get-enrolment?course_id=c1&student_no=1"
    assert page.tree.one("h1").text == "Enrolment c1, 1"
    assert tasks.one("ul", class_="off").text == "Enrol already enrolled"
    assert "/ui/commands/mark?course_id=c1&student_no=1&_expect=1" in page.link("Mark")


async def test_a_task_about_two_things_is_shown_where_one_is_known(university):
    """What is known is filled in; whether it is on offer cannot be said before the rest is."""
    found = sitemap(university, TaskUi())

    assert [task.name for task in found.about({"course_id": "c1"})] == ["enrol", "mark", "lottery"]
    assert found.tasks["enrol"].keys == {"course_id": "courseId", "student_no": "studentNo"}


async def test_a_task_that_begins_from_its_command_has_no_offer(university):
    """Nor has one about nothing in particular a key to ask with."""
    assert await university.offers(Enrolment, course_id="c1", student_no=9)
    assert (await university.offers(Enrolment, course_id="c1", student_no=9)).position == 0


async def test_a_report_is_sorted_and_filtered(browser):
    """Figures over groups, by their headings."""
    page = await browser.open("/ui/queries/enrolments-by-year?course_id=c1")
    heading = list(page.tree.all("th"))[1].one("a")
    sorted_ = await browser.open(heading["href"])

    assert page.rows() == sorted_.rows() == [["2026", "3"]]
    assert [head.get("aria-sort") for head in page.tree.all("th")] == ["descending", None]
    assert [head.get("aria-sort") for head in sorted_.tree.all("th")] == [None, "ascending"]


async def test_a_list_that_a_function_answers_is_sorted_and_paged(browser):
    """It has a sort and a page like a declared one; what it does not say is as it says itself."""
    first = await browser.open("/ui/queries/list-by-hand")
    second = await browser.open(first.link("Next →"))
    turned = await browser.open(first.link("Student no ↑"))

    assert [[row[1] for row in page.rows()] for page in (first, second, turned)] == [["1", "2"], ["3"], ["3", "2"]]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("names", "Answer Ada Bob"),
        ("anything", "a 1 2 b \N{EN DASH} none"),
        ("show-course?course_id=c1", "places 3"),
        ("overview", "Title Everybody First Course ID c1 Student no 1 Year 2026"),
    ],
)
async def test_answers_of_any_shape_are_shown(browser, name, shown):
    """Texts, mappings, whatever comes; a row inside leads to its page."""
    page = await browser.open(f"/ui/queries/{name}")

    assert shown in page.tree.one(id="answer").text


async def test_an_answer_of_none_says_so(browser):
    """Whatever type it would have had."""
    page = await browser.open("/ui/queries/show-course?course_id=c2")

    assert page.status == 404
    assert "There is no course." in page.text


async def test_a_task_about_nothing_in_particular_leads_back_to_the_start(browser):
    """There is no page of its own to lead to."""
    form = (await browser.open("/ui/commands/invoice")).form("task").fill(amount="5")
    page = await browser.send(form)

    assert page.url == "http://shop/ui/?_done=invoice&_position=4"
    assert "Invoice: done." in page.text


async def test_names_in_json_may_differ_from_those_of_fields(browser):
    """The form says the names that go over the wire."""
    form = (await browser.open("/ui/commands/enrol")).form("task").fill(courseId="c2", studentNo="7")
    page = await browser.send(form)

    assert "Enrol: done." in page.text
