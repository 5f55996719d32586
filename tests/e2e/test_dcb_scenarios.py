"""The scenarios of the public DCB specification (dynamic consistency boundaries), each in a user's own words."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated, Protocol

import msgspec
import pytest

from headwater import (
    Aggregate,
    App,
    Command,
    Event,
    EventQuery,
    Meta,
    Now,
    Recorded,
    Refused,
    Tag,
    decide,
    errors,
    evolve,
)
from headwater.testing import scenario

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

# -- course subscriptions: two tags, and limits on both sides ----------------------------------------------------------

CourseId = Annotated[str, Tag("course")]
StudentId = Annotated[str, Tag("student")]


class DefineCourse(Command):
    course_id: CourseId
    capacity: Annotated[int, Meta(ge=1)]


class ChangeCapacity(Command):
    course_id: CourseId
    capacity: int


class SubscribeStudent(Command):
    course_id: CourseId
    student_id: StudentId


class CourseDefined(Event):
    course_id: CourseId
    capacity: int


class CapacityChanged(Event):
    course_id: CourseId
    capacity: int


class StudentSubscribed(Event):
    course_id: CourseId
    student_id: StudentId


class Course(Aggregate):
    course_id: CourseId
    capacity: int = 0

    @decide
    def define(self, command: DefineCourse) -> CourseDefined:
        if self.capacity:
            raise Refused("course-exists")
        return CourseDefined(course_id=self.course_id, capacity=command.capacity)

    @decide(when=lambda self: self.capacity > 0 or "there is no such course")
    def change(self, command: ChangeCapacity) -> CapacityChanged:
        if command.capacity == self.capacity:
            raise Refused("same-capacity")
        return CapacityChanged(course_id=self.course_id, capacity=command.capacity)

    @evolve
    def sized(self, event: CourseDefined | CapacityChanged) -> None:
        self.capacity = event.capacity


class Subscription(Aggregate):
    course_id: CourseId
    student_id: StudentId
    capacity: int = 0
    taken: int = 0
    courses: int = 0
    subscribed: bool = False

    @decide(when=lambda self: self.capacity > 0 or "there is no such course")
    def subscribe(self, command: SubscribeStudent) -> StudentSubscribed:
        if self.subscribed:
            raise Refused("already-subscribed")
        if self.taken >= self.capacity:
            raise Refused("course-full", capacity=self.capacity)
        if self.courses >= 5:
            raise Refused("too-many-courses")
        return StudentSubscribed(course_id=command.course_id, student_id=command.student_id)

    @evolve
    def sized(self, event: CourseDefined | CapacityChanged) -> None:
        self.capacity = event.capacity

    @evolve
    def took(self, event: StudentSubscribed) -> None:
        of_course, of_student = event.course_id == self.course_id, event.student_id == self.student_id
        self.taken += of_course
        self.courses += of_student
        self.subscribed |= of_course and of_student


school = App("school", Course, Subscription)


async def _subscribed(runtime, course, student):
    try:
        await runtime.execute(SubscribeStudent(course_id=course, student_id=student))
    except Refused as refusal:
        return refusal.code
    return "subscribed"


async def test_a_course_takes_as_many_students_as_it_has_places():
    """Of ten who come at once, three get a place; after the course grew, one more does."""
    async with school.test() as desk:
        await desk.execute(DefineCourse(course_id="c1", capacity=3))
        outcomes = await asyncio.gather(*(_subscribed(desk, "c1", f"s{number}") for number in range(10)))
        await desk.execute(ChangeCapacity(course_id="c1", capacity=4))

        assert sorted(outcomes) == ["course-full"] * 7 + ["subscribed"] * 3
        assert await _subscribed(desk, "c1", "late") == "subscribed"
        assert await _subscribed(desk, "c1", "late") == "already-subscribed"


async def test_a_student_takes_at_most_five_courses():
    """The limit of the student holds across courses, also when all are asked for at once."""
    async with school.test() as desk:
        for number in range(7):
            await desk.execute(DefineCourse(course_id=f"c{number}", capacity=9))
        outcomes = await asyncio.gather(*(_subscribed(desk, f"c{number}", "s1") for number in range(7)))

        assert sorted(outcomes) == ["subscribed"] * 5 + ["too-many-courses"] * 2


def test_a_course_is_unique_and_must_be_there():
    """It cannot be defined twice, changed before it is there, or changed to what it is."""
    defined = CourseDefined(course_id="c1", capacity=3)
    course = scenario(Course)

    course.given(defined).when(DefineCourse(course_id="c1", capacity=9)).then_refused("course-exists")
    course.when(ChangeCapacity(course_id="c1", capacity=9)).then_refused("not-available")
    course.given(defined).when(ChangeCapacity(course_id="c1", capacity=3)).then_refused("same-capacity")
    scenario(Subscription).when(SubscribeStudent(course_id="c1", student_id="s1")).then_refused("not-available")


# -- unique username: claimed, released, kept back for three days, changed ---------------------------------------------

Username = Annotated[str, Tag("username")]


class RegisterAccount(Command):
    username: Username


class ChangeUsername(Command):
    current: str
    username: Username


class AccountRegistered(Event):
    username: Username


class AccountClosed(Event):
    username: Username


class UsernameChanged(Event):
    current: Username
    username: Username


class UsernameClaim(Aggregate):
    username: Username
    taken: bool = False
    free_from: datetime | None = None

    @decide
    def register(self, command: RegisterAccount, now: Now) -> AccountRegistered:
        self._must_be_free(now)
        return AccountRegistered(username=command.username)

    @decide
    def change(self, command: ChangeUsername, now: Now) -> UsernameChanged:
        self._must_be_free(now)
        return UsernameChanged(current=command.current, username=command.username)

    @evolve
    def registered(self, event: AccountRegistered) -> None:
        self.taken = True

    @evolve
    def closed(self, event: Recorded[AccountClosed]) -> None:
        self.taken, self.free_from = False, event.recorded_at + timedelta(days=3)

    @evolve
    def changed(self, event: Recorded[UsernameChanged]) -> None:
        self.taken = event.event.username == self.username
        self.free_from = None if self.taken else event.recorded_at + timedelta(days=3)

    def _must_be_free(self, now: datetime) -> None:
        if self.taken or (self.free_from is not None and now < self.free_from):
            raise Refused("username-taken", f"{self.username} is taken")


def test_a_username_belongs_to_one_account():
    """Taken is taken, whether by a registration or by a change; another name is free."""
    names = scenario(UsernameClaim).given(AccountRegistered(username="ann"))
    changed = names.given(UsernameChanged(current="ann", username="eve"))

    names.when(RegisterAccount(username="ann")).then_refused("username-taken")
    names.when(RegisterAccount(username="bob")).then(AccountRegistered(username="bob"))
    changed.when(ChangeUsername(current="bob", username="eve")).then_refused("username-taken")


@pytest.mark.parametrize("released", [AccountClosed(username="ann"), UsernameChanged(current="ann", username="eve")])
def test_a_released_username_is_kept_back_for_three_days(released):
    """What counts is when it was released."""
    registered = AccountRegistered(username="ann")
    again = RegisterAccount(username="ann")

    soon, late = (
        scenario(UsernameClaim, now=NOON).given(registered, (released, NOON - ago))
        for ago in (timedelta(days=2), timedelta(days=4))
    )

    soon.when(again).then_refused("username-taken")
    late.when(again).then(registered)


async def test_only_one_of_many_gets_a_username():
    """Twenty ask for the same name at the same time."""
    async with App("accounts", UsernameClaim).test() as desk:
        asked = (desk.execute(RegisterAccount(username="ann")) for _ in range(20))
        outcomes = await asyncio.gather(*asked, return_exceptions=True)

        assert sum(isinstance(outcome, Refused) for outcome in outcomes) == 19
        assert desk.events == [AccountRegistered(username="ann")]


# -- invoice number: no tag, no gap ------------------------------------------------------------------------------------


class CreateInvoice(Command):
    amount: int


class InvoiceCreated(Event):
    number: int
    amount: int


class Invoices(Aggregate):
    last: int = 0

    @decide
    def create(self, command: CreateInvoice) -> InvoiceCreated:
        return InvoiceCreated(number=self.last + 1, amount=command.amount)

    @evolve
    def created(self, event: InvoiceCreated) -> None:
        self.last = event.number


async def test_invoice_numbers_have_no_gap():
    """Thirty invoices at once are numbered from 1 to 30."""
    async with App("billing", Invoices).test() as desk:
        await asyncio.gather(*(desk.execute(CreateInvoice(amount=number)) for number in range(30)))

        assert [event.number for event in desk.events] == list(range(1, 31))


# -- opt-in token: both tags at once, one use, one hour ----------------------------------------------------------------

Email = Annotated[str, Tag("email")]
Token = Annotated[str, Tag("token")]


class Tokens(Protocol):
    def __call__(self) -> str: ...


class SignUp(Command):
    email: Email


class ConfirmSignUp(Command):
    email: Email
    token: Token


class SignUpInitiated(Event):
    email: Email
    token: Token


class SignUpConfirmed(Event):
    email: Email
    token: Token


class SignUps(Aggregate):
    email: Email

    @decide
    def sign_up(self, command: SignUp, tokens: Tokens) -> SignUpInitiated:
        return SignUpInitiated(email=command.email, token=tokens())


class OptIn(Aggregate):
    email: Email
    token: Token
    valid_until: datetime | None = None
    used: bool = False

    def boundary(self) -> EventQuery:
        types = ("SignUpInitiated", "SignUpConfirmed")
        return EventQuery.of(types=types, tags=(f"email:{self.email}", f"token:{self.token}"))

    @decide
    def confirm(self, command: ConfirmSignUp, now: Now) -> SignUpConfirmed:
        if self.valid_until is None:
            raise Refused("unknown-token")
        if self.used:
            raise Refused("token-used")
        if now > self.valid_until:
            raise Refused("token-expired")
        return SignUpConfirmed(email=command.email, token=command.token)

    @evolve
    def initiated(self, event: Recorded[SignUpInitiated]) -> None:
        self.valid_until = event.recorded_at + timedelta(minutes=60)

    @evolve
    def confirmed(self, event: SignUpConfirmed) -> None:
        self.used = True


async def test_a_token_opts_in_once_within_an_hour():
    """A wrong token, another's token, a used one and an old one are each refused for their own reason."""
    numbers = iter(("t1", "t2"))
    app = App("newsletter", SignUps, OptIn, services={Tokens: lambda: next(numbers)})
    async with app.test(now=NOON) as desk:
        await desk.execute(SignUp(email="ann@x.org"))
        await desk.execute(SignUp(email="bob@x.org"))

        async def confirmed(email, token):
            try:
                await desk.execute(ConfirmSignUp(email=email, token=token))
            except Refused as refusal:
                return refusal.code
            return "confirmed"

        assert await confirmed("ann@x.org", "t9") == "unknown-token"
        assert await confirmed("ann@x.org", "t2") == "unknown-token"
        assert await confirmed("ann@x.org", "t1") == "confirmed"
        assert await confirmed("ann@x.org", "t1") == "token-used"
        desk.clock.advance(timedelta(minutes=61))
        assert await confirmed("bob@x.org", "t2") == "token-expired"


