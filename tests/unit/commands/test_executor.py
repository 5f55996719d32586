"""Execute: load, decide, append, on real event stores, by the coroutine and by the call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests import domain as d

from headwater.aggregates import aggregate_plan
from headwater.catalogue import Catalogue
from headwater.codec import Codec
from headwater.commands.executor import NOWHERE, Executor, Origin
from headwater.commands.routing import routes_of
from headwater.errors import (
    ConcurrencyError,
    ExpectationFailed,
    Forbidden,
    IdempotencyMismatch,
    InvalidMessage,
    OutcomeUnknown,
    Refused,
    StoreError,
    StoreIOError,
    UnknownMessage,
)
from headwater.event_store import open_store
from headwater.event_store.protocol import AppendCondition, Appended, Conflict, EventStore, NewEvent
from headwater.messages import Command, Receipt

PLANS = [aggregate_plan(cls) for cls in (d.Course, d.Enrolment, d.Pair, d.Stock, d.Invoices)]
CODEC = Codec(Catalogue.of([message for plan in PLANS for message in (*plan.deciders, *plan.events)], ()))


class Plain:
    """Numbers as they are."""

    def format(self, number: int) -> str:
        """The number itself."""
        return f"{number:04}"


class FixedClock:
    """Always noon."""

    def now(self) -> datetime:
        """Noon."""
        return datetime(2026, 1, 1, 12, tzinfo=UTC)


class Begun(Executor):
    """An executor that begins each command and is told what came of it."""

    async def execute(self, command: Command, origin: Origin = NOWHERE) -> Receipt:
        """The same, seen from outside."""
        told: asyncio.Queue[Receipt | Exception] = asyncio.Queue()
        self.begin(command, origin, told.put_nowait)
        result = await told.get()
        if isinstance(result, Exception):
            raise result
        return result


Make = Callable[..., Executor]


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EventStore]:
    """An empty log: in one store a begun append is a call, the other has only coroutines."""
    async with open_store({"memory": "memory:", "sqlite": f"sqlite:///{tmp_path}/log.db"}[request.param]) as opened:
        yield opened


@pytest.fixture(params=[Executor, Begun], ids=["awaited", "begun"])
def make(request: pytest.FixtureRequest, store: EventStore) -> Make:
    """Makes an executor on the store, as another process would have."""

    def build(on: object = store, **options: object) -> Executor:
        routes = {command: route for plan in PLANS for command, route in routes_of(plan).items()}
        services = {d.Numbering: Plain()}
        return request.param(on, CODEC, FixedClock(), routes, services=services, **options)

    return build


DEFINE = d.DefineCourse(course_id="c1", capacity=2)


def enrol(student: str, course: str = "c1") -> d.EnrolStudent:
    """An enrolment."""
    return d.EnrolStudent(course_id=course, student_id=student)


async def test_a_receipt_has_the_position_of_the_last_event(make: Make) -> None:
    """The first event of an empty log stands at 1."""
    assert await make().execute(DEFINE) == Receipt(1)


async def test_a_refusal_stores_nothing(make: Make, store: EventStore) -> None:
    """A business rule says no, and the log stays as it is."""
    executor = make()
    await executor.execute(DEFINE)
    with pytest.raises(Refused) as refused:
        await executor.execute(DEFINE)
    assert refused.value.code == "course-exists"
    assert await store.head() == 1


async def test_a_warm_and_a_cold_aggregate_decide_alike(make: Make) -> None:
    """A state from the cache and one folded from the log lead to the same decisions."""
    for executor in (make(), make(cache_size=0)):
        with pytest.raises(Refused):
            await executor.execute(d.ChangeCapacity(course_id="c9", capacity=1))
    warm, cold = make(), make(cache_size=0)
    await warm.execute(DEFINE)
    await cold.execute(enrol("s1"))
    await warm.execute(enrol("s2"))
    for executor in (warm, cold):
        with pytest.raises(Refused) as refused:
            await executor.execute(enrol("s3"))
        assert refused.value.code == "course-full"


async def test_a_stale_cache_is_no_authority_for_a_refusal(make: Make) -> None:
    """Another process made room; this one must not refuse on what it remembers."""
    here, there = make(), make()
    await here.execute(DEFINE)
    await here.execute(enrol("s1"))
    await here.execute(enrol("s2"))
    with pytest.raises(Refused):
        await here.execute(enrol("s3"))
    await there.execute(d.ChangeCapacity(course_id="c1", capacity=3))
    assert (await here.execute(enrol("s3"))).position == 5


async def test_two_tags_guard_both_sides(make: Make) -> None:
    """A student takes three courses at most, whichever they are."""
    executor = make()
    for course in ("c1", "c2", "c3", "c4"):
        await executor.execute(d.DefineCourse(course_id=course, capacity=9))
    for course in ("c1", "c2", "c3"):
        await executor.execute(enrol("s1", course))
    with pytest.raises(Refused) as refused:
        await executor.execute(enrol("s1", "c4"))
    assert refused.value.code == "too-many-courses"


async def test_an_and_boundary_sees_only_its_pair(make: Make) -> None:
    """Both tags at once: other students of the course do not matter."""
    executor = make()
    await executor.execute(DEFINE)
    await executor.execute(enrol("s1"))
    await executor.execute(d.WithdrawStudent(course_id="c1", student_id="s1"))
    with pytest.raises(Refused):
        await executor.execute(d.WithdrawStudent(course_id="c1", student_id="s2"))


async def test_nested_lines_guard_each_product(make: Make) -> None:
    """Ten of a product are there, however they are ordered."""
    executor = make()
    await executor.execute(d.PlaceOrder(order_id="o1", lines=[d.Line("p1", 6), d.Line("p2", 1)]))
    await executor.execute(d.PlaceOrder(order_id="o2", lines=[d.Line("p2", 9)]))
    with pytest.raises(Refused):
        await executor.execute(d.PlaceOrder(order_id="o3", lines=[d.Line("p1", 4), d.Line("p2", 1)]))


async def test_numbers_have_no_gaps_under_concurrency(make: Make, store: EventStore) -> None:
    """Two processes issue invoices at once: every number once, none left out, in the order of the log."""
    executors = [make(), make()]
    await asyncio.gather(*(executors[n % 2].execute(d.IssueInvoice(amount=n + 1)) for n in range(40)))
    issued = [CODEC.decode(event) for event in (await store.read()).events]
    assert [event.number for event in issued] == list(range(1, 41))  # type: ignore[union-attr]
    assert issued[6].printed == "0007"  # type: ignore[union-attr]


async def test_a_full_course_stays_full_under_concurrency(make: Make) -> None:
    """Twenty at once want two places, from three processes: two get them."""
    executors = [make(), make(cache_size=0), make()]
    await executors[0].execute(DEFINE)
    outcomes = await asyncio.gather(
        *(executors[n % 3].execute(enrol(f"s{n}")) for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Receipt) for outcome in outcomes) == 2
    assert all(isinstance(outcome, Receipt | Refused) for outcome in outcomes)


async def test_a_repeat_with_the_same_key_returns_the_first_receipt(make: Make, store: EventStore) -> None:
    """Also from another process, and without a second effect."""
    origin = Origin(idempotency_key="k1")
    first = await make().execute(DEFINE, origin)
    again = await make().execute(DEFINE, origin)
    assert (again.position, again.replayed) == (first.position, True)
    assert await store.head() == 1


async def test_two_at_once_with_one_key_have_one_effect(make: Make, store: EventStore) -> None:
    """The key is part of the append condition."""
    origin = Origin(idempotency_key="k1")
    order = d.PlaceOrder(order_id="o1", lines=[d.Line("p1", 1)])
    receipts = await asyncio.gather(*(make().execute(order, origin) for _ in range(8)))
    assert {receipt.position for receipt in receipts} == {1}
    assert await store.head() == 1


async def test_one_key_for_two_commands_is_refused(make: Make) -> None:
    """A key belongs to one command with one content."""
    executor = make()
    await executor.execute(DEFINE, Origin(idempotency_key="k1"))
    with pytest.raises(IdempotencyMismatch):
        await executor.execute(d.DefineCourse(course_id="c2", capacity=2), Origin(idempotency_key="k1"))


@pytest.mark.parametrize("key", ["", "k" * 256, 7])
async def test_an_unusable_key_is_refused(make: Make, key: Any) -> None:
    """Empty or endless keys are a mistake, and so is what is no text."""
    with pytest.raises(InvalidMessage):
        await make().execute(DEFINE, Origin(idempotency_key=key))


async def test_expect_compares_the_last_change_of_the_boundary(make: Make) -> None:
    """What came after the caller's position is a conflict in this boundary, and in no other."""
    executor = make()
    first = await executor.execute(DEFINE, Origin(expect=0))
    await executor.execute(d.DefineCourse(course_id="c2", capacity=2))
    await executor.execute(d.ChangeCapacity(course_id="c1", capacity=9), Origin(expect=first.position))
    with pytest.raises(ExpectationFailed) as failed:
        await make().execute(d.ChangeCapacity(course_id="c1", capacity=8), Origin(expect=first.position))
    assert (failed.value.expected, failed.value.actual) == (1, 3)  # type: ignore[attr-defined]


