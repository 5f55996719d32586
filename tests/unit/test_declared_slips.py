"""What people declare who do not know Headwater yet, and what ``App(...)`` or a decorator tells them."""

from __future__ import annotations

from datetime import datetime
from types import new_class
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from tests.domain import CapacityChanged, ChangeCapacity, Course, CourseDefined, DefineCourse

from headwater import (
    Aggregate,
    App,
    Command,
    Event,
    Indexed,
    Key,
    ListQuery,
    Meta,
    Projection,
    Query,
    ReadModel,
    Tag,
    contract,
    decide,
    evolve,
    on,
    upcast,
)
from headwater.errors import (
    ContractError,
    HandlerContractError,
    WiringError,
)

if TYPE_CHECKING:
    from decimal import Decimal


class CourseRow(ReadModel):
    course_id: Annotated[str, Key()]
    capacity: int


class Courses(Projection[CourseRow]):
    @on
    def defined(self, event: CourseDefined) -> CourseRow:
        return CourseRow(course_id=event.course_id, capacity=event.capacity)


class Happened(Event):
    """No command."""


class Priced(Event):
    price: Decimal


async def _later(state):
    return True


@pytest.mark.parametrize(
    "decorator",
    [lambda: decide(when="status == 'open'"), lambda: decide(when=_later), lambda: on(key="course_id")],
)
def test_a_decorator_with_something_else_than_a_function_is_refused_there(decorator):
    """Instead of when the first command or event comes; a coroutine would never be true."""
    with pytest.raises(WiringError, match="takes a (plain )?function of the (state|event), not"):
        decorator()


def test_two_methods_of_one_name_are_refused_where_the_second_stands():
    """Python would keep it alone, and nothing would ever call the first."""
    with pytest.raises(WiringError, match=r"Overloaded\.handle, marked @decide, has the name of .* marked @decide"):

        class Overloaded(Aggregate):
            @decide
            def handle(self, command: DefineCourse) -> CourseDefined: ...

            @decide
            def handle(self, command: ChangeCapacity) -> None: ...  # noqa: F811  the slip

    with pytest.raises(WiringError, match=r"Both\.handle, marked @on\b.* marked @on"):

        class Both(Projection[CourseRow]):
            @on
            def handle(self, event: CourseDefined) -> CourseRow: ...

            @on(key=lambda event: event.course_id)
            def handle(self, event: CapacityChanged, row: CourseRow) -> CourseRow: ...  # noqa: F811  the same


def test_a_method_may_take_the_place_of_its_bases():
    """In a class below it, and one that is no decider above it."""

    class Base(Aggregate):
        course_id: Annotated[str, Tag("course")]

        @decide
        def change(self, command: ChangeCapacity) -> None: ...

    class Below(Base):
        def stand(self) -> None: ...

        @decide
        def stand(self, command: DefineCourse) -> None: ...  # noqa: F811  no slip of ours

        @decide
        def change(self, command: ChangeCapacity) -> None: ...

    assert App("courses", Below).wiring.routes.keys() == {ChangeCapacity, DefineCourse}


class Static(Aggregate):
    course_id: Annotated[str, Tag("course")]

    @staticmethod
    @decide
    def change(state: Static, command: ChangeCapacity) -> None: ...

    @classmethod
    @decide
    def define(cls, command: DefineCourse) -> None: ...


class Timed(Aggregate):
    course_id: Annotated[str, Tag("course")]

    @decide
    def change(self, command: ChangeCapacity, now: datetime) -> None: ...


def test_deciders_that_could_not_be_called_are_told():
    """A static method hides its mark; a time is asked for in one way."""
    with pytest.raises(WiringError) as wrong:
        App("courses", Static, Timed)
    assert [fault.partition(":")[0] for fault in wrong.value.faults][:2] == ["Static.change", "Static.define"]
    assert any("asks for datetime" in fault and "now: Now" in fault for fault in wrong.value.faults)


@pytest.mark.parametrize("setting", ["resolver", "authorise", "scope"])
def test_functions_that_take_something_else_are_told(setting):
    """When the application is put together, and not when somebody sends the first command."""
    with pytest.raises(WiringError, match=f"{setting} is called with . argument.s.: missing a required argument: 'd'"):
        App("courses", Course, **{setting: lambda a, b=1, *, d: True})
    App("courses", Course, **{setting: lambda *given: True})


class Bare(Command):
    """Its marks are classes."""

    thing_id: Annotated[str, Tag]
    size: Annotated[int, Meta] | None = None


class BareRow(ReadModel):
    thing_id: Annotated[str, Key]
    name: Annotated[str, Indexed] = ""


class BareThing(Aggregate):
    thing_id: Annotated[str, Tag] = ""

    @decide
    def make(self, command: Bare) -> None:
        """Nothing."""


class BareRows(Projection[BareRow]):
    @on
    def defined(self, event: CourseDefined) -> BareRow: ...


def test_marks_without_parentheses_are_told():
    """Nothing would heed them."""
    with pytest.raises(WiringError) as wrong:
        App("bare", BareThing, BareRows)
    told = {fault.partition(":")[0] for fault in wrong.value.faults if "without parentheses" in fault}
    assert told == {"Bare.thing_id", "Bare.size", "BareThing.thing_id", "BareRow.thing_id", "BareRow.name"}


