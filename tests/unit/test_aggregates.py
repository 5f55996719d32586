"""Aggregates: how a class is read, and what is reported when it does not fit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from tests.domain import (
    ChangeCapacity,
    Course,
    CourseDefined,
    DefineCourse,
    Enrolment,
    EnrolStudent,
    Invoices,
    IssueInvoice,
    Line,
    Pair,
    PlaceOrder,
    Stock,
)

from headwater import App
from headwater.aggregates import Aggregate, aggregate_plan, decide, evolve
from headwater.errors import HandlerContractError, Refused
from headwater.event_store.protocol import EventQuery, QueryItem
from headwater.messages import Command, Event, Tag

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def now() -> datetime:
    """The time in these tests."""
    return NOON


def test_a_plan_lists_deciders_and_evolvers() -> None:
    """Every decider is found by its command and every evolver by its event."""
    plan = aggregate_plan(Course)
    assert plan.faults == ()
    assert set(plan.deciders) == {DefineCourse, ChangeCapacity}
    assert CourseDefined in plan.evolvers


def test_start_copies_tag_fields() -> None:
    """The empty state knows what it is about and nothing else."""
    course = Course.start(DefineCourse(course_id="c1", capacity=3))
    assert (course.course_id, course.capacity) == ("c1", 0)


def test_one_tag_is_one_item() -> None:
    """The classic aggregate looks at the events of its tag."""
    assert Course(course_id="c1").boundary() == EventQuery(
        (QueryItem(("CapacityChanged", "CourseDefined"), ("course:c1",)),)
    )


def test_two_tags_are_two_items() -> None:
    """Two tags are alternatives."""
    items = Enrolment.start(EnrolStudent(course_id="c1", student_id="s1")).boundary().items
    assert [item.tags for item in items] == [("course:c1",), ("student:s1",)]


def test_no_tag_is_all_events_of_its_types() -> None:
    """Without a tag the types alone say what is looked at."""
    assert Invoices.start(IssueInvoice(amount=1)).boundary() == EventQuery((QueryItem(("InvoiceIssued",)),))


def test_a_list_field_is_a_tag_per_element() -> None:
    """Tags from nested lines, by an own start()."""
    order = PlaceOrder(order_id="o1", lines=[Line("p1", 1), Line("p2", 2), Line("p1", 3)])
    items = Stock.start(order).boundary().items
    assert [item.tags for item in items] == [("product:p1",), ("product:p2",)]


def test_boundary_can_be_overridden() -> None:
    """Both tags at once is an AND."""
    (item,) = Pair(course_id="c1", student_id="s1").boundary().items
    assert item.tags == ("course:c1", "student:s1")


def test_when_refuses_with_its_reason() -> None:
    """A command that is not on offer is refused with the reason that the user interface shows too."""
    decider = aggregate_plan(Course).deciders[ChangeCapacity]
    state = Course(course_id="c1")
    assert decider.reason_against(state) == "the course is not defined yet"
    with pytest.raises(Refused) as refused:
        decider.decide(state, ChangeCapacity(course_id="c1", capacity=1), now, {})
    assert refused.value.code == "not-available"


def test_a_decider_may_return_nothing() -> None:
    """No change, no event."""
    decider = aggregate_plan(Course).deciders[ChangeCapacity]
    command = ChangeCapacity(course_id="c1", capacity=5)
    assert decider.decide(Course(course_id="c1", capacity=5), command, now, {}) == ()


class Poke(Command):
    """Anything."""

    name: str


class Poked(Event):
    """Anything happened."""

    name: str


class ReturnsText(Aggregate):
    """Its decider is not annotated, so what it returns is only seen at run time."""

    @decide
    def poke(self, command: Poke):  # type: ignore[no-untyped-def]
        """Text is no event."""
        return "poked"


def test_a_decider_that_returns_something_else_is_a_typed_error() -> None:
    """What can only be seen at run time is seen then."""
    plan = aggregate_plan(ReturnsText)
    assert plan.faults == ()
    with pytest.raises(HandlerContractError, match="ReturnsText.poke returned str"):
        plan.deciders[Poke].decide(ReturnsText(), Poke(name="x"), now, {})


class Unstarted(Aggregate):
    """It forgets to return what it begins from."""

    @classmethod
    def start(cls, command: Poke) -> Unstarted:
        """Nothing."""

    @decide
    def poke(self, command: Poke) -> None:
        """Never comes to that."""


async def test_a_start_that_returns_something_else_is_a_typed_error() -> None:
    """It says what to return."""
    async with App("pokes", Unstarted).open("memory:") as desk:
        with pytest.raises(HandlerContractError, match=r"start returned NoneType.*return Unstarted\(...\)"):
            await desk.execute(Poke(name="x"))


class AnnotatedWrongly(Aggregate):
    """Its decider says that it returns a number."""

    @decide
    def poke(self, command: Poke) -> int:
        """A number is no event."""
        return 1


class DecidesTwice(Aggregate):
    """Two deciders of one command."""

    @decide
    def poke(self, command: Poke) -> Poked:
        """One."""
        return Poked(name=command.name)

    @decide
    def poke_again(self, command: Poke) -> Poked:
        """Two."""
        return Poked(name=command.name)


class NoDefault(Aggregate):
    """A field that nothing fills."""

    total: int

    @decide
    def poke(self, command: Poke) -> Poked:
        """Fine."""
        return Poked(name=command.name)


class NoSuchField(Aggregate):
    """Its tag field is not in the command."""

    thing_id: Annotated[str, Tag("thing")]

    @decide
    def poke(self, command: Poke) -> Poked:
        """Fine."""
        return Poked(name=command.name)


class NotACommand(Aggregate):
    """Its decider takes an event."""

    @decide
    def poke(self, event: Poked) -> Poked:
        """Wrong."""
        return event


class EvolvesNonsense(Aggregate):
    """Its evolve takes a number."""

    @evolve
    def poked(self, event: int) -> None:
        """Wrong."""


class DecidesLater(Aggregate):
    """Its decider would wait for something."""

    @decide
    async def poke(self, command: Poke) -> Poked:
        """Wrong."""
        return Poked(name=command.name)


class EvolvesLater(Aggregate):
    """Its evolve would wait for something."""

    @evolve
    async def poked(self, event: Poked) -> None:
        """Wrong."""


@pytest.mark.parametrize(
    ("cls", "fault"),
    [
        (AnnotatedWrongly, "returns events or None, not int"),
        (DecidesTwice, "Poke is already decided by DecidesTwice.poke"),
        (NoDefault, "NoDefault.total: needs a default"),
        (NoSuchField, "Poke has no field 'thing_id'"),
        (NotACommand, "must be annotated with a Command"),
        (EvolvesNonsense, "int is not an event class"),
        (DecidesLater, "DecidesLater.poke: is async"),
        (EvolvesLater, "EvolvesLater.poked: is async"),
    ],
)
def test_wiring_faults_are_named(cls: Any, fault: str) -> None:
    """Each fault says where it is and what to do."""
    faults = aggregate_plan(cls).faults
    assert any(fault in found for found in faults), faults