@pytest.mark.parametrize("expect", ["1", True, 1.0])
async def test_an_expectation_is_a_position(make: Make, expect: Any) -> None:
    """Anything else is a mistake of the caller's, and not a conflict."""
    with pytest.raises(InvalidMessage, match="/expect"):
        await make().execute(DEFINE, Origin(expect=expect))


async def test_the_origin_stands_in_the_metadata(make: Make, store: EventStore) -> None:
    """Who, for whom, and because of what."""
    origin = Origin("ada", "acme", "conversation-1", "cause-1")
    await make().execute(DEFINE, origin)
    metadata = CODEC.metadata_of((await store.read()).events[0])
    assert (metadata.actor, metadata.tenant, metadata.correlation, metadata.causation, metadata.command) == (
        "ada",
        "acme",
        "conversation-1",
        "cause-1",
        "DefineCourse",
    )


async def test_a_command_that_nobody_decides_is_unknown(make: Make) -> None:
    """The wiring reports it earlier; here it is a typed error."""
    executor = Executor(make()._store, CODEC, FixedClock(), {}, services={})
    with pytest.raises(UnknownMessage):
        await executor.execute(DEFINE)


async def test_the_hook_may_forbid(make: Make, store: EventStore) -> None:
    """It is asked before anything is loaded."""
    executor = make(authorise=lambda _message, actor: actor == "ada")
    await executor.execute(DEFINE, Origin(actor="ada"))
    with pytest.raises(Forbidden):
        await executor.execute(d.ChangeCapacity(course_id="c1", capacity=9), Origin(actor="bob"))
    assert await store.head() == 1


