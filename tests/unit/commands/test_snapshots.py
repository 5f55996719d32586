"""Snapshots: a shorter way to the same state, never another state."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, ClassVar

import msgspec
import pydantic
import pytest

from headwater import App
from headwater.aggregates import Aggregate, aggregate_plan, decide, evolve
from headwater.commands.fingerprints import fingerprint_of
from headwater.errors import EvolutionError, Refused, StoreFull
from headwater.event_store.protocol import EventStore, Snapshot
from headwater.messages import Command, Event, Tag
from headwater.runtime import Runtime

CounterId = Annotated[str, Tag("counter")]


class CountUp(Command):
    counter_id: CounterId


class CountedUp(Event):
    counter_id: CounterId
    number: int


class Counter(Aggregate):
    snapshot_every: ClassVar[int | None] = 10
    counter_id: CounterId
    count: int = 0

    @decide
    def up(self, command: CountUp) -> CountedUp:
        if self.count >= 100:
            raise Refused("enough")
        return CountedUp(counter_id=self.counter_id, number=self.count + 1)

    @evolve
    def counted(self, event: CountedUp) -> None:
        if event.number != self.count + 1:
            msg = f"{event.number} after {self.count}"
            raise ValueError(msg)
        self.count = event.number


class OtherCounter(Counter):
    """The same fields, folded in another way."""

    @evolve
    def counted(self, event: CountedUp) -> None:
        self.count += 1


KEY = 'Counter:{"items":[{"types":["CountedUp"],"tags":["counter:c"]}]}'
APP = App("counters", Counter)


@pytest.fixture
async def desk() -> AsyncIterator[Runtime]:
    """Cold on purpose: nothing is remembered between two commands."""
    async with APP.open("memory:", cache_size=0) as opened:
        yield opened


async def count(desk: Runtime, times: int) -> None:
    """So many commands, one after the other."""
    for _ in range(times):
        await desk.execute(CountUp(counter_id="c"))


class Watched:
    """Remembers from where a store was read."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self.after: list[int] = []
        self.load_snapshot = store.load_snapshot
        self.save_snapshot = store.save_snapshot
        self.append = store.append
        self.head = store.head

    async def read(self, query, *, after=0, limit=None, backwards=False):
        self.after.append(after)
        return await self._store.read(query, after=after, limit=limit, backwards=backwards)


async def test_a_snapshot_is_kept_each_so_many_events_and_shortens_the_load(desk: Runtime) -> None:
    """After 25 events the load starts from the snapshot at 20."""
    await count(desk, 25)
    kept = await desk.event_store.load_snapshot(KEY)
    assert kept is not None
    assert kept.position == 20
    watched = Watched(desk.event_store)
    loader = desk._executor._stations[CountUp].loader
    loader._reads = watched
    await count(desk, 1)
    assert watched.after == [20]


async def test_a_process_that_remembers_its_states_keeps_snapshots_too() -> None:
    """It needs none itself; whoever comes after it does."""
    async with APP.open("memory:") as desk:
        await count(desk, 25)
        kept = await desk.event_store.load_snapshot(KEY)
    assert kept is not None
    assert kept.position == 20


async def test_a_snapshot_that_cannot_be_kept_fails_no_command(desk: Runtime, caplog: pytest.LogCaptureFixture) -> None:
    """It is a shorter way and nothing more; a store that is full or only read says so to whoever appends."""
    watched = Watched(desk.event_store)

    async def refuse(_key: str, _snapshot: Snapshot) -> None:
        raise StoreFull("no space left")

    watched.save_snapshot = refuse
    desk._executor._stations[CountUp].loader._store = watched
    await count(desk, 12)
    assert "no snapshot of Counter was kept: no space left" in caplog.text


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: msgspec.structs.replace(kept, state=b'{"counter_id":'),
        lambda kept: msgspec.structs.replace(kept, state=b'{"counter_id":"c","count":"many"}'),
        lambda kept: msgspec.structs.replace(kept, fingerprint="other code", state=b'{"counter_id":"c","count":99}'),
    ],
    ids=["cut off", "wrong type", "made by other code"],
)
async def test_an_unusable_snapshot_is_ignored(desk: Runtime, damage) -> None:
    """The state is folded from the events, and counting goes on."""
    await count(desk, 12)
    kept = await desk.event_store.load_snapshot(KEY)
    assert kept is not None
    await desk.event_store.save_snapshot(KEY, damage(kept))
    await count(desk, 1)
    assert (await desk.event_store.read()).events[-1].data == b'{"counter_id":"c","number":13}'


