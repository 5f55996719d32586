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
from headwater.errors import EvolutionError, HandlerContractError, Refused
from headwater.event_store.protocol import EventQuery, QueryItem
from headwater.messages import Command, Event, Recorded, Tag

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


class EvolvesAnew(Aggregate):
    """Its evolve returns a new state, as a frozen dataclass has it."""

    @evolve
    def poked(self, event: Poked) -> EvolvesAnew:
        """Wrong."""
        return EvolvesAnew()


class Deaf(Aggregate):
    """It evolves an event that is about no thing."""

    thing_id: Annotated[str, Tag("thing")]

    @evolve
    def poked(self, event: Poked) -> None:
        """Never called."""


class AllEars(Deaf):
    """It looks for the event by itself."""

    def boundary(self) -> EventQuery:
        """All of the type."""
        return EventQuery.of(types=("Poked",))


class PokeSomething(Command):
    """It may leave out what it is about."""

    thing_id: Annotated[str, Tag("thing")] | None = None


class AboutNothing(Aggregate):
    """Without its tag it would decide on no events at all."""

    thing_id: Annotated[str, Tag("thing")]

    @decide
    def poke(self, command: PokeSomething) -> None:
        """Nothing."""


class Undecorated(Aggregate):
    """Its methods look as if they were called."""

    def poke(self, command: Poke) -> Poked:
        """Not marked."""
        return Poked(name=command.name)

    def poked(self, event: Recorded[Poked]) -> None:
        """Not marked either."""

    def _help(self, command: Poke) -> str:
        """A helper."""
        return command.name


class Overriding(Undecorated):
    """The method of its base is marked here."""

    @decide
    def poke(self, command: Poke) -> Poked:
        """Marked."""
        return self.made(command)

    def made(self, command: Poke) -> Poked:
        """What a decider calls needs no underscore."""
        return Poked(name=self._help(command))


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
        (EvolvesAnew, "EvolvesAnew.poked: evolve changes the fields of self and returns nothing, not EvolvesAnew"),
        (AboutNothing, "AboutNothing.thing_id is never None, but PokeSomething may leave it out"),
        (Deaf, "Deaf would never see Poked, which has no Tag('thing')"),
        (Undecorated, "Undecorated.poke: takes Poke, but nothing calls it; write @decide or @evolve above it"),
        (Undecorated, "Undecorated.poked: takes Poked, but nothing calls it"),
        (Overriding, "Undecorated.poked: takes Poked, but nothing calls it"),
    ],
)
def test_wiring_faults_are_named(cls: Any, fault: str) -> None:
    """Each fault says where it is and what to do."""
    faults = aggregate_plan(cls).faults
    assert any(fault in found for found in faults), faults


def test_what_is_no_slip_is_no_fault() -> None:
    """A boundary of its own finds events by other means, and deciders may have helpers of any name."""
    assert aggregate_plan(AllEars).faults == ()
    assert not [fault for fault in aggregate_plan(Overriding).faults if "Poked" not in fault]


class EvolvesUnsaid(Aggregate):
    """Its evolve does not say what it returns."""

    name: str = ""

    @decide
    def poke(self, command: Poke) -> Poked:
        """Done."""
        return Poked(name=command.name)

    @evolve
    def poked(self, event: Poked):  # type: ignore[no-untyped-def]
        """A new state, if there is a name."""
        return EvolvesUnsaid(name=event.name) if event.name else None


async def test_a_new_state_is_not_lost_in_silence() -> None:
    """Where no annotation says that nothing comes back, that is looked at when it does."""
    async with App("pokes", EvolvesUnsaid).open("memory:") as desk:
        await desk.execute(Poke(name=""))
        await desk.execute(Poke(name="x"))
        with pytest.raises(
            EvolutionError, match=r"position 2.*poked returned EvolvesUnsaid: evolve changes the fields"
        ):
            await desk.execute(Poke(name="y"))


class Forgetful(Aggregate):
    """Its decider makes an event and keeps it to itself."""

    @decide
    def poke(self, command: Poke) -> Poked:  # type: ignore[empty-body]
        """Returns nothing."""


def test_a_forgotten_return_is_a_typed_error() -> None:
    """Only who says that it may decide nothing may do so; else the command would be done with, and nothing stored."""
    (decider,) = aggregate_plan(Forgetful).deciders.values()
    with pytest.raises(HandlerContractError, match=r"Forgetful\.poke returned None, which it does not say it may"):
        decider.decide(Forgetful(), Poke(name="x"), now, {})
