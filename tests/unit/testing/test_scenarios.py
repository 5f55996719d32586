from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import pytest
from tests.domain import (
    CapacityChanged,
    ChangeCapacity,
    Course,
    CourseDefined,
    DefineCourse,
    Enrolment,
    EnrolStudent,
    InvoiceIssued,
    Invoices,
    IssueInvoice,
    Line,
    Numbering,
    OrderPlaced,
    Pair,
    PlaceOrder,
    Stock,
    StudentEnrolled,
    StudentWithdrawn,
    WithdrawStudent,
)

from headwater.aggregates import Aggregate, decide, evolve
from headwater.clock import Now
from headwater.errors import ContractError, HandlerContractError, Refused, UnknownMessage, WiringError
from headwater.messages import Command, Event, Metadata, Recorded, Tag, contract
from headwater.testing import scenario

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
DEFINED = CourseDefined(course_id="c1", capacity=2, defined_at=NOON)
ENROLLED = StudentEnrolled(course_id="c1", student_id="s1")
CHANGED = CapacityChanged(course_id="c1", capacity=5)


class PlainNumbers:
    """A numbering service."""

    def format(self, number):
        return f"INV-{number}"


# -- what holds --------------------------------------------------------------------------------------------------------


def test_a_command_leads_to_the_events_that_were_said():
    """``now`` is given to the decider."""
    scenario(Course, now=NOON).when(DefineCourse(course_id="c1", capacity=2)).then(DEFINED)


def test_given_events_are_folded_before_the_decision():
    """The decider sees the state that follows from them."""
    scenario(Course).given(DEFINED).when(ChangeCapacity(course_id="c1", capacity=5)).then(CHANGED)


def test_a_command_may_lead_to_nothing():
    """It was accepted and changed nothing."""
    scenario(Course).given(DEFINED).when(ChangeCapacity(course_id="c1", capacity=2)).then_nothing()


def test_a_refusal_is_named_by_its_reason():
    """The reason is the rule's slug."""
    scenario(Course).given(DEFINED).when(DefineCourse(course_id="c1", capacity=9)).then_refused("course-exists")


def test_a_refusal_may_be_checked_with_its_fields():
    """Those that are named must be there."""
    full = scenario(Enrolment).given(DEFINED, ENROLLED, StudentEnrolled(course_id="c1", student_id="s2"))

    full.when(EnrolStudent(course_id="c1", student_id="s3")).then_refused("course-full", capacity=2)


def test_a_command_that_is_not_on_offer_is_refused():
    """``when=`` is checked as in the real thing."""
    scenario(Course).when(ChangeCapacity(course_id="c1", capacity=5)).then_refused("not-available")


def test_a_scenario_goes_on_with_the_events_that_followed():
    """What was decided is history for the next command."""
    (
        scenario(Course, now=NOON)
        .when(DefineCourse(course_id="c1", capacity=2))
        .then(DEFINED)
        .when(ChangeCapacity(course_id="c1", capacity=5))
        .then(CHANGED)
        .when(ChangeCapacity(course_id="c1", capacity=5))
        .then_nothing()
        .when(DefineCourse(course_id="c1", capacity=2))
        .then_refused("course-exists")
    )


def test_a_common_beginning_can_be_used_twice():
    """Each word gives a new scenario and leaves the one before as it was."""
    defined = scenario(Course).given(DEFINED)
    defined.when(ChangeCapacity(course_id="c1", capacity=5)).then(CHANGED)
    defined.given(CHANGED).when(ChangeCapacity(course_id="c1", capacity=5)).then_nothing()

    defined.when(ChangeCapacity(course_id="c1", capacity=5)).then(CHANGED)


def test_only_events_inside_the_boundary_reach_the_aggregate():
    """An event about another course, or of another type, is not seen, as in the real thing."""
    other = CourseDefined(course_id="c2", capacity=9, defined_at=NOON)

    scenario(Course, now=NOON).given(other, ENROLLED).when(DefineCourse(course_id="c1", capacity=2)).then(DEFINED)


def test_a_boundary_of_its_own_is_respected():
    """Both tags at once: the same student in another course does not count."""
    withdraw = WithdrawStudent(course_id="c1", student_id="s1")
    pair = scenario(Pair).given(StudentEnrolled(course_id="c2", student_id="s1"))

    pair.when(withdraw).then_refused("not-enrolled")
    pair.given(ENROLLED).when(withdraw).then(StudentWithdrawn(course_id="c1", student_id="s1"))


