"""What type checkers conclude about code that uses Headwater. Checked by mypy and pyright strict; never executed."""

from __future__ import annotations

from typing import Annotated, assert_type

from headwater import (
    Aggregate,
    Answer,
    App,
    AppendCondition,
    Appended,
    Command,
    Conflict,
    Event,
    EventQuery,
    Key,
    NewEvent,
    Page,
    PageRequest,
    Projection,
    Query,
    Reader,
    ReadModel,
    Receipt,
    Recorded,
    Refused,
    Slice,
    Sort,
    Tag,
    answers,
    decide,
    evolve,
    on,
    open_store,
)

CourseId = Annotated[str, Tag("course")]


class DefineCourse(Command):
    """Offer a course."""

    course_id: CourseId
    capacity: int


class CourseDefined(Event):
    """A course is on offer."""

    course_id: CourseId
    capacity: int


class Course(Aggregate):
    """One course."""

    course_id: CourseId
    capacity: int = 0

    @decide
    def define(self, command: DefineCourse) -> CourseDefined:
        """A course is defined once."""
        if self.capacity:
            raise Refused("course-exists")
        return CourseDefined(course_id=self.course_id, capacity=command.capacity)

    @decide(when=lambda self: self.capacity == 0)
    def define_again(self, command: DefineCourse) -> CourseDefined | None:
        """A decorated method keeps its type."""
        return assert_type(self.define(command), CourseDefined)

    @evolve
    def defined(self, event: CourseDefined) -> None:
        """State from events."""
        self.capacity = event.capacity


class CourseRow(ReadModel):
    """A course in the list."""

    course_id: Annotated[str, Key()]
    capacity: int


class Courses(Projection[CourseRow]):
    """The list."""

    @on
    def defined(self, event: Recorded[CourseDefined]) -> CourseRow:
        """A new row."""
        assert_type(event.event, CourseDefined)
        assert_type(event.position, int)
        return CourseRow(course_id=event.event.course_id, capacity=event.event.capacity)


class FindCourses(Query[Page[CourseRow]]):
    """The courses, a page at a time."""

    sort: Sort = "course_id"
    page: PageRequest = PageRequest(size=50)


class GetCourse(Query[CourseRow | None]):
    """One course."""

    course_id: str


@answers
async def find_courses(query: FindCourses, courses: Reader[CourseRow]) -> Page[CourseRow]:
    """A page."""
    return assert_type(await courses.where(capacity=3).sort(query.sort).page(query.page), Page[CourseRow])


@answers
async def get_course(query: GetCourse, courses: Reader[CourseRow]) -> CourseRow | None:
    """By key."""
    return assert_type(await courses.get(query.course_id), CourseRow | None)


app = App("school", Course, Courses, find_courses, get_course)


async def use_it() -> None:
    """Commands give receipts; a query gives what its class says."""
    async with app.open("memory:") as school:
        receipt = assert_type(await school.execute(DefineCourse(course_id="c1", capacity=3)), Receipt)
        page = assert_type(await school.ask(FindCourses(), after=receipt), Page[CourseRow])
        assert_type(page.items[0].capacity, int)
        assert_type(await school.ask(GetCourse(course_id="c1")), CourseRow | None)
        answer = assert_type(await school.answer(GetCourse(course_id="c1")), Answer[CourseRow | None])
        assert_type(answer.age_seconds, float)


def use_it_without_an_event_loop() -> None:
    """The blocking runtime has the same types."""
    with app.open_blocking("memory:") as school:
        receipt = assert_type(school.execute(DefineCourse(course_id="c1", capacity=3)), Receipt)
        assert_type(school.ask(GetCourse(course_id="c1"), after=receipt), CourseRow | None)


async def use_the_store() -> None:
    """An outcome is one of two values."""
    async with open_store("memory:") as store:
        outcome = await store.append(
            [NewEvent(type="CourseDefined", data=b"{}")], AppendCondition(EventQuery.of(tags=("course:c1",)))
        )
        assert_type(outcome, Appended | Conflict)
        assert_type(await store.read(), Slice)
