"""What people write who do not know Headwater yet, and what they are told: where it is, and what to write instead."""

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
    Page,
    PageRequest,
    Projection,
    Query,
    Reader,
    ReadModel,
    Tag,
    answers,
    contract,
    decide,
    on,
    upcast,
)
from headwater.errors import (
    ContractError,
    HandlerContractError,
    InvalidMessage,
    QueryError,
    UnknownMessage,
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


class Find(Query[Page[CourseRow]]):
    how: str


@answers
async def find(query: Find, rows: Reader[CourseRow]) -> Any:
    return {
        "without await": rows.page,
        "without reading": lambda: rows,
        "by number": lambda: rows.sort(2),
    }[query.how]()


@answers
def find_at_once(query: FindAtOnce, rows: Reader[CourseRow]) -> Any:
    return rows.page()


class FindAtOnce(Query[Page[CourseRow]]): ...


class FindPage(Query[Page[CourseRow]]):
    page: PageRequest = PageRequest()


@answers
async def find_page(query: FindPage, rows: Reader[CourseRow]) -> Page[CourseRow]:
    return await rows.page(query.page)


APP = App("courses", Course, Courses, find, find_at_once, find_page)


@pytest.fixture
async def desk():
    async with APP.open("memory:") as opened:
        yield opened


class Priced(Event):
    price: Decimal


class Happened(Event):
    """No command."""


class Elsewhere(Command):
    """A command of another application."""


class Begun(Aggregate):
    """It begins from its command, and decides nothing here."""

    name: Annotated[str, Tag("name")]


@pytest.mark.parametrize("given", [{"course_id": "c1"}, "DefineCourse", DefineCourse, Happened(), None])
async def test_what_is_no_command_is_told(desk, given):
    """Also an event, and the class in the place of what is made of it."""
    with pytest.raises(ContractError, match=r"is not a (command|message) \(give one that is made"):
        await desk.execute(given)


async def test_a_command_or_query_of_another_application_is_told(desk):
    """With those that there are: its aggregate was forgotten in ``App(...)``."""
    with pytest.raises(UnknownMessage, match="no command of this application is called 'Elsewhere' .there are: Change"):
        await desk.execute(Elsewhere())
    async with App("courses", Course).open("memory:") as other:
        with pytest.raises(UnknownMessage, match="no query of this application is called 'FindPage'"):
            await other.ask(FindPage())


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (Find(how="without await"), "find returned a coroutine, which is no answer yet"),
        (Find(how="without reading"), "find returned a Reader, which is no answer yet"),
        (FindAtOnce(), "find_at_once returned a coroutine, which is no answer yet"),
    ],
    ids=lambda given: "" if isinstance(given, str) else repr(given),
)
@pytest.mark.parametrize("as_of", [None, 0])
async def test_an_answer_that_was_not_waited_for_is_told(desk, query, told, as_of):
    """Now, and as of then."""
    with pytest.raises(HandlerContractError, match=told):
        await desk.ask(query, as_of=as_of)


async def test_pages_and_orders_of_another_kind_are_told(desk):
    """Each in the words of its contract."""
    with pytest.raises(ContractError, match="sorted by text as '-opened_at,priority', not by 2"):
        await desk.ask(Find(how="by number"))
    with pytest.raises(ContractError, match="asked for by PageRequest"):
        await desk.ask(FindPage(page={"size": 2}))


async def test_a_receipt_is_a_position_to_wait_for(desk):
    """As it is for ``ask``; what is neither is told."""
    receipt = await desk.execute(DefineCourse(course_id="c1", capacity=3))
    assert await desk.caught_up(receipt) == await desk.caught_up(1) == 1
    for wrong in ("1", -1, 1.5):
        with pytest.raises(QueryError, match="position is a place in the log"):
            await desk.caught_up(wrong)


async def test_an_expectation_before_the_log_is_told(desk):
    """0 is "there is nothing yet"; -1, as some have it, means nothing."""
    with pytest.raises(InvalidMessage, match="is a position: a whole number from 0"):
        await desk.execute(DefineCourse(course_id="c1", capacity=3), expect=-1)


@pytest.mark.parametrize(
    ("aggregate", "key", "told"),
    [
        (Course, {}, "Course is named by course_id=, and not by nothing"),
        (Course, {"id": "c1"}, "Course is named by course_id=, and not by id="),
        (Begun, {"name": "n"}, "Begun decides no command of this application"),
        ("Course", {"course_id": "c1"}, "Course decides no command"),
    ],
)
async def test_an_aggregate_that_is_named_otherwise_is_told(desk, aggregate, key, told):
    """By the fields that name it."""
    with pytest.raises(ContractError, match=told):
        await desk.offers(aggregate, **key)


async def test_a_projection_is_asked_for_by_its_name(desk):
    """A class is none."""
    with pytest.raises(UnknownMessage, match="there are: Courses"):
        await desk.rebuild(Courses)


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


def test_an_app_is_no_asgi_application():
    """A server that takes it for one, as in ``uvicorn desk:app``, logs what to write instead."""
    with pytest.raises(ContractError, match=r"the app 'courses' is served by a door .*headwater serve.*create_app"):
        APP({"type": "http"}, None, None)