def test_tags_in_nested_lines_and_an_own_start_work():
    """The boundary is made of the products of the lines."""
    sold = OrderPlaced(order_id="o1", lines=[Line("p1", 9)])
    order = PlaceOrder(order_id="o2", lines=[Line("p2", 1), Line("p1", 2)])

    scenario(Stock).given(sold).when(order).then_refused("sold-out", product="p1")


def test_services_are_given_by_annotation():
    """As the app would give them."""
    issued = InvoiceIssued(number=1, printed="INV-1", amount=5)

    scenario(Invoices, services={Numbering: PlainNumbers()}).when(IssueInvoice(amount=5)).then(issued)


@contract("Counted", version=3)
class Counted(Event):
    """An event that has had two versions before."""


class Count(Command):
    """Count on."""


class Counter(Aggregate):
    """Counts to one."""

    count: int = 0

    @decide
    def on(self, command: Count) -> Counted | None:
        return None if self.count else Counted()

    @evolve
    def counted(self, event: Counted) -> None:
        self.count += 1


def test_events_of_later_versions_need_no_upcasters_here():
    """What is given is of today's version."""
    scenario(Counter).when(Count()).then(Counted()).when(Count()).then_nothing()


def test_a_scenario_shows_itself_in_a_few_words():
    """In a Python prompt it is shown after every line."""
    assert repr(scenario(Course).given(DEFINED)) == "<scenario of Course, 1 events>"


# -- time, position, metadata ------------------------------------------------------------------------------------------


class Look(Command):
    """Ask the aggregate to tell what it saw."""


class Seen(Event):
    """What the aggregate saw."""

    seen: list[str]


class Noted(Event):
    """Something happened."""


class Watcher(Aggregate):
    """Keeps the envelopes of what happened."""

    seen: list[str] = msgspec.field(default_factory=list)

    @decide
    def look(self, command: Look, now: Now) -> Seen:
        return Seen(seen=[*self.seen, f"now {now:%H:%M}"])

    @evolve
    def noted(self, recorded: Recorded[Noted]) -> None:
        self.seen.append(f"{recorded.position} {recorded.recorded_at:%H:%M} {recorded.metadata.actor}")


def test_given_events_have_positions_times_and_metadata():
    """An event alone was recorded now; a pair says when; a ``Recorded`` says by whom as well."""
    earlier = NOON.replace(hour=9)
    by_ann = Recorded(Noted(), 1, NOON.replace(hour=10), Metadata(actor="ann"))

    scenario(Watcher, now=NOON).given(Noted(), (Noted(), earlier), by_ann).when(Look()).then(
        Seen(seen=["1 12:00 None", "2 09:00 None", "3 10:00 ann", "now 12:00"])
    )


def test_a_command_may_come_at_another_time():
    """Time goes on for that command and what follows from it."""
    later = NOON.replace(hour=15)

    scenario(Watcher, now=NOON).when(Look(), now=later).then(Seen(seen=["now 15:00"]))


# -- what does not hold ------------------------------------------------------------------------------------------------


def test_other_events_are_shown_field_by_field():
    """The line that differs stands out, and what was given and the state are shown."""
    decided = scenario(Course).given(DEFINED).when(ChangeCapacity(course_id="c1", capacity=5))

    with pytest.raises(AssertionError) as failure:
        decided.then(CapacityChanged(course_id="c1", capacity=6))
    told = str(failure.value)
    assert "-     capacity=6," in told
    assert "+     capacity=5," in told
    assert "      course_id='c1'," in told
    assert repr(DEFINED) in told
    assert "state: {'course_id': 'c1', 'capacity': 2}" in told


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        (lambda outcome: outcome.then(CHANGED), "was refused: 'course-exists'"),
        (lambda outcome: outcome.then_nothing(), "expected: nothing happens"),
        (lambda outcome: outcome.then_refused("course-full"), "expected: 'course-full'"),
        (lambda outcome: outcome.then_refused("course-exists", since=1), "expected: {'since': 1}"),
    ],
)
def test_an_unexpected_refusal_fails_with_its_reason(expect, told):
    """Whatever else was expected."""
    outcome = scenario(Course).given(DEFINED).when(DefineCourse(course_id="c1", capacity=1))

    with pytest.raises(AssertionError, match=told):
        expect(outcome)