class PricedState(Aggregate):
    course_id: Annotated[str, Tag("course")]
    price: Decimal | None = None

    @decide
    def change(self, command: ChangeCapacity) -> None:
        """Nothing."""


class PricedRow(ReadModel):
    course_id: Annotated[str, Key()]
    price: Decimal


class PricedRows(Projection[PricedRow]):
    @on
    def defined(self, event: CourseDefined) -> PricedRow: ...


class FindPriced(ListQuery[PricedRow]):
    """Its rows cannot be known."""


@pytest.mark.parametrize("parts", [(PricedState,), (PricedRows,), (FindPriced,), (Priced,)])
def test_what_is_imported_for_type_checkers_only_is_told(parts):
    """Wherever it is named: by a state, rows, a query, an event."""
    with pytest.raises(WiringError, match="'Decimal' is not defined.*not under TYPE_CHECKING") as wrong:
        App("priced", *parts)
    assert not any("projects no event" in fault for fault in wrong.value.faults)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (lambda: contract(Happened), "takes the name that is stored, not <class"),
        (lambda: contract("Happened", version="2"), "version is a whole number from 1, not '2'"),
        (lambda: contract("Happened", aliases="Came"), r"aliases are a list of names .write aliases=\['Came'\]"),
        (lambda: new_class("Kept", (Query[int],), {"cache": 60}), r"Kept: cache is Cache\(...\), not 60"),
        (lambda: new_class("Bound", (Query[int],), {"limits": 60}), r"Bound: limits is Limits\(...\), not 60"),
    ],
)
def test_what_a_contract_cannot_be_is_told_where_it_stands(given, told):
    """A decorator without its parentheses would make a function of the class."""
    with pytest.raises(ContractError, match=told):
        given()


@pytest.mark.parametrize(("name", "version"), [(Happened, 1), ("Happened", "1")])
def test_an_upcaster_is_of_a_name_and_a_version(name, version):
    """Instead of one that no event ever finds."""
    with pytest.raises(WiringError, match="@upcast takes the stored name of an event and the number of a version"):
        upcast(name, from_version=version)


class CourseEvent(Event):
    course_id: Annotated[str, Tag("course")]


class CourseBegan(CourseEvent):
    """Below another event."""


class Begins(Aggregate):
    course_id: Annotated[str, Tag("course")]
    is_begun: bool = False

    @decide
    def change(self, command: ChangeCapacity) -> CourseBegan: ...

    @evolve
    def any_of_them(self, event: CourseEvent) -> None: ...


class Beginnings(Projection[CourseRow]):
    @on
    def any_of_them(self, event: CourseEvent) -> CourseRow: ...


class BothTaken(Begins):
    @evolve
    def began(self, event: CourseBegan) -> None: ...


def test_an_event_below_one_that_is_taken_is_told():
    """It is found by its own class, so that what takes the one above would never see it."""
    with pytest.raises(WiringError) as wrong:
        App("courses", Begins, Beginnings)
    assert wrong.value.faults == (
        "Begins takes CourseEvent, but not CourseBegan, which is below it; name each event",
        "Beginnings takes CourseEvent, but not CourseBegan, which is below it; name each event",
    )
    App("courses", BothTaken)


class Odd(Aggregate):
    course_id: Annotated[str, Tag("course")]
    start: int = 0
    snapshot_every: int = 100


class Seldom(Aggregate):
    snapshot_every = 0
    snapshot_version = "1"  # type: ignore[assignment]
    course_id: Annotated[str, Tag("course")]


class Numbered(Courses):
    name = 5  # type: ignore[assignment]


class Late(Event):
    at: datetime = None  # type: ignore[assignment]
    size: Annotated[int, Meta(ge=1)] | None = None
    more: Any = None


class LateRow(ReadModel):
    key: Annotated[str, Key()]
    at: datetime = None  # type: ignore[assignment]


class LateRows(Projection[LateRow]):
    @on
    def late(self, event: Late) -> LateRow: ...


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (
            Odd,
            ["Odd.snapshot_every: every aggregate has a 'snapshot_every'", "Odd.start: every aggregate has a 'start'"],
        ),
        (Seldom, ["Seldom.snapshot_every is a whole number from 1", "Seldom.snapshot_version is a whole number"]),
        (Numbered, ["Numbered.name is text, not 5"]),
        (LateRows, ["LateRow.at: its default is None, which datetime", "Late.at: its default is None, which datetime"]),
    ],
)
def test_fields_and_settings_that_cannot_be_are_told(part, told):
    """By the application, and not by the first command or event."""
    with pytest.raises(WiringError) as wrong:
        App("courses", part)
    assert [fault[: len(begin)] for fault, begin in zip(wrong.value.faults, told, strict=True)] == told


class Listed(Aggregate):
    course_id: Annotated[str, Tag("course")]
    names: tuple[str, ...] = ("Ann",)

    @decide(when=lambda self: self.names)
    def change(self, command: ChangeCapacity) -> None: ...


async def test_what_counts_as_true_is_not_true():
    """A reason is text; a list of names would refuse every command without one."""
    async with App("courses", Listed).open("memory:") as desk:
        with pytest.raises(
            HandlerContractError, match=r"Listed.change: when= gave .'Ann',., which is neither True nor"
        ):
            await desk.execute(ChangeCapacity(course_id="c1", capacity=2))
