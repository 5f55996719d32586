"""The DCB specification's own load scripts, as tests. Reads: samples.py. Read next: stateful.py.

Source: the k6 scripts of the specification project (dcb.events): consistency, monotonic visibility, unrelated writes.
They run for ``HEADWATER_SCRIPT_SECONDS`` each, half a second by default.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections.abc import Sequence
from time import monotonic

import msgspec

from headwater.event_store.protocol import (
    AppendCondition,
    Appended,
    Conflict,
    EventQuery,
    EventStore,
    NewEvent,
    QueryItem,
    RecordedEvent,
)
from headwater.testing.conformance.capabilities import Backend
from headwater.testing.conformance.samples import log_of, of, unless

_SEED = 20_240_615
_EXAMINED = 1_000


class Claim(msgspec.Struct):
    """What a writer saw when it decided; written into the first event of its append, so that the log can be judged."""

    query: EventQuery
    last_match: int


def seconds() -> float:
    """How long each script runs."""
    return float(os.environ.get("HEADWATER_SCRIPT_SECONDS", "0.5"))


def faults(log: Sequence[RecordedEvent]) -> list[int]:
    """Positions whose claim is untrue: another event matched between what the writer saw and what it appended."""
    untrue: list[int] = []
    for index, recorded in enumerate(log[:_EXAMINED]):
        if not recorded.data:
            continue
        claim = msgspec.json.decode(recorded.data, type=Claim)
        before = reversed(log[:index])
        found = next((e.position for e in before if claim.query.matches(e.type, e.tags)), 0)
        if found != claim.last_match:
            untrue.append(recorded.position)
    return untrue


class Scripts(Backend):
    """Three scripts that any store under the DCB contract must survive."""

    async def test_consistency(self, store: EventStore) -> None:
        """Twenty writers decide on random queries; afterwards every decision is judged from the log alone."""
        chance, end = random.Random(_SEED), monotonic() + seconds()
        outcomes: list[Appended | Conflict] = []

        async def write() -> None:
            while monotonic() < end:
                query = _random_query(chance)
                seen = await store.read(query, backwards=True, limit=1)
                claim = Claim(query, seen.events[0].position if seen.events else 0)
                await asyncio.sleep(0)  # let others in between the decision and the append
                new = _random_events(chance, 10, 10, chance.randint(1, 2), msgspec.json.encode(claim))
                outcomes.append(await store.append(new, AppendCondition(query, claim.last_match)))

        await asyncio.gather(*(write() for _ in range(20)))
        log = (await log_of(store)).events
        assert faults(log) == []
        assert {type(outcome) for outcome in outcomes} == {Appended, Conflict}
        assert [recorded.position for recorded in log] == list(range(1, len(log) + 1))

    async def test_monotonic_visibility(self, store: EventStore) -> None:
        """A reader that sees a position never later sees a lower one appear."""
        chance, end = random.Random(_SEED), monotonic() + seconds()
        windows: list[list[int]] = []

        async def write() -> None:
            while monotonic() < end:
                await store.append(_random_events(chance, 5, 5, chance.randint(2, 5), b""))
                await asyncio.sleep(0)  # a store that never waits would keep the reader out

        async def watch() -> None:
            while monotonic() < end:
                newest = await store.read(backwards=True, limit=6)
                windows.append([recorded.position for recorded in reversed(newest.events)])
                await asyncio.sleep(0)

        await asyncio.gather(watch(), *(write() for _ in range(5)))
        for earlier, later in itertools.pairwise(windows):
            common = [position for position in later if earlier and position <= earlier[-1]]
            assert common == [position for position in earlier if later and position >= later[0]]
        assert len(windows) > 1

    async def test_unrelated_writes_do_not_conflict(self, store: EventStore) -> None:
        """Twenty writers, each guarding a tag of its own: not one conflict."""
        end = monotonic() + seconds()

        async def write(number: int) -> int:
            turn = 0
            while monotonic() < end:
                tag, turn = f"own:{number}-{turn}", turn + 1
                made = await store.append([NewEvent("Made", b"", (tag,))], unless(of(tag, types=("Made",))))
                assert isinstance(made, Appended)
                await asyncio.sleep(0)
            return turn

        made = await asyncio.gather(*(write(number) for number in range(20)))
        assert await store.head() == sum(made)


def _random_query(chance: random.Random) -> EventQuery:
    return EventQuery(tuple(_random_item(chance) for _ in range(chance.randint(0, 3))))


def _random_item(chance: random.Random) -> QueryItem:
    types = tuple(f"T{number}" for number in chance.sample(range(10), chance.randint(0, 4)))
    fewest = 0 if types else 1
    return QueryItem(types, tuple(f"t{number}" for number in chance.sample(range(10), chance.randint(fewest, 3))))


def _random_events(chance: random.Random, types: int, tags: int, count: int, claim: bytes) -> list[NewEvent]:
    """That many events; the first carries the claim."""
    return [
        NewEvent(
            f"T{chance.randrange(types)}",
            claim if number == 0 else b"",
            tuple(f"t{tag}" for tag in chance.sample(range(tags), chance.randint(0, 3))),
        )
        for number in range(count)
    ]