# -- dynamic product price: a tag per line, and the price of ten minutes ago is still honoured -------------------------

ProductId = Annotated[str, Tag("product")]


class Item(msgspec.Struct, frozen=True):
    product_id: ProductId
    price: int


class OrderProducts(Command):
    items: list[Item]


class ProductDefined(Event):
    product_id: ProductId
    price: int


class PriceChanged(Event):
    product_id: ProductId
    price: int


class ProductsOrdered(Event):
    items: list[Item]


class Prices(Aggregate):
    products: Annotated[list[str], Tag("product")]
    history: dict[str, list[tuple[datetime, int]]] = msgspec.field(default_factory=dict)

    @classmethod
    def start(cls, command: OrderProducts) -> Prices:
        return cls(products=[item.product_id for item in command.items])

    @decide
    def order(self, command: OrderProducts, now: Now) -> ProductsOrdered:
        for item in command.items:
            if item.price not in self._honoured(item.product_id, now):
                raise Refused("price-changed", product=item.product_id)
        return ProductsOrdered(items=command.items)

    @evolve
    def priced(self, recorded: Recorded[ProductDefined] | Recorded[PriceChanged]) -> None:
        event = recorded.event
        self.history.setdefault(event.product_id, []).append((recorded.recorded_at, event.price))

    def _honoured(self, product: str, now: datetime) -> set[int]:
        prices = self.history.get(product, [])
        ends = [changed_at for changed_at, _ in prices[1:]] + [now]
        return {price for (_, price), end in zip(prices, ends, strict=True) if now - end <= timedelta(minutes=10)}


