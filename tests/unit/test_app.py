"""App and Runtime: every wiring fault at once, and the opened application."""

from __future__ import annotations

import asyncio
import threading
from typing import Annotated

import pytest
from tests.domain import (
    Course,
    CourseDefined,
    DefineCourse,
    Enrolment,
    Invoices,
    IssueInvoice,
    Numbering,
    StudentEnrolled,
)

from headwater import App
from headwater.aggregates import Aggregate, decide, evolve
from headwater.clock import SystemClock
from headwater.commands.handlers import handles
from headwater.errors import (
    Forbidden,
    InvalidMessage,
    InvalidSetting,
    ProjectionBehind,
    QueryError,
    Refused,
    StoreClosed,
    UnknownMessage,
    UnsupportedUrl,
    WiringError,
)
from headwater.messages import Command, Query, Receipt, Tag, contract
from headwater.queries.asking import answers
from headwater.read_models import Indexed, Key, Projection, ReadModel, on
from headwater.read_store import Reader
from headwater.runtime import Runtime
from headwater.upcasting import upcast


class CourseRow(ReadModel):
    course_id: Annotated[str, Key()]
    capacity: Annotated[int, Indexed()]
    taken: int = 0


class Courses(Projection[CourseRow]):
    @on
    def defined(self, event: CourseDefined) -> CourseRow:
        return CourseRow(course_id=event.course_id, capacity=event.capacity)

    @on
    def enrolled(self, event: StudentEnrolled, row: CourseRow) -> CourseRow:
        return CourseRow(course_id=row.course_id, capacity=row.capacity, taken=row.taken + 1)


class GetCourse(Query[CourseRow | None]):
    course_id: str


@answers
async def get_course(query: GetCourse, courses: Reader[CourseRow]) -> CourseRow | None:
    return await courses.get(query.course_id)


class Printed:
    """A numbering service."""

    def format(self, number: int) -> str:
        return f"#{number}"


DEFINE = DefineCourse(course_id="c1", capacity=2)
APP = App("courses", Course, Enrolment, Courses, get_course)


@pytest.mark.parametrize("name", [Course, "", None])
def test_an_app_without_a_name_is_refused(name) -> None:
    """Whoever forgets it has given the first part in its place."""
    with pytest.raises(WiringError, match="the first argument is the app's name"):
        App(name, Enrolment)


async def test_an_invalid_command_fails_when_it_is_awaited() -> None:
    """Not already where it is called: among several at once it must not take the others with it."""
    async with APP.open("memory:") as desk:
        wrong = DefineCourse(course_id="c2", capacity="many")
        outcomes = await asyncio.gather(desk.execute(wrong), desk.execute(DEFINE), return_exceptions=True)
        assert isinstance(outcomes[0], InvalidMessage)
        assert outcomes[1] == Receipt(1)


async def test_a_query_reads_its_own_write() -> None:
    """The receipt says how far the read model must be."""
    async with APP.open("memory:") as desk:
        receipt = await desk.execute(DEFINE)
        row = await desk.ask(GetCourse(course_id="c1"), after=receipt)
        assert row == CourseRow(course_id="c1", capacity=2)


async def test_an_answer_says_where_it_stands() -> None:
    """Position and age come with it."""
    async with APP.open("memory:") as desk:
        receipt = await desk.execute(DEFINE)
        answer = await desk.answer(GetCourse(course_id="c1"), after=receipt.position)
        assert (answer.position, answer.age_seconds) == (1, 0.0)


async def test_waiting_is_bounded() -> None:
    """A position that never comes is a typed error that says how far the projection is."""
    async with APP.open("memory:") as desk:
        await desk.execute(DEFINE)
        with pytest.raises(ProjectionBehind) as behind:
            await desk.ask(GetCourse(course_id="c1"), after=Receipt(99), timeout=0.05)
        assert behind.value.fields["wanted"] == 99
        with pytest.raises(ProjectionBehind):
            await desk.caught_up(99, timeout=0.05)


async def test_a_command_made_in_python_is_validated_too() -> None:
    """Python does not check types when an object is made; execute does, all faults at once."""
    async with APP.open("memory:") as desk:
        with pytest.raises(InvalidMessage) as invalid:
            await desk.execute(DefineCourse(course_id=7, capacity=0))
        assert {error.pointer for error in invalid.value.errors} == {"/course_id", "/capacity"}
        assert await desk.event_store.head() == 0


async def test_json_is_decoded_validated_and_carried_out() -> None:
    """What the doors call."""
    async with APP.open("memory:") as desk:
        assert await desk.execute_json("define-course", b'{"course_id":"c1","capacity":2}') == Receipt(1)
        with pytest.raises(UnknownMessage, match="did you mean DefineCourse"):
            desk.execute_json("DefinCourse", b"{}")


