"""Whichever way a command is carried out, the same comes of it: see ``campaigns/ways.py``."""

from __future__ import annotations

import os

import pytest
from tests.campaigns.ways import as_scenarios, many_at_once, one_after_another

FILES = {"memory": "memory:", "sqlite": "sqlite:///{}/log.db", "thread": "sqlite:///{}/log.db?commits=thread"}
SEEDS = int(os.environ.get("HEADWATER_WAYS_SEEDS", "300"))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("store", FILES)
async def test_a_command_after_the_other_does_what_the_log_says(store, seed, tmp_path):
    """Each outcome, and each event, is what a fold of the whole log leads to."""
    model = await one_after_another(seed, FILES[store].format(tmp_path), 100)
    assert model.log


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("store", FILES)
async def test_of_commands_at_once_each_is_decided_on_what_stands_before_it(store, seed, tmp_path):
    """Also where several processes send them."""
    model = await many_at_once(seed, FILES[store].format(tmp_path), 12)
    assert model.log


@pytest.mark.parametrize("seed", range(5))
def test_a_scenario_says_what_the_log_says(seed):
    """The words of ``headwater.testing`` decide as the application does."""
    assert as_scenarios(seed, 60) > 0


@pytest.mark.parametrize("way", [one_after_another, many_at_once])
async def test_a_server_does_what_the_log_says(way, postgres_server):
    """The same on PostgreSQL."""
    await on_postgresql(way, postgres_server, range(3), 12)


@pytest.mark.campaign
async def test_files_do_what_the_log_says_for_many_seeds(tmp_path):
    """As many as ``HEADWATER_WAYS_SEEDS`` says."""
    for seed in range(1_000, 1_000 + SEEDS):
        for store, url in FILES.items():
            for way in (one_after_another, many_at_once):
                place = tmp_path / f"{way.__name__}-{store}-{seed}"
                place.mkdir()
                assert (await way(seed, url.format(place), 30)).log


@pytest.mark.campaign
@pytest.mark.parametrize("way", [one_after_another, many_at_once])
async def test_a_server_does_what_the_log_says_for_many_seeds(way, postgres_server):
    """A tenth of them."""
    await on_postgresql(way, postgres_server, range(1_000, 1_000 + SEEDS // 10), 40)


async def on_postgresql(way, server, seeds, size):
    """Each seed in a database of its own."""
    for seed in seeds:
        url = server.fresh_database()
        try:
            assert (await way(seed, url, size)).log
        finally:
            server.drop_database(url)
