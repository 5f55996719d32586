"""Ranges of slices are granted, split, merged and taken away, and a stale grant stores nothing. Reads: read_backend.py.

Read next: row_rebuilding.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from headwater.read_store import Changes, Checkpoint, ReadStore, Regrant, Share, TableChanges, Worker
from headwater.testing.conformance.read_backend import ReadBackend
from headwater.testing.conformance.read_samples import NOON, SEATS, Seat, put

ONE = Worker(id="one", host="h", pid=1, started="s", versions={"Seats": 1, "Articles": 1})
TWO = msgspec.structs.replace(ONE, id="two", pid=2, follows=False)
HALVES = ((0, 511, "one"), (512, 1023, "two"))


class RowSharing(ReadBackend):
    """Leases, tokens, splits and merges."""

    async def test_a_projection_begins_as_one_range_that_nobody_holds(self, store: ReadStore) -> None:
        """All slices, at the start of the log."""
        assert await _seats(store) == [Checkpoint(0, 1)]

    async def test_a_grant_is_kept_with_a_greater_token(self, store: ReadStore) -> None:
        """The owner is stored, the place stays."""
        await put(store, SEATS, Seat(day=NOON.date(), number=1))
        (before,) = await _seats(store)
        made = await _granted(store, [before], (0, 1023, "one"))
        assert made == [msgspec.structs.replace(before, owner="one", token=before.token + 1)]
        assert await _seats(store) == made

    async def test_a_range_is_split_and_merged_where_it_stands(self, store: ReadStore) -> None:
        """Both parts stand where the whole stood; parts at one place become one again."""
        await put(store, SEATS, Seat(day=NOON.date(), number=1))
        (whole,) = await _seats(store)
        halves = await _granted(store, [whole], *HALVES)
        assert [(each.low, each.high, each.owner) for each in halves] == list(HALVES)
        assert {(each.position, each.epoch, each.changed_at) for each in halves} == {(1, 1, 1)}
        merged = await _granted(store, halves, (0, 1023, "one"))
        assert await _seats(store) == merged
        assert merged[0].token > max(each.token for each in halves)
        assert (merged[0].position, merged[0].changed_at) == (1, 1)

    async def test_ranges_at_two_places_do_not_become_one(self, store: ReadStore) -> None:
        """Nothing changes then."""
        (whole,) = await _seats(store)
        halves = await _granted(store, [whole], *HALVES)
        assert not await store.commit([_nothing(halves[0], 5)])
        ahead = msgspec.structs.replace(halves[0], position=5)
        assert await _regrant(store, [ahead, halves[1]], (0, 1023, "one")) is None
        assert await _seats(store) == [ahead, halves[1]]
        assert (await store.checkpoints())["Seats"].position == 0

    async def test_of_two_claims_one_is_granted(self, store: ReadStore) -> None:
        """Whoever comes second has seen a range that is no more as it was."""
        (whole,) = await _seats(store)
        claims = [_regrant(store, [whole], (0, 1023, name)) for name in ("one", "two", "three")]
        granted = [made for made in await asyncio.gather(*claims) if made]
        assert len(granted) == 1
        assert await _seats(store) == list(granted[0])

    async def test_each_regrant_of_several_counts_for_itself(self, store: ReadStore) -> None:
        """One that comes too late does not spoil the others."""
        shares = {share.projection: share for share in (await store.fleet()).shares}
        stale = Share("Seats", 1, Checkpoint(0, 1, token=7))
        one, other = await store.regrant(
            [Regrant((stale,), ((0, 1023, "one"),)), Regrant((shares["Articles"],), ((0, 1023, "one"),))]
        )
        assert one is None
        assert other is not None

    async def test_a_claim_keeps_what_was_committed_since_it_was_seen(self, store: ReadStore) -> None:
        """The place is the stored one, not that of the one who claims."""
        (whole,) = await _seats(store)
        (mine,) = await _granted(store, [whole], (0, 1023, "one"))
        assert not await store.commit([_row(mine, 3, 1)])
        made = await _granted(store, [mine], (0, 1023, "two"))
        assert (made[0].position, made[0].changed_at, made[0].owner) == (3, 3, "two")

    async def test_a_stale_grant_stores_nothing(self, store: ReadStore) -> None:
        """Whether its range was taken, released, split or merged since."""
        (held,) = await _seats(store)
        for after in (
            ((0, 1023, "one"),),
            ((0, 1023, "two"),),
            ((0, 1023, ""),),
            ((0, 99, "two"), (100, 1023, "two")),
        ):
            before = held
            held = (await _granted(store, [before], *after))[0]
            assert await store.commit([_row(before, 9, 1)]) == {"Seats"}
        rest = (await _seats(store))[1]
        await _regrant(store, [held, rest], (0, 1023, "two"))
        for stale in (held, rest):
            assert await store.commit([_row(stale, 9, 1)]) == {"Seats"}
        assert await store.reader(Seat).count() == 0
        assert (await store.checkpoints())["Seats"].position == 0

    async def test_ranges_of_one_projection_move_in_one_commit(self, store: ReadStore) -> None:
        """All of them, or none if one was lost."""
        (whole,) = await _seats(store)
        low, high = await _granted(store, [whole], (0, 511, "one"), (512, 1023, "one"))
        assert not await store.commit([_row(low, 4, 1), _row(high, 6, 2)])
        low, high = await _seats(store)
        assert [(each.position, each.changed_at) for each in (low, high)] == [(4, 4), (6, 6)]
        await _regrant(store, [high], (512, 1023, "two"))
        assert await store.commit([_row(low, 9, 3), _row(high, 9, 4)]) == {"Seats"}
        assert await store.reader(Seat).count() == 2
        assert (await store.checkpoints())["Seats"].position == 4

    async def test_only_a_changed_row_moves_the_place_of_the_last_change(self, store: ReadStore) -> None:
        """A batch that touches no row of a projection leaves it unchanged, however far it goes."""
        await put(store, SEATS, Seat(day=NOON.date(), number=1))
        (now,) = await _seats(store)
        await store.commit([_nothing(now, 50)])
        assert ((await store.checkpoints())["Seats"]).changed_at == 1
        (now,) = await _seats(store)
        gone = TableChanges(SEATS, [], [SEATS.stored_key((NOON.date(), 1))])
        await store.commit([Changes("Seats", now, 60, (gone,))])
        assert ((await store.checkpoints())["Seats"]).changed_at == 60

    async def test_workers_are_known_until_they_leave(self, store: ReadStore) -> None:
        """With what they said of themselves; leaving gives back all that they held, and only that."""
        for worker in (ONE, TWO, msgspec.structs.replace(ONE, versions={"Seats": 2})):
            await store.announce(worker, 60)
        assert (await store.fleet()).workers == (msgspec.structs.replace(ONE, versions={"Seats": 2}), TWO)
        (whole,) = await _seats(store)
        low, high = await _granted(store, [whole], *HALVES)
        await store.leave("one")
        assert [worker.id for worker in (await store.fleet()).workers] == ["two"]
        assert await _seats(store) == [msgspec.structs.replace(low, owner="", token=low.token + 1), high]
        assert await store.commit([_row(low, 9, 1)]) == {"Seats"}

    async def test_a_lease_that_is_not_renewed_ends(self, store: ReadStore) -> None:
        """By the clock of the store. The worker is still listed, and renewing makes it live again."""
        await store.announce(ONE, -1.0)
        assert [worker.is_live for worker in (await store.fleet()).workers] == [False]
        await store.announce(ONE, 60)
        assert [worker.is_live for worker in (await store.fleet()).workers] == [True]

    async def test_reset_takes_all_ranges_away(self, store: ReadStore) -> None:
        """One range is left, in a new epoch, that nobody holds."""
        (whole,) = await _seats(store)
        halves = await _granted(store, [whole], *HALVES)
        await store.commit([_row(halves[0], 4, 1)])
        await store.reset("Seats")
        (now,) = await _seats(store)
        assert (now.position, now.epoch, now.changed_at, now.is_whole, now.owner) == (0, 2, 0, True, "")
        assert await store.commit([_row(halves[1], 9, 2)]) == {"Seats"}

    async def test_ranges_and_workers_outlive_the_store_object(self, location: str, store: ReadStore) -> None:
        """Other processes see them."""
        self.needs("durable")
        await store.announce(ONE, 60)
        (whole,) = await _seats(store)
        await _regrant(store, [whole], *HALVES)
        before = await store.fleet()
        async with self.open(location) as other:
            assert await other.fleet() == before


async def _seats(store: ReadStore) -> list[Checkpoint]:
    return [share.checkpoint for share in (await store.fleet()).shares if share.projection == "Seats"]


async def _regrant(
    store: ReadStore, before: Sequence[Checkpoint], *after: tuple[int, int, str]
) -> tuple[Checkpoint, ...] | None:
    (made,) = await store.regrant([Regrant(tuple(Share("Seats", 1, each) for each in before), after)])
    return made


async def _granted(store: ReadStore, before: Sequence[Checkpoint], *after: tuple[int, int, str]) -> list[Checkpoint]:
    made = await _regrant(store, before, *after)
    assert made is not None
    return list(made)


def _row(start: Checkpoint, position: int, number: int) -> Changes:
    part = TableChanges(SEATS, [SEATS.values_of(Seat(day=NOON.date(), number=number))], [])
    return Changes("Seats", start, position, (part,))


def _nothing(start: Checkpoint, position: int) -> Changes:
    return Changes("Seats", start, position)
