"""A university for the tests of the sitemap: tasks about two things, keys of two parts, all sorts of queries."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from headwater import (
    Aggregate,
    App,
    Command,
    Count,
    DetailQuery,
    Event,
    EventQuery,
    Group,
    Indexed,
    Key,
    ListQuery,
    Page,
    PageRequest,
    Projection,
    Query,
    Reader,
    ReadModel,
    ReportQuery,
    ReportRow,
    Sort,
    Tag,
    answers,
    decide,
    evolve,
    on,
)

CourseId = Annotated[str, Tag("course")]
Matriculation = Annotated[int, Tag("student")]


class Enrol(Command, rename="camel"):
    """A student takes a course."""

    course_id: CourseId
    student_no: Matriculation


class Mark(Command):
    """Give a mark."""

    course_id: CourseId
    student_no: Matriculation
    mark: int


class Invoice(Command):
    """Write an invoice; its number follows from those before."""

    amount: int


class Lottery(Command):
    """Draw a place."""

    course_id: CourseId


class Enrolled(Event):
    course_id: CourseId
    student_no: Matriculation


class Invoiced(Event):
    amount: int


class Enrolment(Aggregate):
    """One student in one course."""

    course_id: CourseId
    student_no: Matriculation
    enrolled: bool = False

    def boundary(self) -> EventQuery:
        """Both at once."""
        return EventQuery.of(tags=(f"course:{self.course_id}", f"student:{self.student_no}"))

    @decide(when=lambda self: not self.enrolled or "already enrolled")
    def enrol(self, command: Enrol) -> Enrolled:
        return Enrolled(course_id=self.course_id, student_no=self.student_no)

    @decide(when=lambda self: self.enrolled or "not enrolled")
    def give(self, command: Mark) -> None:
        """Nothing is kept."""

    @evolve
    def was_enrolled(self, event: Enrolled) -> None:
        self.enrolled = True


class Invoices(Aggregate):
    """All invoices."""

    count: int = 0

    @decide(when=lambda self: self.count < 100 or "the book is full")
    def write(self, command: Invoice) -> Invoiced:
        return Invoiced(amount=command.amount)

    @evolve
    def written(self, event: Invoiced) -> None:
        self.count += 1


class Draw(Aggregate):
    """Begins from its command."""

    course_id: CourseId
    seats: int = 0

    @classmethod
    def start(cls, command: Lottery) -> Draw:
        return cls(course_id=command.course_id, seats=3)

    @decide(when=lambda self: self.seats > 2)
    def draw(self, command: Lottery) -> None:
        """Nobody wins."""


class EnrolmentRow(ReadModel):
    """Who is in which course."""

    course_id: Annotated[str, Key()]
    student_no: Annotated[int, Key()]
    year: Annotated[int, Indexed()] = 2026


class Enrolments(Projection[EnrolmentRow]):
    """The list."""

    @on
    def enrolled(self, event: Enrolled) -> EnrolmentRow:
        return EnrolmentRow(course_id=event.course_id, student_no=event.student_no)


class Years(ReportRow[EnrolmentRow]):
    """How many, year by year."""

    year: Annotated[int, Group()]
    enrolments: Annotated[int, Count()]


class EnrolmentsByYear(ReportQuery[Years]):
    """Figures."""

    course_id: str | None = None
    sort: Sort = "-year"


class FindEnrolments(ListQuery[EnrolmentRow]):
    """All of them."""


class GetEnrolment(DetailQuery[EnrolmentRow]):
    """One of them."""

    course_id: str
    student_no: int


class ShowCourse(Query[dict[str, int] | None]):
    """What is known of a course."""

    course_id: str


class ListByHand(Query[Page[EnrolmentRow]]):
    """A list that a function answers."""

    year: int = 2026
    sort: Sort = "student_no"
    page: PageRequest = PageRequest(size=2)


class Names(Query[list[str]]):
    """Texts alone."""


class Anything(Query[Any]):
    """It does not say what it answers."""


class Nested(msgspec.Struct):
    """A row inside of an answer."""

    title: str
    first: EnrolmentRow | None


class Overview(Query[Nested]):
    """A row beside a text."""


@answers
def show_course(query: ShowCourse, rows: Reader[EnrolmentRow]) -> dict[str, int] | None:
    return {"places": 3} if query.course_id == "c1" else None


@answers
async def list_by_hand(query: ListByHand, rows: Reader[EnrolmentRow]) -> Page[EnrolmentRow]:
    return await rows.where(year=query.year).sort(query.sort).page(query.page)


@answers
def names(query: Names) -> list[str]:
    return ["Ada", "Bob"]


@answers
def anything(query: Anything) -> Any:
    return {"a": [1, 2], "b": None}


@answers
async def overview(query: Overview, rows: Reader[EnrolmentRow]) -> Nested:
    page = await rows.page()
    return Nested("Everybody", page.items[0] if page.items else None)


app = App(
    "university",
    Enrolment,
    Invoices,
    Draw,
    Enrolments,
    EnrolmentsByYear,
    FindEnrolments,
    GetEnrolment,
    show_course,
    list_by_hand,
    names,
    anything,
    overview,
)