@pytest.mark.parametrize(
    ("minutes_ago", "price", "accepted"),
    [(5, 100, True), (5, 120, True), (20, 100, False), (20, 120, True), (5, 99, False)],
)
def test_a_shown_price_is_honoured_for_ten_minutes(minutes_ago, price, accepted):
    """The old price holds ten minutes longer, the new one at once, any other never."""
    dune, emma = ProductDefined(product_id="dune", price=100), ProductDefined(product_id="emma", price=50)
    changed = (PriceChanged(product_id="dune", price=120), NOON - timedelta(minutes=minutes_ago))
    items = [Item(product_id="emma", price=50), Item(product_id="dune", price=price)]

    shop = scenario(Prices, now=NOON).given((dune, NOON - timedelta(hours=2)), (emma, NOON - timedelta(hours=2)))
    outcome = shop.given(changed).when(OrderProducts(items=items))

    if accepted:
        outcome.then(ProductsOrdered(items=items))
    else:
        outcome.then_refused("price-changed", product="dune")


# -- prevent double submission: a token of the form, or the framework's own key ----------------------------------------


class PlaceOrder(Command):
    order_id: Annotated[str, Tag("order")]
    form: Annotated[str, Tag("form")]


class OrderPlaced(Event):
    order_id: Annotated[str, Tag("order")]
    form: Annotated[str, Tag("form")]