@pytest.mark.parametrize("verdict", [0, "", ()])
async def test_whatever_counts_as_false_forbids(make: Make, store: EventStore, verdict: Any) -> None:
    """As the text that ``actor and actor.name`` is for somebody without one."""
    with pytest.raises(Forbidden):
        await make(authorise=lambda _message, _actor: verdict).execute(DEFINE)
    assert await store.head() == 0


class Contested:
    """A store where somebody is always faster."""

    def __init__(self, store: EventStore) -> None:
        self.read = store.read

    async def append(self, _events: Sequence[NewEvent], _condition: AppendCondition | None = None) -> Conflict:
        """Never."""
        return Conflict(1)


async def test_endless_conflicts_end_in_a_typed_error(make: Make, store: EventStore) -> None:
    """Retries are bounded."""
    with pytest.raises(ConcurrencyError):
        await make(Contested(store)).execute(DEFINE)


class Crowded:
    """A store where others are faster for as long as may happen when some processes want the same boundary."""

    def __init__(self, store: EventStore) -> None:
        self.read = store.read
        self._store = store
        self._left = 25

    async def append(self, events: Sequence[NewEvent], condition: AppendCondition | None = None) -> Appended | Conflict:
        """In the end."""
        self._left -= 1
        return Conflict(1) if self._left else await self._store.append(events, condition)


async def test_a_command_gets_its_turn_in_a_crowd(make: Make, store: EventStore) -> None:
    """With fewer tries one command in a hundred would fail where three processes share a boundary."""
    assert await make(Crowded(store)).execute(DEFINE) == Receipt(1)


class Forgetful:
    """A store that stores, and then loses the acknowledgement twice."""

    def __init__(self, store: EventStore) -> None:
        self.read = store.read
        self._store = store
        self._lost = 0

    async def append(self, events: Sequence[NewEvent], condition: AppendCondition | None = None) -> Appended | Conflict:
        """Store it, but do not say so at first."""
        outcome = await self._store.append(events, condition)
        if self._lost < 2:
            self._lost += 1
            raise OutcomeUnknown("no answer")
        return outcome


async def test_an_unknown_outcome_is_repeated_with_the_same_ids(make: Make, store: EventStore) -> None:
    """The command has one effect and an answer."""
    assert await make(Forgetful(store)).execute(DEFINE) == Receipt(1)
    assert await store.head() == 1


class Gone:
    """A store that stores, loses the acknowledgement, and then cannot be reached, which it says of the repeats."""

    def __init__(self, store: EventStore) -> None:
        self.read = store.read
        self._store = store
        self._failure: StoreError = OutcomeUnknown("no answer")

    async def append(self, events: Sequence[NewEvent], condition: AppendCondition | None = None) -> Appended | Conflict:
        """Store it the first time, and never say so."""
        failure, self._failure = self._failure, StoreIOError("the server is gone: nothing was stored")
        if isinstance(failure, OutcomeUnknown):
            await self._store.append(events, condition)
        raise failure


@pytest.mark.parametrize("command", [DEFINE, d.IssueInvoice(amount=1)])
async def test_a_failed_repeat_does_not_say_that_nothing_was_stored(
    make: Make, store: EventStore, command: Command
) -> None:
    """Whoever believed that and sent the command again would have its events twice."""
    with pytest.raises(OutcomeUnknown, match="idempotency key") as told:
        await make(Gone(store)).execute(command)
    assert isinstance(told.value.__cause__, StoreIOError)
    assert await store.head() == 1


async def test_a_cancelled_command_does_not_block_its_boundary(make: Make) -> None:
    """Who waits behind it gets the turn."""
    executor = make()
    tasks = [asyncio.create_task(executor.execute(d.IssueInvoice(amount=n))) for n in range(1, 9)]
    await asyncio.sleep(0)
    for task in tasks[1::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert sum(isinstance(outcome, Receipt) for outcome in outcomes) >= 4
    assert await executor.execute(d.IssueInvoice(amount=1))


def test_an_aggregate_whose_tags_have_no_values_looks_at_nothing() -> None:
    """An order without lines is about no product, and so it waits for no other order."""
    route = routes_of(aggregate_plan(d.Stock))[d.PlaceOrder]
    assert route.boundary(route.start(d.PlaceOrder(order_id="o", lines=[]))) is None
