"""Command handlers: outside work first, then events or further commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from tests.domain import Course, CourseDefined, DefineCourse

from headwater import App
from headwater.commands.handlers import handler_plan, handles
from headwater.errors import (
    ExpectationFailed,
    HandlerContractError,
    IdempotencyMismatch,
    InvalidMessage,
    WiringError,
)
from headwater.messages import Command, Event, Tag


class Catalog:
    """A service outside: what the university offers, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def capacity(self, course_id: str) -> int:
        """The places of a course."""
        self.asked += 1
        return len(course_id)


class ImportCourse(Command):
    """Take a course over from the catalog."""

    course_id: str
    as_event: bool = False


class CourseImported(Event):
    """A course was taken over."""

    course_id: Annotated[str, Tag("course")]


@handles
async def import_course(command: ImportCourse, catalog: Catalog) -> DefineCourse | CourseImported:
    """Ask the catalog, then define the course."""
    capacity = await catalog.capacity(command.course_id)
    if command.as_event:
        return CourseImported(course_id=command.course_id)
    return DefineCourse(course_id=command.course_id, capacity=capacity)


@pytest.fixture
def catalog() -> Catalog:
    """The service."""
    return Catalog()


@pytest.fixture
def app(catalog: Catalog) -> App:
    """The handler and the aggregate it sends on to."""
    return App("courses", Course, import_course, services={Catalog: catalog})


async def test_a_handler_ends_in_a_command(app: App) -> None:
    """The aggregate decides what the handler found out, and the cause is recorded."""
    async with app.open("memory:") as desk:
        receipt = await desk.execute(ImportCourse(course_id="c1"))
        (event,) = (await desk.event_store.read()).events
        assert receipt.position == event.position
        assert desk.codec.decode(event) == CourseDefined(
            course_id="c1", capacity=2, defined_at=desk.codec.decode(event).defined_at
        )
        assert desk.codec.metadata_of(event).causation == "ImportCourse"


async def test_a_handler_ends_in_an_event(app: App) -> None:
    """It is stored as it is."""
    async with app.open("memory:") as desk:
        await desk.execute(ImportCourse(course_id="c1", as_event=True))
        assert [event.tags for event in (await desk.event_store.read()).events] == [("course:c1",)]


@pytest.mark.parametrize("as_event", [True, False])
async def test_a_repeat_does_not_call_the_outside_again(app: App, catalog: Catalog, as_event: bool) -> None:
    """The key is looked up before the handler runs."""
    async with app.open("memory:") as desk:
        command = ImportCourse(course_id="c1", as_event=as_event)
        first = await desk.execute(command, idempotency_key="k")
        again = await desk.execute(command, idempotency_key="k")
        assert (again.position, again.replayed, catalog.asked) == (first.position, True, 1)
        with pytest.raises(IdempotencyMismatch):
            await desk.execute(ImportCourse(course_id="other", as_event=as_event), idempotency_key="k")


async def returns_data(command: ImportCourse) -> int:
    """A number is domain data."""
    return 1


def not_async(command: ImportCourse) -> None:
    """A handler waits for the outside."""


async def no_command(course_id: str) -> None:
    """It takes no command."""


@pytest.mark.parametrize(
    ("function", "fault"),
    [
        (returns_data, "returns events, commands or None, not int"),
        (not_async, "is an async function"),
        (no_command, "must be annotated with a Command"),
    ],
)
def test_unusable_handlers_are_named(function: Callable[..., Any], fault: str) -> None:
    """Refused when it is registered."""
    plan = handler_plan(handles(function))
    assert isinstance(plan, str)
    assert fault in plan


@handles
async def returns_text(command: ImportCourse):  # type: ignore[no-untyped-def]
    """What it returns is only seen at run time."""
    return "c1"


async def test_domain_data_at_run_time_is_a_typed_error() -> None:
    """Callers learn nothing from a command but its receipt."""
    async with App("courses", returns_text).open("memory:") as desk:
        with pytest.raises(HandlerContractError, match="no domain data"):
            await desk.execute(ImportCourse(course_id="c1"))


@handles
async def returns_nothing(command: ImportCourse) -> CourseImported:  # type: ignore[empty-body]
    """It makes an event and keeps it to itself."""


async def test_a_forgotten_return_is_a_typed_error() -> None:
    """Else the caller would have a receipt for nothing."""
    async with App("courses", returns_nothing).open("memory:") as desk:
        with pytest.raises(HandlerContractError, match="returns_nothing returned None"):
            await desk.execute(ImportCourse(course_id="c1"))


def test_a_missing_service_is_a_wiring_fault() -> None:
    """And so is a command with two owners; all are reported at once."""

    @handles
    async def also(command: DefineCourse) -> None:
        """Already decided by Course."""

    with pytest.raises(WiringError) as wrong:
        App("courses", Course, import_course, also, 42)
    faults = "\n".join(wrong.value.faults)
    assert "asks for Catalog" in faults
    assert "DefineCourse is decided twice" in faults
    assert "42 is no part of an app" in faults


async def test_an_expectation_holds_for_the_first_command_of_a_handler(app: App) -> None:
    """It is the one whose boundary the caller can know."""
    async with app.open("memory:") as desk:
        await desk.execute(ImportCourse(course_id="c1"), expect=0)
        with pytest.raises(ExpectationFailed):
            await desk.execute(ImportCourse(course_id="c1"), expect=0)
        assert await desk.event_store.head() == 1


async def test_an_expectation_is_not_passed_over_where_a_handler_ends_in_events(app: App) -> None:
    """They have no boundary to compare with, so nothing is stored."""
    async with app.open("memory:") as desk:
        with pytest.raises(InvalidMessage, match="/expect"):
            await desk.execute(ImportCourse(course_id="c1", as_event=True), expect=0)
        assert await desk.event_store.head() == 0


async def test_the_longest_key_goes_through_a_handler(app: App) -> None:
    """What is added to it for the handler's own commands does not count."""
    async with app.open("memory:") as desk:
        first = await desk.execute(ImportCourse(course_id="c1"), idempotency_key="k" * 255)
        again = await desk.execute(ImportCourse(course_id="c1"), idempotency_key="k" * 255)
        assert (first.replayed, again.replayed, again.position) == (False, True, first.position)


@handles
async def import_again(command: ImportCourse) -> ImportCourse:
    """It leads to itself."""
    return command


@pytest.mark.parametrize("key", [None, "k" * 255])
async def test_handlers_that_lead_in_a_circle_end(key: str | None) -> None:
    """By a typed error that names one of them."""
    async with App("courses", import_again).open("memory:") as desk:
        with pytest.raises(HandlerContractError, match="import_again"):
            await desk.execute(ImportCourse(course_id="c1"), idempotency_key=key)
