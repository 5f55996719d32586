"""What is stored comes back, with its checkpoint or not at all. Reads: read_backend.py. Read next: row_sharing.py."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import pytest

from headwater.errors import ContractChanged, ProjectionError, StoreClosed, UnknownMessage
from headwater.read_models import Indexed, Key, ReadModel
from headwater.read_store import Changes, Checkpoint, ReadStore, Table, TableChanges
from headwater.testing.conformance.read_backend import ReadBackend
from headwater.testing.conformance.read_samples import ARTICLES, NOON, SEATS, TABLES, Article, Level, Part, Seat, put

FULL = Article(
    code="a \u00e4 \U0001f30a 'quoted' \"x\"",
    state="old",
    title="",
    level=Level.HIGH,
    stock=-(1 << 63),
    weight=float("inf"),
    price=Decimal("-12.500"),
    made_at=NOON + timedelta(microseconds=1),
    local_at=datetime(1, 1, 1, 0, 0, 1),  # noqa: DTZ001  a naive time is what is tested
    day=date(9999, 12, 31),
    hour=time(23, 59, 59, 999999),
    took=timedelta(days=-1, microseconds=1),
    is_open=True,
    owner=UUID(int=7),
    picture=b"\0\xff",
    parts=(Part("p", Decimal("1.10")),),
    notes={"x": 1, "y": None},
)


class RowKeeping(ReadBackend):
    """Commits, checkpoints, shapes and versions."""

    @pytest.mark.parametrize("row", [FULL, Article(code="bare")], ids=["every field", "no field"])
    async def test_a_row_comes_back_as_it_was(self, store: ReadStore, row: Article) -> None:
        """Values of every type survive, and so does their absence."""
        await put(store, ARTICLES, row)
        assert await store.reader(Article).get(row.code) == row

    async def test_a_time_of_another_zone_comes_back_as_the_same_instant(self, store: ReadStore) -> None:
        """An aware time is kept as UTC."""
        there = NOON.astimezone(timezone(timedelta(hours=5, minutes=45)))
        await put(store, ARTICLES, Article(code="a", made_at=there))
        found = await store.reader(Article).get("a")
        assert found is not None
        assert found.made_at == there
        assert found.made_at.utcoffset() == timedelta(0)

    async def test_a_row_is_replaced_under_its_key_and_deleted_by_it(self, store: ReadStore) -> None:
        """The last word counts."""
        await put(store, SEATS, Seat(day=NOON.date(), number=1), Seat(day=NOON.date(), number=2))
        await put(
            store, SEATS, Seat(day=NOON.date(), number=1, guest="g"), deletes=[SEATS.stored_key((NOON.date(), 2))]
        )
        seats = store.reader(Seat)
        assert await seats.all() == [Seat(day=NOON.date(), number=1, guest="g")]
        assert await seats.get((NOON.date(), 2)) is None

    async def test_many_rows_are_kept_in_one_commit(self, store: ReadStore) -> None:
        """Also more than fit into one statement."""
        rows = [Article(code=f"c{number:04}", stock=number) for number in range(1_111)]
        await put(store, ARTICLES, *rows)
        await put(store, ARTICLES, deletes=[row.code for row in rows[:500]])
        assert await store.reader(Article).count() == 611
        found = await store.load(ARTICLES, [row.code for row in rows])
        assert [found[key] for key in sorted(found)] == rows[500:]

    @pytest.mark.parametrize(
        ("field", "unfit"),
        [("stock", 1 << 63), ("stock", "many"), ("title", "\ud800"), ("state", None)],
        ids=["number too large", "text for a number", "half a pair", "nothing"],
    )
    async def test_a_row_that_does_not_fit_is_refused(self, store: ReadStore, field: str, unfit: Any) -> None:
        """The commit as a whole, with an error that is the projection's, not the store's."""
        start = (await store.checkpoints())["Articles"]
        rows = [list(ARTICLES.values_of(Article(code=code))) for code in "ab"]
        rows[1][ARTICLES.names.index(field)] = unfit
        with pytest.raises(ProjectionError):
            await store.commit([Changes("Articles", start, 1, (TableChanges(ARTICLES, list(map(tuple, rows)), []),))])
        assert (await store.checkpoints())["Articles"] == start
        await put(store, ARTICLES, Article(code="a"))
        assert await store.reader(Article).count() == 1

    async def test_load_gives_what_there_is(self, store: ReadStore) -> None:
        """By stored key, without those that are not there."""
        await put(store, SEATS, Seat(day=NOON.date(), number=1))
        there, absent = (SEATS.stored_key((NOON.date(), number)) for number in (1, 2))
        assert await store.load(SEATS, [there, absent]) == {there: Seat(day=NOON.date(), number=1)}

    async def test_rows_and_checkpoints_move_together(self, store: ReadStore) -> None:
        """All projections of a commit, or none, if one of their checkpoints has moved since."""
        await put(store, ARTICLES, Article(code="a"))
        here = await store.checkpoints()
        late = Changes("Articles", Checkpoint(0, here["Articles"].epoch), 9, (_part(ARTICLES, Article(code="late")),))
        fine = Changes("Seats", here["Seats"], 9, (_part(SEATS, Seat(day=NOON.date(), number=1)),))
        assert await store.commit([fine, late]) == {"Articles"}
        assert await store.checkpoints() == here
        assert await store.reader(Seat).count() == 0
        assert await store.reader(Article).get("late") is None

    async def test_reset_begins_a_new_epoch(self, store: ReadStore) -> None:
        """The rows are gone, and who still works on the old epoch stores nothing."""
        await put(store, ARTICLES, Article(code="a"))
        await put(store, SEATS, Seat(day=NOON.date(), number=1))
        await store.reset("Articles")
        assert (await store.checkpoints())["Articles"].position == 0
        assert await store.reader(Article).count() == 0
        assert await store.reader(Seat).count() == 1
        assert await store.commit([Changes("Articles", Checkpoint(0, 1), 1)]) == {"Articles"}

    async def test_rows_of_another_log_are_dropped(self, store: ReadStore) -> None:
        """A read store holds what one log says."""
        assert not await store.identify(b"")
        assert not await store.identify(b"one")
        await put(store, ARTICLES, Article(code="a"))
        assert not await store.identify(b"one")
        assert await store.reader(Article).count() == 1
        assert await store.identify(b"two")
        assert await store.reader(Article).count() == 0
        assert (await store.checkpoints())["Articles"].position == 0

    async def test_a_model_that_nobody_fills_has_no_reader(self, store: ReadStore) -> None:
        """The error names it."""
        with pytest.raises(UnknownMessage, match="ReadModel"):
            store.reader(ReadModel)

    async def test_a_closed_store_says_so(self, store: ReadStore) -> None:
        """Reading and writing alike; closing again does nothing."""
        reader = store.reader(Article)
        await store.close()
        await store.close()
        with pytest.raises(StoreClosed):
            await reader.get("a")
        with pytest.raises(StoreClosed):
            await store.checkpoints()

    async def test_what_was_committed_is_there_when_opened_again(self, location: str, store: ReadStore) -> None:
        """Rows, checkpoints, and the key that signs cursors."""
        self.needs("durable")
        await put(store, ARTICLES, FULL)
        before = await store.checkpoints(), store.cursor_key
        await store.close()
        async with self.open(location) as again:
            await again.prepare(TABLES)
            assert (await again.checkpoints(), again.cursor_key) == before
            assert await again.reader(Article).all() == [FULL]

    async def test_another_shape_needs_another_version(self, location: str, store: ReadStore) -> None:
        """The same version refuses it by name; the next one begins at nothing, and the old rows go when it is ready."""
        self.needs("durable")
        await put(store, SEATS, Seat(day=NOON.date(), number=1))
        with pytest.raises(ContractChanged, match="version = 2"):
            await store.prepare([Table("Seats", 1, OtherSeat)])
        await store.close()
        async with self.open(location) as again:
            wider = Table("Seats", 2, OtherSeat)
            await again.prepare([wider])
            assert (await again.checkpoints())["Seats"].position == 0
            await put(again, wider, OtherSeat(number=7))
            await again.retire("Seats")
        async with self.open(location) as old:
            await old.prepare([SEATS])
            assert (await old.checkpoints())["Seats"].position == 0
            assert await old.reader(Seat).count() == 0

    async def test_another_index_needs_no_other_version(self, location: str, store: ReadStore) -> None:
        """It changes no answer, so it is made and dropped as it is declared."""
        self.needs("durable")
        await put(store, SEATS, Seat(day=NOON.date(), number=1, guest="g"))
        for model in (PlainSeat, Seat):
            async with self.open(location) as again:
                await again.prepare([Table("Seats", 1, model)])
                assert await again.reader(model).where(guest="g").count() == 1


class OtherSeat(ReadModel):
    """A seat of another shape."""

    number: Annotated[int, Key()]


class PlainSeat(ReadModel):
    """A seat of the same shape, with the index elsewhere."""

    day: Annotated[date, Key(), Indexed()]
    number: Annotated[int, Key()]
    guest: str | None = None


def _part(table: Table, row: ReadModel) -> TableChanges:
    return TableChanges(table, [table.values_of(row)], [])
