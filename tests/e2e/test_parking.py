"""Parked sequences outlive the processes that parked them."""

from __future__ import annotations

import pytest
from tests.pairings import Empty, PutOn, folded, projected
from tests.poisoned import THIRTEEN, following, poisoned_app, wait_until_parked


@pytest.fixture(params=["sqlite", "postgresql"])
def stores(request, tmp_path):
    """A log and its read store."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/log.db", f"sqlite:///{tmp_path}/rows.db"
    return (request.getfixturevalue("postgres_url"),) * 2


async def work(desk, start):
    """Everyday events, and thirteen for two shelves, which go on afterwards."""
    for number in range(start, start + 40):
        await desk.execute(PutOn(shelf=f"s{number % 7}", amount=number % 5 + 1))
    for shelf in ("s1", "s2"):
        await desk.execute(PutOn(shelf=shelf, amount=THIRTEEN))
    await desk.execute(Empty(shelf="s1"))
    for number in range(start, start + 40):
        await desk.execute(PutOn(shelf=f"s{number % 7}", amount=1))


async def test_killed_between_it_parks_once_and_follows_in_order(stores, tmp_path):
    """Three processes are killed with -9; then the code is mended, and another process lets the sequences go on."""
    log, rows = stores
    mended = tmp_path / "mended"
    async with poisoned_app(mended).open(log, read_store=rows, follow=False) as desk:
        await work(desk, 0)
        with following(log, rows, mended) as first:
            wait_until_parked(first, 1)
        with following(log, rows, mended) as second:
            await work(desk, 40)
            wait_until_parked(second, 2)
        with following(log, rows, mended):
            await desk.caught_up(timeout=60)
            totals, moves = await folded(desk.event_store)
            found = await projected(desk.read_store)
            assert found[1] == moves
            assert {key: total for key, total in found[0].items() if key not in ("s1", "s2")} == {
                key: total for key, total in totals.items() if key not in ("s1", "s2")
            }
            assert sorted(each.shown for each in await desk.parked()) == ["s1", "s2"]
            mended.touch()
            for shelf in ("s1", "s2"):
                assert await desk.retry_parked("Shelves", shelf) is None
            await work(desk, 80)
            await desk.caught_up(timeout=60)
        assert (list(await desk.parked()), await projected(desk.read_store)) == ([], await folded(desk.event_store))
