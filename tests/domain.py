"""A small domain for the tests: courses, enrolment (two tags), orders (tags in nested lines), invoices (no tag)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Protocol

import msgspec

from headwater.aggregates import Aggregate, decide, evolve
from headwater.clock import Now
from headwater.errors import Refused
from headwater.event_store.protocol import EventQuery
from headwater.messages import Command, Event, Meta, Recorded, Tag

CourseId = Annotated[str, Tag("course")]
StudentId = Annotated[str, Tag("student")]
ProductId = Annotated[str, Tag("product")]


# -- one tag -----------------------------------------------------------------------------------------------------------


class DefineCourse(Command):
    """Offer a course."""

    course_id: CourseId
    capacity: Annotated[int, Meta(ge=1)]


class CourseDefined(Event):
    """A course is on offer."""

    course_id: CourseId
    capacity: int
    defined_at: datetime


class ChangeCapacity(Command):
    """Offer more or fewer places."""

    course_id: CourseId
    capacity: int


class CapacityChanged(Event):
    """A course has more or fewer places."""

    course_id: CourseId
    capacity: int


class Course(Aggregate):
    """One tag: everything about one course."""

    course_id: CourseId
    capacity: int = 0

    @decide
    def define(self, command: DefineCourse, now: Now) -> CourseDefined:
        """A course is defined once."""
        if self.capacity:
            raise Refused("course-exists", f"course {self.course_id} is already defined")
        return CourseDefined(course_id=self.course_id, capacity=command.capacity, defined_at=now)

    @decide(when=lambda self: self.capacity > 0 or "the course is not defined yet")
    def change(self, command: ChangeCapacity) -> CapacityChanged | None:
        """Asking for what is already so changes nothing."""
        if command.capacity == self.capacity:
            return None
        return CapacityChanged(course_id=self.course_id, capacity=command.capacity)

    @evolve
    def changed(self, event: CourseDefined | CapacityChanged) -> None:
        """Both events say how many places there are."""
        self.capacity = event.capacity


# -- two tags ----------------------------------------------------------------------------------------------------------


class EnrolStudent(Command):
    """Give a student a place in a course."""

    course_id: CourseId
    student_id: StudentId


class StudentEnrolled(Event):
    """A student has a place in a course."""

    course_id: CourseId
    student_id: StudentId


class Enrolment(Aggregate):
    """Two tags: everything about the course and everything about the student."""

    course_id: CourseId
    student_id: StudentId
    capacity: int = 0
    taken: int = 0
    courses: int = 0

    @decide
    def enrol(self, command: EnrolStudent) -> StudentEnrolled:
        """A course has places and a student at most three courses."""
        if self.taken >= self.capacity:
            raise Refused("course-full", f"course {self.course_id} is full", capacity=self.capacity)
        if self.courses >= 3:
            raise Refused("too-many-courses")
        return StudentEnrolled(course_id=self.course_id, student_id=self.student_id)

    @evolve
    def defined(self, event: CourseDefined | CapacityChanged) -> None:
        """The course's places."""
        self.capacity = event.capacity

    @evolve
    def enrolled(self, event: StudentEnrolled) -> None:
        """It counts for the course, for the student, or for both."""
        self.taken += event.course_id == self.course_id
        self.courses += event.student_id == self.student_id


class Pair(Aggregate):
    """Both tags at once: only what is about this student in this course."""

    course_id: CourseId
    student_id: StudentId
    enrolled: bool = False

    def boundary(self) -> EventQuery:
        """AND instead of OR."""
        return EventQuery.of(
            types=("StudentEnrolled",), tags=(f"course:{self.course_id}", f"student:{self.student_id}")
        )

    @decide
    def withdraw(self, command: WithdrawStudent) -> StudentWithdrawn:
        """Only who is enrolled can withdraw."""
        if not self.enrolled:
            raise Refused("not-enrolled")
        return StudentWithdrawn(course_id=self.course_id, student_id=self.student_id)

    @evolve
    def was_enrolled(self, event: StudentEnrolled) -> None:
        """The pair is enrolled."""
        self.enrolled = True


class WithdrawStudent(Command):
    """Give a place back."""

    course_id: CourseId
    student_id: StudentId


class StudentWithdrawn(Event):
    """A place was given back."""

    course_id: CourseId
    student_id: StudentId


# -- tags in nested lines, own start -----------------------------------------------------------------------------------


class Line(msgspec.Struct, frozen=True):
    """A line of an order."""

    product_id: ProductId
    quantity: int


class PlaceOrder(Command):
    """Order several products."""

    order_id: Annotated[str, Tag("order")]
    lines: list[Line]


class OrderPlaced(Event):
    """Products are ordered; the event is about each of them."""

    order_id: Annotated[str, Tag("order")]
    lines: list[Line]


class Stock(Aggregate):
    """A list of tags: the stock of each product of an order."""

    products: Annotated[list[str], Tag("product")]
    sold: dict[str, int] = msgspec.field(default_factory=dict)

    @classmethod
    def start(cls, command: PlaceOrder) -> Stock:
        """The products of the lines."""
        return cls(products=[line.product_id for line in command.lines])

    @decide
    def place(self, command: PlaceOrder) -> OrderPlaced:
        """Ten of each are there to sell."""
        for line in command.lines:
            if self.sold.get(line.product_id, 0) + line.quantity > 10:
                raise Refused("sold-out", product=line.product_id)
        return OrderPlaced(order_id=command.order_id, lines=command.lines)

    @evolve
    def placed(self, event: OrderPlaced) -> None:
        """Count what was sold."""
        for line in event.lines:
            self.sold[line.product_id] = self.sold.get(line.product_id, 0) + line.quantity


# -- no tag, a service, the envelope -----------------------------------------------------------------------------------


class Numbering(Protocol):
    """How invoices are numbered: a service."""

    def format(self, number: int) -> str:
        """The number as it is printed."""
        ...


class IssueInvoice(Command):
    """Bill somebody."""

    amount: Annotated[int, Meta(gt=0)]


class InvoiceIssued(Event):
    """An invoice has the next number."""

    number: int
    printed: str
    amount: int


class Invoices(Aggregate):
    """No tag: all events of its types, for numbers without gaps."""

    last: int = 0
    last_position: int = 0

    @decide
    def issue(self, command: IssueInvoice, numbering: Numbering) -> list[InvoiceIssued]:
        """The next number."""
        number = self.last + 1
        return [InvoiceIssued(number=number, printed=numbering.format(number), amount=command.amount)]

    @evolve
    def issued(self, recorded: Recorded[InvoiceIssued]) -> None:
        """It keeps the number and where it stands in the log."""
        self.last = recorded.event.number
        self.last_position = recorded.position