async def test_without_followers_nothing_is_projected() -> None:
    """A process that only takes commands."""
    async with APP.open("memory:", follow=False) as desk:
        await desk.execute(DEFINE)
        (status,) = await desk.projections()
        assert (status.state, status.lag_positions) == ("stopped", 1)


async def test_a_projection_can_be_rebuilt() -> None:
    """From the whole log, under the same name."""
    async with APP.open("memory:") as desk:
        await desk.execute(DEFINE)
        await desk.caught_up()
        await desk.rebuild("Courses")
        await desk.caught_up()
        assert await desk.ask(GetCourse(course_id="c1"))
        with pytest.raises(UnknownMessage):
            await desk.rebuild("Cources")


async def test_the_hook_guards_queries_too() -> None:
    """The same hook for both sides."""
    app = App("courses", Course, Courses, get_course, authorise=lambda message, actor: isinstance(message, Command))
    async with app.open("memory:") as desk:
        await desk.execute(DEFINE)
        with pytest.raises(Forbidden):
            await desk.ask(GetCourse(course_id="c1"))


async def test_a_resolver_supplies_services() -> None:
    """For what the app was not given itself."""
    asked = []

    def resolve(wanted):
        asked.append(wanted)
        if wanted is Numbering:
            return Printed()
        raise LookupError(wanted)

    async with App("billing", Invoices, resolver=resolve).open("memory:") as desk:
        await desk.execute(IssueInvoice(amount=1))
        await desk.execute(IssueInvoice(amount=1))
    assert asked == [Numbering]


async def test_an_unknown_url_is_a_typed_error() -> None:
    """It names what can be opened."""
    with pytest.raises(UnsupportedUrl, match="sqlite"):
        async with APP.open("mysql://somewhere"):
            pass


_NO_SETTINGS = [
    ("lease_seconds", 0),
    ("lease_seconds", -1.0),
    ("lease_seconds", float("nan")),
    ("lease_seconds", float("inf")),
    ("lease_seconds", 3_601),
    ("lease_seconds", "5"),
    ("lease_seconds", None),
    ("lease_seconds", True),
    ("cache_size", -1),
    ("cache_size", 1e4),
    ("cache_size", True),
    ("follow", "yes"),
    ("follow", None),
    ("migrate", "no"),
    ("clock", object()),
    ("clock", SystemClock),
]


@pytest.mark.parametrize(("name", "value"), _NO_SETTINGS)
async def test_a_setting_that_is_none_is_refused_by_name(tmp_path, name, value) -> None:
    """Before a file is made; also without an event loop."""
    url = f"sqlite:///{tmp_path}/courses.db"
    with pytest.raises(InvalidSetting, match=name) as caught:
        async with APP.open(url, **{name: value}):
            pass
    assert (caught.value.setting, caught.value.remedy[:5]) == (name, "give ")
    with pytest.raises(InvalidSetting, match=name), APP.open_blocking(url, **{name: value}):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["read_store", "shared_cache"])
async def test_a_url_that_is_no_text_is_refused(name) -> None:
    """As that of the log is."""
    with pytest.raises(UnsupportedUrl, match="text"):
        async with APP.open("memory:", **{name: 7}):
            pass


def test_the_blocking_runtime_is_the_same_application(tmp_path) -> None:
    """For code without an event loop, from any thread."""
    with APP.open_blocking(f"sqlite:///{tmp_path}/courses.db") as desk:
        receipt = desk.execute(DEFINE, idempotency_key="k")
        assert desk.execute(DEFINE, idempotency_key="k") == Receipt(receipt.position, replayed=True)
        found = []
        reader = threading.Thread(target=lambda: found.append(desk.ask(GetCourse(course_id="c1"), after=receipt)))
        reader.start()
        reader.join()
        assert found == [CourseRow(course_id="c1", capacity=2)]
        assert desk.answer(GetCourse(course_id="c1")).position == 1
        assert desk.caught_up() == 1
        desk.rebuild("Courses")
        assert [status.name for status in desk.projections()] == ["Courses"]
        with pytest.raises(Refused):
            desk.execute(DEFINE)


async def test_the_blocking_runtime_works_beside_a_running_loop() -> None:
    """A notebook has a loop of its own."""
    with APP.open_blocking("memory:") as desk:
        assert desk.execute(DEFINE) == Receipt(1)


@pytest.mark.filterwarnings("error")
def test_a_blocking_watch_may_outlive_its_block(tmp_path) -> None:
    """It is left without a word when it is collected."""
    with APP.open_blocking(f"sqlite:///{tmp_path}/courses.db") as desk:
        answers_of_it = desk.watch(GetCourse(course_id="c1"))
        assert next(answers_of_it).value is None
    answers_of_it.close()  # type: ignore[attr-defined]


@pytest.mark.filterwarnings("error")
def test_a_blocking_runtime_is_of_no_use_after_its_block() -> None:
    """It says so, as the stores do."""
    with APP.open_blocking("memory:") as desk:
        desk.execute(DEFINE)
    for call in (lambda: desk.execute(DEFINE), lambda: desk.ask(GetCourse(course_id="c1"))):
        with pytest.raises(StoreClosed, match="open it again"):
            call()


