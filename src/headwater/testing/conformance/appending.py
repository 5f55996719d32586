"""What an append does, and what it refuses. Reads: samples.py. Read next: conditions.py."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import msgspec
import pytest

from headwater.errors import DuplicateEventId, InvalidAppend
from headwater.event_store.protocol import AppendCondition, Appended, Conflict, EventStore, NewEvent
from headwater.testing.conformance.capabilities import Backend
from headwater.testing.conformance.samples import appended, event, filled, log_of, of, positions, unless

_GOOD = event("A", "x")
_NO_QUERY: Any = None


def odd(**fields: Any) -> NewEvent:
    """An event with fields that a type checker would not let through."""
    every: dict[str, Any] = {"type": "A", "data": b"{}", **fields}
    return NewEvent(**every)


_BAD: dict[str, Any] = {
    "no type": odd(type=""),
    "a type that is no text": odd(type=7),
    "a nul in a type": odd(type="A\0"),
    "data that is no bytes": odd(data="{}"),
    "metadata that is no bytes": odd(metadata="{}"),
    "tags that are one text": odd(tags="x"),
    "an empty tag": odd(tags=("",)),
    "a tag that is no text": odd(tags=(5,)),
    "a control character in a tag": odd(tags=("x\x1fy",)),
    "half a surrogate pair in a tag": odd(tags=("x\ud800",)),
    "an id that is no uuid": odd(id="1"),
    "version zero": odd(version=0),
    "a version beyond reason": odd(version=1 << 70),
    "something else": {"type": "A"},
}


class Appending(Backend):
    """Appends give gapless positions in commit order, are all or nothing, and never disturb each other."""

    async def test_positions_count_from_one_without_gaps(self, store: EventStore) -> None:
        """Each append says where its events stand."""
        assert await store.append([event()]) == Appended(1, 1)
        assert await store.append([event(), event(), event()]) == Appended(2, 4)
        assert await store.append((event(),)) == Appended(5, 5)
        assert positions(await log_of(store)) == [1, 2, 3, 4, 5]

    async def test_a_refused_append_leaves_no_gap(self, store: EventStore) -> None:
        """Positions go on where they were after a conflict and after a bad append."""
        await filled(store, "A x")
        assert await store.append([event("A", "x")], unless(of("x"))) == Conflict(1)
        with pytest.raises(InvalidAppend):
            await store.append([])
        assert await store.append([event("A", "y")]) == Appended(2, 2)

    async def test_an_append_is_all_or_nothing(self, store: EventStore) -> None:
        """One bad event keeps the good ones out."""
        with pytest.raises(InvalidAppend):
            await store.append([_GOOD, event("")])
        assert await store.head() == 0
        assert await store.append([_GOOD]) == Appended(1, 1)

    async def test_concurrent_appends_get_positions_of_their_own(self, store: EventStore) -> None:
        """The events of an append stand side by side, whoever else appends."""
        outcomes = await asyncio.gather(
            *(store.append([event("A", f"n:{n}"), event("B", f"n:{n}")]) for n in range(40))
        )
        assert sorted(made.first for made in outcomes if isinstance(made, Appended)) == list(range(1, 81, 2))
        for number, made in enumerate(outcomes):
            assert isinstance(made, Appended)
            assert positions(await store.read(of(f"n:{number}"))) == [made.first, made.last]

    async def test_appends_of_one_task_keep_their_order(self, store: EventStore) -> None:
        """What is submitted first stands first."""
        outcomes = await asyncio.gather(*(store.append([event(f"T{number}")]) for number in range(20)))
        assert outcomes == [Appended(number, number) for number in range(1, 21)]

    async def test_many_events_in_one_append(self, store: EventStore) -> None:
        """A large append is one append."""
        made = await store.append([event("A", f"n:{number}", "all") for number in range(3_000)])
        assert made == Appended(1, 3_000)
        assert positions(await store.read(of("n:2999"))) == [3_000]

    async def test_a_repeated_tag_counts_once(self, store: EventStore) -> None:
        """Tags of an event are a set."""
        await store.append([event("A", "x", "y", "x")])
        (found,) = (await store.read(of("x"))).events
        assert found.tags == ("x", "y")

    async def test_an_empty_append_is_refused(self, store: EventStore) -> None:
        """There is no position to give back."""
        with pytest.raises(InvalidAppend):
            await store.append([])

    @pytest.mark.parametrize("bad", list(_BAD))
    async def test_what_no_store_accepts(self, store: EventStore, bad: str) -> None:
        """It is refused with ``InvalidAppend``, and appends beside it succeed."""
        outcomes = await asyncio.gather(
            store.append([event("A", "y")]),
            store.append([_BAD[bad]]),
            store.append([event("A", "z")]),
            return_exceptions=True,
        )
        assert isinstance(outcomes[1], InvalidAppend)
        assert [outcomes[0], outcomes[2]] == [Appended(1, 1), Appended(2, 2)]

    async def test_one_event_is_no_sequence_of_events(self, store: EventStore) -> None:
        """Neither is nothing at all; the error says so."""
        bad: Any
        for bad in (event(), None, 7):
            with pytest.raises(InvalidAppend):
                await store.append(bad)

    async def test_a_condition_that_is_none_is_refused(self, store: EventStore) -> None:
        """A query is not a condition, and an empty item says nothing."""
        bad: Any
        for bad in (of("x"), AppendCondition(of("x"), -1), AppendCondition(_NO_QUERY), "x"):
            with pytest.raises(InvalidAppend):
                await store.append([event()], bad)
        assert await store.head() == 0

    async def test_an_id_twice_in_one_append_is_refused(self, store: EventStore) -> None:
        """Ids are unique in the log."""
        twice = UUID(int=5)
        with pytest.raises(DuplicateEventId):
            await store.append([NewEvent("A", b"{}", id=twice), NewEvent("B", b"{}", id=twice)])
        assert await store.head() == 0

    async def test_an_id_of_another_event_fails_its_own_append_only(self, store: EventStore) -> None:
        """Appends of the same turn go through."""
        first = event("A", "x")
        await store.append([first])
        stolen = msgspec.structs.replace(event("B", "y"), id=first.id)
        outcomes = await asyncio.gather(
            store.append([event("C")]),
            store.append([event("D"), stolen]),
            store.append([event("E")]),
            return_exceptions=True,
        )
        assert [outcomes[0], outcomes[2]] == [Appended(2, 2), Appended(3, 3)]
        assert isinstance(outcomes[1], DuplicateEventId)
        assert [recorded.type for recorded in (await log_of(store)).events] == ["A", "C", "E"]

    async def test_a_cancelled_caller_disturbs_nobody(self, store: EventStore) -> None:
        """Others of the same turn get their answers, and the store goes on."""
        tasks = [asyncio.ensure_future(store.append([event("A", f"n:{number}")])) for number in range(10)]
        await asyncio.sleep(0)
        tasks[3].cancel()
        tasks[7].cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        others = [made for number, made in enumerate(outcomes) if number not in {3, 7}]
        assert len(appended(others)) == 8
        assert isinstance(await store.append([event("B")]), Appended)
        log = await log_of(store)
        assert positions(log) == list(range(1, log.head + 1))
