"""What people write at an opened application who do not know Headwater yet, and what they are told."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from tests.domain import Course, CourseDefined, DefineCourse

from headwater import (
    Aggregate,
    App,
    Command,
    Event,
    In,
    Key,
    Page,
    PageRequest,
    Projection,
    Query,
    Reader,
    ReadModel,
    Tag,
    answers,
    on,
)
from headwater.errors import (
    ContractError,
    HandlerContractError,
    InvalidFilter,
    InvalidMessage,
    QueryError,
    UnknownMessage,
)


class CourseRow(ReadModel):
    course_id: Annotated[str, Key()]
    capacity: int


class Courses(Projection[CourseRow]):
    @on
    def defined(self, event: CourseDefined) -> CourseRow:
        return CourseRow(course_id=event.course_id, capacity=event.capacity)


class Find(Query[Page[CourseRow]]):
    how: str


@answers
async def find(query: Find, rows: Reader[CourseRow]) -> Any:
    return {
        "without await": rows.page,
        "without reading": lambda: rows,
        "without a loop": rows.stream,
        "of one": lambda: rows.where(capacity=In(5)),
        "by number": lambda: rows.sort(2),
    }[query.how]()


@answers
def find_at_once(query: FindAtOnce, rows: Reader[CourseRow]) -> Any:
    return rows.page()


class FindAtOnce(Query[Page[CourseRow]]): ...


class FindPage(Query[Page[CourseRow]]):
    page: PageRequest = PageRequest()


@answers
async def find_page(query: FindPage, rows: Reader[CourseRow]) -> Page[CourseRow]:
    return await rows.page(query.page)


APP = App("courses", Course, Courses, find, find_at_once, find_page)


@pytest.fixture
async def desk():
    async with APP.open("memory:") as opened:
        yield opened


class Happened(Event):
    """No command."""


class Elsewhere(Command):
    """A command of another application."""


class Begun(Aggregate):
    """It begins from its command, and decides nothing here."""

    name: Annotated[str, Tag("name")]


@pytest.mark.parametrize("given", [{"course_id": "c1"}, "DefineCourse", DefineCourse, Happened(), None])
async def test_what_is_no_command_is_told(desk, given):
    """Also an event, and the class in the place of what is made of it."""
    with pytest.raises(ContractError, match=r"is not a (command|message) \(give one that is made"):
        await desk.execute(given)


async def test_a_command_or_query_of_another_application_is_told(desk):
    """With those that there are: its aggregate was forgotten in ``App(...)``."""
    with pytest.raises(UnknownMessage, match="no command of this application is called 'Elsewhere' .there are: Change"):
        await desk.execute(Elsewhere())
    async with App("courses", Course).open("memory:") as other:
        with pytest.raises(UnknownMessage, match="no query of this application is called 'FindPage'"):
            await other.ask(FindPage())


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (Find(how="without await"), "find returned coroutine, which is no answer yet"),
        (Find(how="without reading"), "find returned Reader, which is no answer yet"),
        (Find(how="without a loop"), "find returned async_generator, which is no answer yet"),
        (FindAtOnce(), "find_at_once returned coroutine, which is no answer yet"),
    ],
    ids=lambda given: "" if isinstance(given, str) else repr(given),
)
@pytest.mark.parametrize("as_of", [None, 0])
async def test_an_answer_that_was_not_waited_for_is_told(desk, query, told, as_of):
    """Now, and as of then."""
    with pytest.raises(HandlerContractError, match=told):
        await desk.ask(query, as_of=as_of)


async def test_pages_orders_and_filters_of_another_kind_are_told(desk):
    """Each in the words of its contract."""
    with pytest.raises(ContractError, match="sorted by text as '-opened_at,priority', not by 2"):
        await desk.ask(Find(how="by number"))
    with pytest.raises(InvalidFilter, match="In for capacity takes several values, not 5"):
        await desk.ask(Find(how="of one"))
    with pytest.raises(ContractError, match="asked for by PageRequest"):
        await desk.ask(FindPage(page={"size": 2}))


async def test_a_receipt_is_a_position_to_wait_for(desk):
    """As it is for ``ask``; what is neither is told."""
    receipt = await desk.execute(DefineCourse(course_id="c1", capacity=3))
    assert await desk.caught_up(receipt) == await desk.caught_up(1) == 1
    for wrong in ("1", -1, 1.5):
        with pytest.raises(QueryError, match="position is a place in the log"):
            await desk.caught_up(wrong)


async def test_an_expectation_before_the_log_is_told(desk):
    """0 is "there is nothing yet"; -1, as some have it, means nothing."""
    with pytest.raises(InvalidMessage, match="is a position: a whole number from 0"):
        await desk.execute(DefineCourse(course_id="c1", capacity=3), expect=-1)


@pytest.mark.parametrize(
    ("aggregate", "key", "told"),
    [
        (Course, {}, "Course is named by course_id=, and not by nothing"),
        (Course, {"id": "c1"}, "Course is named by course_id=, and not by id="),
        (Begun, {"name": "n"}, "Begun decides no command of this application"),
        ("Course", {"course_id": "c1"}, "Course decides no command"),
    ],
)
async def test_an_aggregate_that_is_named_otherwise_is_told(desk, aggregate, key, told):
    """By the fields that name it."""
    with pytest.raises(ContractError, match=told):
        await desk.offers(aggregate, **key)


async def test_a_projection_is_asked_for_by_its_name(desk):
    """A class is none."""
    with pytest.raises(UnknownMessage, match="there are: Courses"):
        await desk.rebuild(Courses)


def test_an_app_is_no_asgi_application():
    """A server that takes it for one, as in ``uvicorn desk:app``, logs what to write instead."""
    with pytest.raises(ContractError, match=r"the app 'courses' is served by a door .*headwater serve.*create_app"):
        APP({"type": "http"}, None, None)
