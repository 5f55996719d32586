"""What is set aside is stored with the checkpoint, or not at all. Reads: read_backend.py. Read next: row_finding.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

from headwater.read_store import ReadStore
from headwater.read_store.parking import Discarded, Parked, Pause, alone, sequence_of
from headwater.read_store.protocol import Changes
from headwater.testing.conformance.read_backend import ReadBackend
from headwater.testing.conformance.read_samples import ARTICLES, SEATS, Article, put

_NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
_ONE = Parked(
    projection="Articles",
    version=ARTICLES.version,
    sequence=sequence_of("ä'\"\n"),
    position=1,
    event="Priced",
    error="ValueError: 'no'\n\u2028",
    attempts=5,
    parked_at=_NOW,
)
_ALONE = msgspec.structs.replace(_ONE, sequence=alone(2), position=2, parked_at=_NOW + timedelta(seconds=1))
_LEFT_OUT = Discarded(
    projection="Articles",
    version=ARTICLES.version,
    sequence=_ONE.sequence,
    position=1,
    event="Priced",
    error=_ONE.error,
    epoch=1,
    discarded_at=_NOW,
    discarded_by="ann",
    reason="typed twice",
)


async def commit(store: ReadStore, position: int, **more: object) -> frozenset[str]:
    """Go on to that position, with what is parked, settled or discarded."""
    start = (await store.checkpoints())["Articles"]
    changes = Changes("Articles", start, position)
    return await store.commit([msgspec.structs.replace(changes, **more)])


class RowParking(ReadBackend):
    """``ReadStore.parked`` and its neighbours."""

    async def test_what_is_parked_comes_back_as_it_was(self, store: ReadStore) -> None:
        """In the order in which it was parked, whatever its text."""
        assert list(await store.parked()) == []
        await commit(store, 2, parks=(_ALONE, _ONE))
        assert list(await store.parked()) == [_ONE, _ALONE]

    async def test_a_sequence_stands_at_its_newest_fault(self, store: ReadStore) -> None:
        """There is one entry for it."""
        later = msgspec.structs.replace(_ONE, position=7, error="again", attempts=6)
        await commit(store, 1, parks=(_ONE,))
        await commit(store, 7, parks=(later,))
        assert list(await store.parked()) == [later]

    async def test_a_sequence_goes_on(self, store: ReadStore) -> None:
        """With a record of what was left out; the other stays parked."""
        await commit(store, 2, parks=(_ONE, _ALONE))
        await commit(store, 2, settles=(_ONE.sequence,), discards=(_LEFT_OUT,))
        assert list(await store.parked()) == [_ALONE]
        assert list(await store.discarded()) == [_LEFT_OUT]

    async def test_a_stale_commit_parks_nothing(self, store: ReadStore) -> None:
        """As it stores no rows: somebody else moved the checkpoint."""
        stale = (await store.checkpoints())["Articles"]
        await put(store, ARTICLES, Article(code="a"))
        moved = await store.commit([Changes("Articles", stale, 2, parks=(_ONE,), discards=(_LEFT_OUT,))])
        assert moved == {"Articles"}
        assert [*await store.parked(), *await store.discarded()] == []

    async def test_a_reset_clears_what_is_parked(self, store: ReadStore) -> None:
        """Of that projection only, and the records of what was left out stay."""
        other = msgspec.structs.replace(_ONE, projection="Seats", version=SEATS.version)
        await commit(store, 2, parks=(_ONE, _ALONE), discards=(_LEFT_OUT,))
        start = (await store.checkpoints())["Seats"]
        await store.commit([Changes("Seats", start, 1, parks=(other,))])
        await store.reset("Articles")
        assert list(await store.parked()) == [other]
        assert list(await store.discarded()) == [_LEFT_OUT]

    async def test_a_projection_is_paused_until_it_is_resumed(self, store: ReadStore) -> None:
        """Saying so twice is as good as once."""
        assert (await store.fleet()).paused == frozenset()
        for _ in range(2):
            await store.pause(Pause(projection="Articles", paused_at=_NOW, paused_by="ann"))
        assert (await store.fleet()).paused == {"Articles"}
        for _ in range(2):
            await store.resume("Articles")
        assert (await store.fleet()).paused == frozenset()

    async def test_what_is_set_aside_is_there_when_opened_again(self, location: str, store: ReadStore) -> None:
        """Parked sequences, records and orders; those of a version that is gone go with it."""
        self.needs("durable")
        old = msgspec.structs.replace(_ONE, version=ARTICLES.version + 1)
        await commit(store, 2, parks=(_ONE, old), discards=(_LEFT_OUT,))
        await store.pause(Pause(projection="Seats", paused_at=_NOW, paused_by=""))
        await store.close()
        async with self.open(location) as again:
            await again.prepare([ARTICLES, SEATS])
            assert sorted(await again.parked(), key=lambda each: each.version) == [_ONE, old]
            assert list(await again.discarded()) == [_LEFT_OUT]
            assert (await again.fleet()).paused == {"Seats"}
