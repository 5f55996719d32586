"""Real processes share projections: stopped, killed, added and replaced, they lose nothing and count nothing twice."""

from __future__ import annotations

import random

import pytest
from tests.campaigns.fleet import campaign, disturbed, moved, moves

from headwater.read_store.checkpoints import SLICES


@pytest.fixture(params=["sqlite", "postgres"])
def urls(request, tmp_path):
    """A log and a read store, both empty."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'log.db'}", f"sqlite:///{tmp_path / 'rows.db'}"
    url = request.getfixturevalue("postgres_url")
    return url, f"{url}?schema=rows"


async def test_stopped_and_killed_workers_leave_what_the_log_says(urls):
    """From one to four, one of them stopped beyond its lease and woken, another killed, and down to two."""
    async with campaign(*urls) as run:
        await disturbed(run, random.Random(3), rounds=1, events=500)


@pytest.mark.campaign
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(5))
async def test_many_rounds_of_stopping_and_killing(urls, seed):
    """The same for longer, from other seeds."""
    async with campaign(*urls) as run:
        await disturbed(run, random.Random(seed), rounds=8, events=2_000)


async def test_a_rolling_restart_moves_only_what_must_move(urls):
    """What the old process held goes to the others and comes back to the new one; nothing moves among the others."""
    async with campaign(*urls) as run:
        for _ in range(3):
            run.start()
        settled = await run.settled()
        for old in list(run.processes):
            run.stop(old)
            await run.append(300)
            without = await run.settled()
            assert {giver for giver, _ in moved(settled, without)} == {old.id}
            new = run.start()
            settled = await run.settled()
            assert {taker for _, taker in moved(without, settled)} == {new.id}
            assert moves(without, settled) <= 2 * -(-SLICES // 3)
            await run.judge()