@pytest.mark.parametrize(
    "expect", [lambda outcome: outcome.then_nothing(), lambda outcome: outcome.then_refused("course-exists")]
)
def test_unexpected_events_fail_and_are_listed(expect):
    """Whatever else was expected."""
    outcome = scenario(Course, now=NOON).when(DefineCourse(course_id="c1", capacity=2))

    with pytest.raises(AssertionError, match="CourseDefined"):
        expect(outcome)


def test_then_without_events_is_refused():
    """It would pass for a command that leads to nothing, and say so nowhere."""
    with pytest.raises(ContractError, match="then_nothing"):
        scenario(Course).given(DEFINED).when(ChangeCapacity(course_id="c1", capacity=2)).then()


# -- faults of the aggregate -------------------------------------------------------------------------------------------


class Spoil(Command):
    """Use a broken decider."""


class Spoilt(Event):
    """It happened nevertheless."""

    when: float = 0.0
    extra: Any = None


class Impure(Aggregate):
    """Changes its state while deciding."""

    done: bool = False

    @decide
    def spoil(self, command: Spoil) -> Spoilt:
        self.done = True
        return Spoilt()


class ImpureRefusal(Aggregate):
    """Changes its state and then refuses."""

    tries: list[int] = msgspec.field(default_factory=list)

    @decide
    def spoil(self, command: Spoil) -> Spoilt:
        self.tries.append(1)
        raise Refused("never")


@pytest.mark.parametrize("aggregate", [Impure, ImpureRefusal])
def test_a_decider_that_changes_the_state_is_found(aggregate):
    """Deciding is pure; only ``evolve`` changes the state."""
    with pytest.raises(HandlerContractError, match="spoil changed the state"):
        scenario(aggregate).when(Spoil())


class Unfaithful(Aggregate):
    """Its events are not what they were after JSON."""

    @decide
    def spoil(self, command: Spoil) -> Spoilt:
        return Spoilt(extra=(1, 2))

    @decide
    def look(self, command: Look) -> Spoilt:
        return Spoilt(when=float("nan"))


def test_an_event_that_is_another_after_it_was_stored_is_found():
    """A tuple comes back as a list, because the field does not say that it is one."""
    with pytest.raises(ContractError, match="after it was stored and read again"):
        scenario(Unfaithful).when(Spoil())


def test_an_event_that_its_own_class_refuses_is_found():
    """JSON has no NaN: what is stored could not be read."""
    with pytest.raises(HandlerContractError, match="/when"):
        scenario(Unfaithful).when(Look())


class Breaking(Aggregate):
    """Cannot fold what it decided."""

    @decide
    def spoil(self, command: Spoil) -> Spoilt:
        return Spoilt()

    @evolve
    def spoilt(self, event: Spoilt) -> None:
        raise ZeroDivisionError


def test_an_event_that_cannot_be_folded_fails_at_once():
    """Not only at the next command."""
    with pytest.raises(ZeroDivisionError):
        scenario(Breaking).when(Spoil())


def test_a_command_that_the_aggregate_does_not_decide_is_named():
    """With the nearest one that it does."""
    with pytest.raises(UnknownMessage, match="Course"):
        scenario(Course).when(EnrolStudent(course_id="c1", student_id="s1"))


def test_a_missing_service_is_named_with_how_to_give_it():
    """Before the decider runs."""
    with pytest.raises(WiringError, match=r"services=\{Numbering: ...\}"):
        scenario(Invoices).when(IssueInvoice(amount=5))


class Faulty(Aggregate):
    """Two faults."""

    course_id: Annotated[str, Tag("course")]
    capacity: int

    @decide
    def spoil(self, command: Spoil) -> Spoilt:
        return Spoilt()


def test_the_faults_of_the_class_are_reported_together():
    """As the app would report them."""
    with pytest.raises(WiringError) as error:
        scenario(Faulty)

    assert len(error.value.faults) == 2


@pytest.mark.parametrize("thing", [object, DEFINED, "Course"])
def test_only_aggregates_and_projections_have_scenarios(thing):
    """Anything else is refused with what to give instead."""
    with pytest.raises(ContractError, match="Aggregate"):
        scenario(thing)


@pytest.mark.parametrize("thing", [object(), (DEFINED,), (DEFINED, "noon"), DefineCourse(course_id="c1", capacity=1)])
def test_only_what_can_have_happened_is_given(thing):
    """An event, an event and a time, or a ``Recorded``."""
    with pytest.raises(ContractError, match="nothing that happened"):
        scenario(Course).given(thing)