class Submission(Aggregate):
    form: Annotated[str, Tag("form")]
    submitted: bool = False

    @decide
    def place(self, command: PlaceOrder) -> OrderPlaced:
        if self.submitted:
            raise Refused("submitted-before")
        return OrderPlaced(order_id=command.order_id, form=command.form)

    @evolve
    def placed(self, event: OrderPlaced) -> None:
        self.submitted = True


def test_a_form_is_submitted_once():
    """The token that was handed out with the form is the boundary."""
    placed = OrderPlaced(order_id="o1", form="f1")

    scenario(Submission).given(placed).when(PlaceOrder(order_id="o2", form="f1")).then_refused("submitted-before")
    scenario(Submission).given(placed).when(PlaceOrder(order_id="o2", form="f2")).then(
        OrderPlaced(order_id="o2", form="f2")
    )


async def test_a_repeated_command_is_carried_out_once():
    """With an idempotency key no rule is needed: the repeat has the first receipt, another command is refused."""
    async with App("shop", Submission).test() as desk:
        order = PlaceOrder(order_id="o1", form="f1")
        sent = (desk.execute(order, idempotency_key="k1") for _ in range(5))
        receipts = await asyncio.gather(*sent)

        assert [receipt.position for receipt in receipts] == [1] * 5
        assert sorted(receipt.replayed for receipt in receipts) == [False, True, True, True, True]
        with pytest.raises(errors.IdempotencyMismatch):
            await desk.execute(PlaceOrder(order_id="o2", form="f2"), idempotency_key="k1")
