"""A state is the same, and fails the same way, however a store hands over what it is folded from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest

from headwater import App
from headwater.aggregates import Aggregate, decide, evolve
from headwater.commands.boundaries import Boundary
from headwater.errors import EvolutionError, Refused, StoreError, UndecodableEvent
from headwater.event_store.bodies import Bodies
from headwater.event_store.protocol import EventQuery, NewEvent
from headwater.messages import Command, Event, Tag, contract
from headwater.runtime import Runtime
from headwater.upcasting import upcast

JarId = Annotated[str, Tag("jar")]


class Look(Command):
    jar_id: JarId


class Looked(Event):
    jar_id: JarId


@contract("CoinsAdded", version=2)
class CoinsAdded(Event):
    jar_id: JarId
    coins: int


class CoinsTaken(Event):
    jar_id: JarId
    coins: int


@upcast("CoinsAdded", from_version=1)
def one_coin(old: dict[str, Any]) -> dict[str, Any]:
    return {**old, "coins": 1}


class Jar(Aggregate):
    jar_id: JarId
    coins: int = 0

    @decide
    def look(self, command: Look) -> Looked:
        raise Refused("has", str(self.coins))

    @evolve
    def added(self, event: CoinsAdded) -> None:
        self.coins += event.coins

    @evolve
    def taken(self, event: CoinsTaken) -> None:
        if event.coins > self.coins:
            raise ValueError("more than there is")
        self.coins -= event.coins


@pytest.fixture(params=["memory:", "sqlite"])
async def jars(request, tmp_path) -> AsyncIterator[Runtime]:
    url = request.param if request.param == "memory:" else f"sqlite:///{tmp_path / 'jars.db'}"
    async with App("jars", Jar, one_coin).open(url) as runtime:
        yield runtime


def stored(kind: str, data: bytes, version: int = 1) -> NewEvent:
    return NewEvent(kind, data, ("jar:j1",), version=version)


async def look(jars: Runtime) -> str:
    """How many coins a fresh load finds."""
    with pytest.raises(Refused) as refusal:
        await jars.execute(Look(jar_id="j1"))
    return refusal.value.message


async def test_events_of_every_version_are_folded_in_order(jars):
    """Those stored today, and older ones lifted to today; the baseline goes on from where it was."""
    old, new = stored("CoinsAdded", b'{"jar_id":"j1"}'), stored("CoinsAdded", b'{"jar_id":"j1","coins":5}', 2)
    await jars.event_store.append([old, new, stored("CoinsTaken", b'{"jar_id":"j1","coins":2}')])
    assert await look(jars) == "4"
    await jars.event_store.append([stored("CoinsTaken", b'{"jar_id":"j1","coins":4}')])
    assert await look(jars) == "0"


async def test_many_events_are_folded_page_by_page(jars):
    """Beyond what a store hands over at once."""
    coin = b'{"jar_id":"j1","coins":1}'
    await jars.event_store.append([stored("CoinsAdded", coin, 2) for _ in range(5_000)])
    assert await look(jars) == "5000"


async def test_an_event_that_does_not_fit_its_class_is_named(jars):
    """Its position, its type and the field; the state is not half of one afterwards."""
    await jars.event_store.append([stored("CoinsAdded", b'{"jar_id":"j1","coins":1}', 2)])
    await jars.event_store.append([stored("CoinsAdded", b'{"jar_id":"j1","coins":"many"}', 2)])
    for _ in range(2):
        with pytest.raises(UndecodableEvent) as fault:
            await jars.execute(Look(jar_id="j1"))
        assert (fault.value.fields["position"], fault.value.fields["pointer"]) == (2, "/coins")


async def test_an_event_of_a_newer_release_is_named(jars):
    """Nothing here knows how to bring it down."""
    await jars.event_store.append([stored("CoinsAdded", b"{}", 3)])
    with pytest.raises(UndecodableEvent, match="a newer release"):
        await jars.execute(Look(jar_id="j1"))


async def test_an_event_that_cannot_be_folded_is_named(jars):
    """By its position, with what evolve said."""
    await jars.event_store.append([stored("CoinsTaken", b'{"jar_id":"j1","coins":2}')])
    with pytest.raises(EvolutionError, match="cannot fold the event at position 1: ValueError"):
        await jars.execute(Look(jar_id="j1"))


async def test_a_read_that_is_older_than_the_state_does_not_set_it_back(jars):
    """Reads of one turn share a snapshot, and a state may come from one that another process kept meanwhile."""
    await jars.event_store.append([stored("CoinsAdded", b'{"jar_id":"j1","coins":2}', 2)])
    station = jars._executor._stations[Look]
    boundary = Boundary("j1")
    boundary.begin(Jar(jar_id="j1"), EventQuery.of(types=("CoinsAdded",), tags=("jar:j1",)))
    await station.loader.load(boundary)
    station.loader.take(boundary, Bodies((), {}, 0))
    assert (boundary.position, boundary.version) == (1, 1)


async def test_a_page_is_folded_once_though_the_next_one_failed(jars, monkeypatch):
    """What was folded before the error is not folded again by the next command."""
    monkeypatch.setattr("headwater.commands.loading._PAGE", 2)
    monkeypatch.setattr("headwater.backends.sqlite.bodies.INLINE_ROWS", 1)
    coins = b'{"jar_id":"j1","coins":2}'
    await jars.event_store.append([stored("CoinsAdded", coins, 2) for _ in range(3)])
    reads = jars._executor._stations[Look].loader._reads
    reads._read, whole = failing_after(1, reads._read), reads._read
    with pytest.raises(StoreError):
        await look(jars)
    reads._read = whole
    assert await look(jars) == "6"


def failing_after(times, read):
    """A read that fails from a certain time on."""
    left = iter(range(times))

    async def failing(*arguments, **named):
        if next(left, None) is None:
            raise StoreError("the disk is gone")
        return await read(*arguments, **named)

    return failing