def test_a_blocking_runtime_that_cannot_be_opened_says_why() -> None:
    """The error of opening, in the caller's thread."""
    with pytest.raises(UnsupportedUrl), APP.open_blocking("mysql://somewhere"):
        pass


class Lonely(Command):
    """Nobody decides it."""


@contract("DefineCourse")
class Impostor(Command):
    """It takes another one's name."""


class AlsoDefines(Aggregate):
    """It decides what another aggregate decides."""

    course_id: Annotated[str, Tag("course")]

    @decide
    def define(self, command: DefineCourse) -> CourseDefined: ...


class Busy(Aggregate):
    """It would do more than decide."""

    course_id: Annotated[str, Tag("course")]

    @decide
    def define(self, command: DefineCourse, runtime: Runtime) -> CourseDefined: ...


class OtherRow(ReadModel):
    key: Annotated[str, Key()]


class CourseLoads(Projection[OtherRow]):
    @on
    def defined(self, event: CourseDefined) -> OtherRow: ...


class Course_Loads(Projection[OtherRow]):  # noqa: N801  its table would be that of the other one
    @on
    def defined(self, event: CourseDefined) -> OtherRow: ...


class FindOther(Query[list[OtherRow]]):
    """Its rows are filled by nobody."""


@answers
async def find_other(query: FindOther, rows: Reader[OtherRow]) -> list[OtherRow]:
    return await rows.all()


@answers
async def get_course_again(query: GetCourse, courses: Reader[CourseRow]) -> CourseRow | None:
    return None


@answers
async def wrong_answer(query: GetCourse, courses: Reader[CourseRow]) -> int:
    return 1


@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ((Lonely,), "nobody decides Lonely"),
        ((Course, Impostor), "'DefineCourse' is used twice"),
        ((Course, AlsoDefines), "command DefineCourse is decided twice: by Course.define and by AlsoDefines.define"),
        ((Courses, get_course, get_course_again), "query GetCourse is answered twice"),
        ((find_other,), "reads OtherRow, which no projection fills"),
        ((Courses, wrong_answer), "returns int, but GetCourse is a Query"),
        ((GetCourse,), "nobody answers GetCourse"),
        ((Busy,), "Busy.define asks for the Runtime, but a decision depends on its state and command alone"),
        ((Invoices,), "asks for Numbering, which is no service of the app"),
        (("Course",), "'Course' is no part of an app"),
        ((Course_Loads, CourseLoads), "table course_loads_v1 is filled twice: by Course_Loads and by CourseLoads"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_wiring_fault_is_named(parts, fault) -> None:
    """Where it is, and what is meant."""
    with pytest.raises(WiringError) as wrong:
        App("courses", *parts)
    assert any(fault in found for found in wrong.value.faults), wrong.value.faults


@pytest.mark.parametrize("name", ["services", "resolver", "authorise", "limits", "scope"])
def test_settings_of_an_app_are_looked_at(name) -> None:
    """A mapping, limits and functions; nothing else comes as far as the first command."""
    with pytest.raises(WiringError, match=f"{name} (is|are) .*, not 5"):
        App("courses", Course, **{name: 5})


def test_all_faults_come_at_once() -> None:
    """One start, one list."""
    with pytest.raises(WiringError) as wrong:
        App("courses", Lonely, Invoices, find_other, 42)
    assert len(wrong.value.faults) >= 4


@pytest.mark.parametrize(
    ("terms", "name"),
    [
        ({"after": "x"}, "after"),
        ({"after": -1}, "after"),
        ({"after": True}, "after"),
        ({"max_staleness": "x"}, "max_staleness"),
        ({"max_staleness": -0.5}, "max_staleness"),
        ({"after": 0, "timeout": "x"}, "timeout"),
        ({"after": 0, "timeout": float("nan")}, "timeout"),
    ],
)
async def test_odd_terms_of_a_question_are_refused_by_name(terms, name) -> None:
    """Instead of waiting for what never comes, or of an error from somewhere inside."""
    async with APP.open("memory:") as desk:
        for ask in (desk.ask, desk.answer):
            with pytest.raises(QueryError, match=f"^{name} is ") as refused:
                await ask(GetCourse(course_id="c1"), **terms)
            assert refused.value.field == name


@pytest.mark.parametrize("decorator", [decide, evolve, on, handles, answers, upcast("Moved", from_version=1)])
@pytest.mark.parametrize("given", [Command, 5])
def test_a_decorator_above_something_else_than_a_function_is_refused_there(decorator, given):
    """``@handles(Move)`` is how other frameworks have it; the class would be marked, and then called."""
    with pytest.raises(WiringError, match="marks a function, not (the class Command|5): what it is for"):
        decorator(given)
