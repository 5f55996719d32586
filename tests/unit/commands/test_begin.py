"""Commands that are begun: at once as far as nothing has to be waited for, else with a task."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests import domain as d
from tests.unit.commands.test_executor import CODEC, DEFINE, PLANS, FixedClock, Plain, enrol

from headwater.backends.sqlite import pace
from headwater.commands.executor import NOWHERE, Executor, Origin
from headwater.commands.routing import routes_of
from headwater.errors import Forbidden, OutcomeUnknown, Refused, StoreClosed, UndecodableEvent
from headwater.event_store import group_commit, open_store
from headwater.event_store.protocol import EventStore, NewEvent
from headwater.messages import Command, Receipt


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[EventStore]:
    """A log that takes appends without a task."""
    async with open_store(f"sqlite:///{tmp_path}/log.db") as opened:
        yield opened


def executor_on(store: EventStore, **options: object) -> Executor:
    """An executor of the test domain."""
    routes = {command: route for plan in PLANS for command, route in routes_of(plan).items()}
    return Executor(store, CODEC, FixedClock(), routes, services={d.Numbering: Plain()}, **options)  # type: ignore[arg-type]


class Told(list[Receipt | Exception]):
    """What came of commands, in the order in which it was told."""

    async def wait_for(self, count: int) -> None:
        """Until so many were told."""
        async with asyncio.timeout(10):
            while len(self) < count:  # noqa: ASYNC110  what tells it is a plain call
                await asyncio.sleep(0)


async def test_a_command_that_waits_for_its_append_only_has_no_task(store: EventStore) -> None:
    """Loaded at once, decided at once, and told when the append is durable."""
    executor, told = executor_on(store), Told()
    assert executor.begin(DEFINE, NOWHERE, told.append) is None
    assert executor.begin(d.DefineCourse(course_id="c2", capacity=2), NOWHERE, told.append) is None
    assert told == []
    await told.wait_for(2)
    assert told == [Receipt(1), Receipt(2)]


async def test_a_refusal_needs_no_task(store: EventStore) -> None:
    """The hook's is told at once, the decider's when the state was read."""
    executor, told = executor_on(store, cache_size=0, authorise=lambda _message, actor: actor != "bob"), Told()
    await executor.execute(DEFINE)
    assert executor.begin(DEFINE, NOWHERE, told.append) is None
    assert executor.begin(enrol("s1"), Origin(actor="bob"), told.append) is None
    assert [type(result) for result in told] == [Forbidden]
    await told.wait_for(2)
    assert [type(result) for result in told] == [Forbidden, Refused]


async def test_what_is_loaded_together_succeeds_and_fails_apart(store: EventStore) -> None:
    """An event that no class takes, more events than are read at once, and states that are fine."""
    await store.append([NewEvent("CourseDefined", b"{}", tags=("course:bad",))])
    executor, told = executor_on(store, cache_size=0), Told()
    for capacity in range(2):
        many = [d.CapacityChanged(course_id="long", capacity=capacity + 1)] * 150
        await store.append([CODEC.encode_event(event) for event in many])
    for course in ("new", "bad", "long"):
        assert executor.begin(d.DefineCourse(course_id=course, capacity=2), NOWHERE, told.append) is None
    await told.wait_for(3)
    assert {type(result) for result in told} == {Receipt, UndecodableEvent, Refused}
    assert Receipt(302) in told


async def test_a_decider_that_fails_leaves_its_boundary_free(store: EventStore) -> None:
    """The error is told, and the next command has its turn."""

    class Broken(Plain):
        def format(self, number: int) -> str:
            raise RuntimeError("out of ink")

    routes = {command: route for plan in PLANS for command, route in routes_of(plan).items()}
    services: dict[object, object] = {d.Numbering: Broken()}
    executor, told = Executor(store, CODEC, FixedClock(), routes, services=services), Told()
    executor.begin(d.IssueInvoice(amount=1), NOWHERE, told.append)
    await told.wait_for(1)
    services[d.Numbering] = Plain()
    executor.begin(d.IssueInvoice(amount=1), NOWHERE, told.append)
    await told.wait_for(2)
    assert [str(told[0]), told[1]] == ["out of ink", Receipt(1)]


async def test_commands_on_one_boundary_have_their_turns_in_order(store: EventStore) -> None:
    """The first goes at once, each other one after the one before."""
    executor, told = executor_on(store), Told()
    await executor.execute(DEFINE)
    commands = [d.ChangeCapacity(course_id="c1", capacity=number) for number in range(3, 23)]
    tasks = [executor.begin(command, NOWHERE, told.append) for command in commands]
    await told.wait_for(20)
    assert [task is None for task in tasks] == [True] + [False] * 19
    assert told == [Receipt(position) for position in range(2, 22)]
    assert [CODEC.decode(event).capacity for event in (await store.read()).events[1:]] == list(range(3, 23))  # type: ignore[union-attr]


async def test_a_conflict_is_decided_again_with_a_task(store: EventStore) -> None:
    """Another process was faster: the delta is read, the command decided on it."""
    here, there, told = executor_on(store), executor_on(store), Told()
    await here.execute(DEFINE)
    await there.execute(enrol("s1"))
    assert here.begin(enrol("s2"), NOWHERE, told.append) is None
    await told.wait_for(1)
    assert told == [Receipt(3)]


async def test_more_than_there_is_room_for_waits_in_line(store: EventStore) -> None:
    """A full queue lets the rest in as it empties; none is lost."""
    store._commits.requests = 2  # type: ignore[attr-defined]
    executor, told = executor_on(store), Told()
    for number in range(9):
        executor.begin(d.DefineCourse(course_id=f"c{number}", capacity=1), NOWHERE, told.append)
    await told.wait_for(9)
    assert {result.position for result in told if isinstance(result, Receipt)} == set(range(1, 10))


async def test_a_hook_that_waits_makes_a_task_of_its_command(store: EventStore) -> None:
    """It is asked once; what it forbids is told as ever."""
    asked: list[str | None] = []

    async def judge(_message: object, actor: str | None) -> bool:
        asked.append(actor)
        return actor == "ada"

    executor, told = executor_on(store, authorise=judge), Told()
    tasks = [executor.begin(DEFINE, Origin(actor=actor), told.append) for actor in ("bob", "ada")]
    await told.wait_for(2)
    assert all(task is not None for task in tasks)
    assert [type(told[0]), told[1]] == [Forbidden, Receipt(1)]
    assert asked == ["bob", "ada"]


@pytest.mark.parametrize("command", [DEFINE, d.IssueInvoice(amount=1)])
async def test_a_task_that_is_cancelled_says_that_nobody_knows(store: EventStore, command: Command) -> None:
    """Its place is free for the next."""

    async def never(_message: object, actor: str | None) -> bool:
        await asyncio.sleep(3600 if actor == "bob" else 0)
        return True

    executor, told = executor_on(store, authorise=never), Told()
    task = executor.begin(command, Origin(actor="bob"), told.append)
    assert task is not None
    await asyncio.sleep(0)
    task.cancel()
    await told.wait_for(1)
    assert isinstance(told[0], OutcomeUnknown)
    assert await executor.execute(command) == Receipt(1)


async def test_a_store_that_is_closed_is_told(store: EventStore) -> None:
    """As the error that it is, by a call."""
    executor, told = executor_on(store), Told()
    await store.close()
    executor.begin(DEFINE, NOWHERE, told.append)
    await told.wait_for(1)
    assert isinstance(told[0], StoreClosed)


async def test_a_command_that_comes_alone_is_told_at_once(store: EventStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some that came alone the append is made in the call, and a conflict is decided again."""
    monkeypatch.setattr(group_commit, "_ALONE_BEFORE", 2)
    monkeypatch.setattr(pace, "_QUICK_SECONDS", 60.0)
    executor, there, told = executor_on(store), executor_on(store), Told()
    for capacity in (2, 3, 4):
        await executor.execute(d.DefineCourse(course_id=f"c{capacity}", capacity=capacity))
    assert executor.begin(DEFINE, NOWHERE, told.append) is None
    await told.wait_for(1)
    await asyncio.sleep(0)
    assert executor.begin(d.ChangeCapacity(course_id="c1", capacity=8), NOWHERE, told.append) is None
    assert told == [Receipt(4), Receipt(5)]
    await there.execute(enrol("s2"))
    assert await executor.execute(d.ChangeCapacity(course_id="c1", capacity=9)) == Receipt(7)
