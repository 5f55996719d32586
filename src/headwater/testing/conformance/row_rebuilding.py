"""Rows are built anew beside those that are served, and take their place at once. Reads: read_backend.py.

Read next: row_watching.py.
"""

from __future__ import annotations

from headwater.read_store import Changes, Checkpoint, ReadStore, Table, TableChanges
from headwater.testing.conformance.read_backend import ReadBackend
from headwater.testing.conformance.read_samples import ARTICLES, NOON, SEATS, Seat, put


class RowRebuilding(ReadBackend):
    """Building beside, switching, giving up, and the rows of other versions."""

    async def test_rows_built_beside_are_not_seen_until_the_switch(self, store: ReadStore) -> None:
        """Then they are there all at once, and commits go on under the grant they had."""
        await put(store, SEATS, _seat(1))
        await put(store, SEATS, _seat(2))
        (old,) = await _ranges(store)
        assert await store.build_beside("Seats") == old.epoch + 1
        (old, new) = await _ranges(store)
        assert (new.position, new.side, new.is_whole) == (0, 1, True)
        new = await _commit(store, new, 1, _seat(7))
        assert not await store.switch("Seats")
        assert await _numbers(store) == [1, 2]
        new = await _commit(store, new, 2, _seat(8))
        assert await store.switch("Seats")
        assert await _ranges(store) == [new]
        store.serve("Seats", 1, new.side)
        assert await _numbers(store) == [7, 8]
        assert (await store.checkpoints())["Seats"] == new
        await _commit(store, new, 3, _seat(9))
        assert await _numbers(store) == [7, 8, 9]
        assert await store.load(SEATS.on(1), [SEATS.row_key(_seat(9))]) == {SEATS.row_key(_seat(9)): _seat(9)}

    async def test_the_rows_before_are_still_projected_meanwhile(self, store: ReadStore) -> None:
        """Both move, each in its epoch; whoever still works on the old ones after the switch stores nothing."""
        await put(store, SEATS, _seat(1))
        await store.build_beside("Seats")
        old, new = await _ranges(store)
        old = await _commit(store, old, 5, _seat(2))
        await _commit(store, new, 5, _seat(3))
        assert (await store.checkpoints())["Seats"] == old
        assert await store.switch("Seats")
        assert await store.commit([_changes(SEATS, old, 6, _seat(4))]) == {"Seats"}

    async def test_what_is_under_way_is_not_begun_again(self, store: ReadStore) -> None:
        """Whoever asks second gets the same epoch, and nothing is lost of it."""
        epoch = await store.build_beside("Seats")
        _, new = await _ranges(store)
        await _commit(store, new, 4, _seat(1))
        assert await store.build_beside("Seats") == epoch
        assert [each.position for each in await _ranges(store)] == [0, 4]
        assert await store.reader(type(_seat(1))).count() == 0

    async def test_building_beside_can_be_given_up(self, store: ReadStore) -> None:
        """What was served is served on, and the next attempt begins at nothing."""
        await put(store, SEATS, _seat(1))
        before = await _ranges(store)
        await store.build_beside("Seats")
        _, new = await _ranges(store)
        await _commit(store, new, 1, _seat(2))
        await store.abandon("Seats")
        assert await _ranges(store) == before
        assert await _numbers(store) == [1]
        await store.build_beside("Seats")
        _, new = await _ranges(store)
        await _commit(store, new, 1)
        assert await store.switch("Seats")
        store.serve("Seats", 1, 1)
        assert await _numbers(store) == []

    async def test_sides_change_at_each_rebuild(self, store: ReadStore) -> None:
        """What is not served can be emptied, and is filled the next time."""
        for number in (1, 2, 3):
            await store.build_beside("Seats")
            _, new = await _ranges(store)
            await _commit(store, new, number, _seat(number))
            assert await store.switch("Seats")
            store.serve("Seats", 1, new.side)
            await store.tidy("Seats")
            assert (new.side, await _numbers(store)) == (number % 2, [number])

    async def test_a_reset_drops_both(self, store: ReadStore) -> None:
        """What was served, and what was built beside."""
        await put(store, SEATS, _seat(1))
        await store.build_beside("Seats")
        await store.reset("Seats")
        (now,) = await _ranges(store)
        assert (now.position, now.epoch, now.side) == (0, 3, 0)
        assert await _numbers(store) == []

    async def test_other_projections_are_left_alone(self, store: ReadStore) -> None:
        """Nothing of theirs is built or switched."""
        before = (await store.checkpoints())["Articles"]
        await store.build_beside("Seats")
        await store.switch("Seats")
        assert (await store.checkpoints())["Articles"] == before
        assert not await store.switch("Articles")

    async def test_rows_of_an_older_version_can_be_served(self, location: str, store: ReadStore) -> None:
        """Where they have the same shape, until the new ones are there."""
        self.needs("durable")
        await put(store, SEATS, _seat(1))
        async with self.open(location) as newer:
            wider = Table("Seats", 2, Seat)
            await newer.prepare([ARTICLES, wider])
            assert await newer.can_serve("Seats", 1)
            assert not await newer.can_serve("Seats", 7)
            await put(newer, wider, _seat(5))
            newer.serve("Seats", 1, 0)
            assert await _numbers(newer) == [1]
            await put(store, SEATS, _seat(2))
            assert await _numbers(newer) == [1, 2]
            newer.serve("Seats", 2, 0)
            assert await _numbers(newer) == [5]
            assert await newer.load(wider, [SEATS.row_key(_seat(5))])


def _seat(number: int) -> Seat:
    return Seat(day=NOON.date(), number=number)


async def _numbers(store: ReadStore) -> list[int]:
    return [row.number for row in await store.reader(Seat).all()]


async def _ranges(store: ReadStore) -> list[Checkpoint]:
    return [share.checkpoint for share in (await store.fleet()).shares if share.projection == "Seats"]


def _changes(table: Table, start: Checkpoint, position: int, *rows: Seat) -> Changes:
    on_side = table.on(start.side)
    return Changes("Seats", start, position, (TableChanges(on_side, [on_side.values_of(row) for row in rows], []),))


async def _commit(store: ReadStore, start: Checkpoint, position: int, *rows: Seat) -> Checkpoint:
    """Commit rows to the range that is like that; the range as it is then."""
    assert not await store.commit([_changes(SEATS, start, position, *rows)])
    return next(each for each in await _ranges(store) if each.epoch == start.epoch)