async def test_a_snapshot_ahead_of_the_log_is_ignored(desk: Runtime) -> None:
    """A log restored from a backup may be shorter than the snapshot; the events are the truth."""
    await count(desk, 12)
    kept = await desk.event_store.load_snapshot(KEY)
    assert kept is not None
    ahead = Snapshot(500, kept.fingerprint, b'{"counter_id":"c","count":400}')
    await desk.event_store.save_snapshot(KEY, ahead)
    await count(desk, 1)
    assert (await desk.event_store.read()).events[-1].data == b'{"counter_id":"c","number":13}'


def test_other_code_has_another_fingerprint() -> None:
    """And the same code the same one."""
    assert fingerprint_of(aggregate_plan(Counter)) == fingerprint_of(aggregate_plan(Counter))
    assert fingerprint_of(aggregate_plan(Counter)) != fingerprint_of(aggregate_plan(OtherCounter))


async def test_an_evolve_that_fails_is_a_typed_error(desk: Runtime) -> None:
    """It names the event; nothing is stored."""
    codec = desk.codec
    await desk.event_store.append([codec.encode_event(CountedUp(counter_id="c", number=7))])
    with pytest.raises(EvolutionError, match="cannot fold the event at position 1"):
        await count(desk, 1)
    assert await desk.event_store.head() == 1


class Money(pydantic.BaseModel):
    """A class of another library, which the codec knows how to write."""

    cents: int = 0


class Holder(Aggregate):
    """It counts, and holds something that is made of the number."""

    counter_id: CounterId
    count: int = 0

    @decide
    def up(self, command: CountUp) -> CountedUp:
        return CountedUp(counter_id=self.counter_id, number=self.count + 1)


class Faithful(Holder):
    snapshot_every = 2
    held: Money = Money()

    @evolve
    def counted(self, event: CountedUp) -> None:
        self.count, self.held = event.number, Money(cents=event.number)


class Unwritable(Holder):
    snapshot_every = 2
    held: dict[tuple[str, int], bool] = {}

    @evolve
    def counted(self, event: CountedUp) -> None:
        self.count, self.held = event.number, {("c", event.number): True}


class Unfaithful(Holder):
    """JSON knows no tuples."""

    snapshot_every = 2
    held: Any = None

    @evolve
    def counted(self, event: CountedUp) -> None:
        self.count, self.held = event.number, (event.number,)


@pytest.mark.parametrize(("kind", "is_kept"), [(Faithful, True), (Unwritable, False), (Unfaithful, False)])
async def test_only_a_state_that_comes_back_the_same_is_kept(kind: type[Holder], is_kept: bool) -> None:
    """Commands go on all the same, on the state that the events give."""
    async with App("counters", kind).open("memory:", cache_size=0) as desk:
        await count(desk, 7)
        snapshot = await desk.event_store.load_snapshot(KEY.replace("Counter", kind.__name__))
        numbers = [desk.codec.decode(event) for event in (await desk.event_store.read()).events]
    assert (snapshot is not None) == is_kept
    assert numbers == [CountedUp(counter_id="c", number=number) for number in range(1, 8)]


class Raise(Command):
    counter_id: CounterId
    step: int


class Raised(Event):
    counter_id: CounterId


class Stepping(Aggregate):
    """How far its events lead depends on the command that it begins from."""

    snapshot_every: ClassVar[int | None] = 2
    counter_id: CounterId
    step: int
    count: int = 0

    @classmethod
    def start(cls, command: Raise) -> Stepping:
        return cls(counter_id=command.counter_id, step=command.step)

    @decide
    def go_on(self, command: Raise) -> Raised:
        if self.count >= 10 * self.step:
            raise Refused("enough", str(self.count))
        return Raised(counter_id=self.counter_id)

    @evolve
    def raised(self, event: Raised) -> None:
        self.count += self.step


@pytest.mark.parametrize("cache_size", [0, 10])
async def test_a_snapshot_of_a_state_that_began_elsewhere_is_left_aside(cache_size: int) -> None:
    """What is one boundary in the log may be the end of states that begin from different commands."""
    async with App("stepping", Stepping).open("memory:", cache_size=cache_size) as desk:
        for number in range(10):
            await desk.execute(Raise(counter_id="c", step=1 + number % 2))
        for step in (1, 2, 1):
            with pytest.raises(Refused, match=str(10 * step)):
                await desk.execute(Raise(counter_id="c", step=step))
