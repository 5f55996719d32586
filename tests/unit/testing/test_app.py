from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import pytest
from tests.domain import CapacityChanged, ChangeCapacity, Course, CourseDefined, DefineCourse

from headwater import App, Indexed, Key, Projection, Query, Reader, ReadModel, Recorded, Refused, answers, on
from headwater.errors import ContractError, ExpectationFailed

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
DEFINED = CourseDefined(course_id="c1", capacity=2, defined_at=NOON)


class CourseRow(ReadModel):
    course_id: Annotated[str, Key()]
    capacity: Annotated[int, Indexed()]
    defined_at: datetime


class Courses(Projection[CourseRow]):
    @on
    def defined(self, event: Recorded[CourseDefined]) -> CourseRow:
        course = event.event
        return CourseRow(course_id=course.course_id, capacity=course.capacity, defined_at=event.recorded_at)

    @on
    def changed(self, event: CapacityChanged, row: CourseRow) -> CourseRow:
        return CourseRow(course_id=row.course_id, capacity=event.capacity, defined_at=row.defined_at)


class FindCourse(Query[CourseRow | None]):
    course_id: str


@answers
async def find_course(query: FindCourse, courses: Reader[CourseRow]) -> CourseRow | None:
    return await courses.get(query.course_id)


app = App("school", Course, Courses, find_course)


async def test_a_query_includes_every_command_before_it():
    """No waiting is written down, and none is needed."""
    async with app.test(now=NOON) as t:
        await t.execute(DefineCourse(course_id="c1", capacity=2))
        for capacity in range(3, 50):
            await t.execute(ChangeCapacity(course_id="c1", capacity=capacity))
            assert (await t.ask(FindCourse(course_id="c1"))).capacity == capacity


async def test_decisions_and_records_have_the_time_of_the_clock():
    """The clock stands still until the test moves it."""
    async with app.test(now=NOON) as t:
        await t.execute(DefineCourse(course_id="c1", capacity=2))
        t.clock.advance(timedelta(hours=3))
        await t.execute(ChangeCapacity(course_id="c1", capacity=5))

        assert t.events == [DEFINED, CapacityChanged(course_id="c1", capacity=5)]
        assert [recorded.recorded_at for recorded in t.recorded] == [NOON, NOON + timedelta(hours=3)]


async def test_given_events_are_in_the_log_without_a_decision():
    """With their own times, and the clock is where it was."""
    last_year = NOON.replace(year=2025)
    async with app.test(now=NOON) as t:
        await t.given((DEFINED, last_year), CapacityChanged(course_id="c1", capacity=7))

        assert await t.ask(FindCourse(course_id="c1")) == CourseRow(course_id="c1", capacity=7, defined_at=last_year)
        assert t.clock.now() == NOON
        with pytest.raises(Refused):
            await t.execute(DefineCourse(course_id="c1", capacity=2))


async def test_terms_of_a_command_are_passed_on():
    """Who sent it, under which key, and what the sender expects."""
    async with app.test() as t:
        first = await t.execute(DefineCourse(course_id="c1", capacity=2), actor="ann", idempotency_key="k")
        again = await t.execute(DefineCourse(course_id="c1", capacity=2), actor="ann", idempotency_key="k")

        assert (again.position, again.replayed, len(t.events)) == (first.position, True, 1)
        assert t.recorded[0].metadata.actor == "ann"
        with pytest.raises(ExpectationFailed):
            await t.execute(ChangeCapacity(course_id="c1", capacity=3), expect=0)


async def test_two_tests_know_nothing_of_each_other():
    """Each begins with an empty log."""
    async with app.test() as one, app.test() as other:
        await one.execute(DefineCourse(course_id="c1", capacity=2))

        assert (len(one.events), other.events) == (1, [])
        assert await other.ask(FindCourse(course_id="c1")) is None


async def test_what_cannot_have_happened_is_refused_before_anything_is_stored():
    """A command is no event."""
    async with app.test() as t:
        with pytest.raises(ContractError, match="nothing that happened"):
            await t.given(DEFINED, DefineCourse(course_id="c1", capacity=2))

        assert await t.runtime.event_store.head() == 0
