"""When an append conflicts. Source: the DCB specification, dcb.events. Reads: samples.py. Read next: repeating.py."""

from __future__ import annotations

import asyncio

from headwater.event_store.protocol import ALL, Appended, Conflict, EventStore
from headwater.testing.conformance.capabilities import Backend
from headwater.testing.conformance.samples import appended, event, filled, of, unless


class Conditions(Backend):
    """A condition fails exactly if something that matches stands after its position, at the moment of the commit."""

    async def test_nothing_matches_in_an_empty_log(self, store: EventStore) -> None:
        """Every condition holds; an event does not conflict with itself."""
        for number, query in enumerate((of("x"), of(types=("Z",))), 1):
            assert await store.append([event("A", "x" if number == 2 else "y")], unless(query)) == Appended(
                number, number
            )

    async def test_an_event_does_not_fail_its_own_condition(self, store: EventStore) -> None:
        """The condition looks at what stands before the append."""
        made = await store.append([event("A", "x"), event("A", "x")], unless(of("x", types=("A",))))
        assert made == Appended(1, 2)

    async def test_a_match_is_a_conflict_that_says_where(self, store: EventStore) -> None:
        """The position is one of a matching event."""
        await filled(store, "A x", "B y", "A z")
        assert await store.append([event()], unless(of("y"))) == Conflict(2)
        assert await store.append([event()], unless(of(types=("B",)))) == Conflict(2)
        assert await store.append([event()], unless(of("x") | of("q"))) == Conflict(1)
        assert await store.head() == 3

    async def test_after_is_exclusive(self, store: EventStore) -> None:
        """What stands at or before ``after`` was seen."""
        await filled(store, "A x", "A x")
        assert await store.append([event("A", "x")], unless(of("x"), 1)) == Conflict(2)
        assert await store.append([event("A", "x")], unless(of("x"), 2)) == Appended(3, 3)

    async def test_after_may_be_beyond_what_matched(self, store: EventStore) -> None:
        """It is normally the head that the read returned, and may be any later position."""
        await filled(store, "A x", "B y", "B y")
        head = (await store.read(of("x"))).head
        assert await store.append([event("A", "x")], unless(of("x"), head)) == Appended(4, 4)
        assert await store.append([event("A", "x")], unless(of("x"), 1_000)) == Appended(5, 5)

    async def test_all_conflicts_with_anything(self, store: EventStore) -> None:
        """The condition on the whole log is a plain optimistic lock."""
        assert await store.append([event()], unless(ALL)) == Appended(1, 1)
        assert await store.append([event()], unless(ALL)) == Conflict(1)
        assert await store.append([event()], unless(ALL, 1)) == Appended(2, 2)

    async def test_types_and_tags_of_an_item_must_both_match(self, store: EventStore) -> None:
        """Another type on the same tag is no conflict, an earlier one of the type is."""
        await filled(store, "A x", "B x", "C y")
        assert isinstance(await store.append([event("D")], unless(of("x", types=("C",)))), Appended)
        assert await store.append([event("D")], unless(of("x", types=("A",)))) == Conflict(1)
        assert isinstance(await store.append([event("D")], unless(of("x", types=("A",)), 1)), Appended)
        assert await store.append([event("D")], unless(of("x", types=("A", "B")), 1)) == Conflict(2)

    async def test_all_tags_of_an_item_must_match_one_event(self, store: EventStore) -> None:
        """Two events with one tag each do not make one with both."""
        await filled(store, "A x", "A y")
        assert await store.append([event("A", "y", "x")], unless(of("x", "y"))) == Appended(3, 3)
        assert await store.append([event("A")], unless(of("x", "y"))) == Conflict(3)
        await filled(store, "A x", "A y")
        assert await store.append([event("A")], unless(of("x", "y"))) == Conflict(3)
        assert isinstance(await store.append([event("A")], unless(of("x", "y"), 3)), Appended)

    async def test_one_matching_item_of_many_is_enough(self, store: EventStore) -> None:
        """Items are OR'ed."""
        await filled(store, "A x", "B y")
        query = of("z") | of("q", types=("A",)) | of("y", types=("B",)) | of(types=("Z",))
        assert await store.append([event()], unless(query)) == Conflict(2)
        assert isinstance(await store.append([event()], unless(query, 2)), Appended)

    async def test_a_condition_may_ask_for_other_things_than_the_append_is_about(self, store: EventStore) -> None:
        """A unique name is guarded without reading anything."""
        assert isinstance(await store.append([event("Taken", "name:ann")], unless(of("name:ann"))), Appended)
        assert await store.append([event("Taken", "name:ann")], unless(of("name:ann"))) == Conflict(1)
        assert isinstance(await store.append([event("Taken", "name:bob")], unless(of("name:bob"))), Appended)

    async def test_a_tag_that_conditions_asked_for_before_it_existed(self, store: EventStore) -> None:
        """What was found absent once is found when it is there."""
        for _ in range(2):
            assert isinstance(await store.append([event("A")], unless(of("late"))), Appended)
        assert isinstance(await store.append([event("B", "late")], unless(of("late"))), Appended)
        assert await store.append([event("A")], unless(of("late"))) == Conflict(3)

    async def test_requests_of_one_turn_see_the_earlier_ones(self, store: EventStore) -> None:
        """A failed condition fails only its own append."""
        outcomes = await asyncio.gather(
            store.append([event("A", "x")], unless(of("x"))),
            store.append([event("A", "x")], unless(of("x"))),
            store.append([event("A", "y")], unless(of("y"))),
            store.append([event("B", "x")], unless(of("x", types=("B",)))),
            store.append([event("C")], unless(of("x", types=("A",)))),
            store.append([event("C")], unless(of(types=("C",)))),
            store.append([event("C")], unless(ALL, 4)),
        )
        found = [outcome.position if isinstance(outcome, Conflict) else -outcome.first for outcome in outcomes]
        assert found == [-1, 1, -2, -3, 1, -4, -5]

    async def test_of_many_racers_one_wins(self, store: EventStore) -> None:
        """Thirty-two tasks that all saw the same state: one is first, the others conflict with it."""
        await filled(store, "Opened x")
        head = (await store.read(of("x"))).head
        outcomes = await asyncio.gather(
            *(store.append([event("Closed", "x", f"by:{n}")], unless(of("x"), head)) for n in range(32))
        )
        assert appended(outcomes) == [Appended(2, 2)]
        assert set(outcomes) == {Appended(2, 2), Conflict(2)}

    async def test_counting_by_read_and_append_loses_nothing(self, store: EventStore) -> None:
        """Tasks that read, add one and append under a condition end at the sum of their successes."""

        async def add(times: int) -> None:
            done = 0
            while done < times:
                seen = await store.read(of("counter"))
                value = str(int(seen.events[-1].data) + 1 if seen.events else 1).encode()
                made = await store.append([event("Counted", "counter", data=value)], unless(of("counter"), seen.head))
                done += isinstance(made, Appended)

        await asyncio.gather(*(add(5) for _ in range(8)))
        found = await store.read(of("counter"))
        assert [int(recorded.data) for recorded in found.events] == list(range(1, 41))
