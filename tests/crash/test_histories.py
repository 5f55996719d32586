"""Many writers in several processes, killed at random, leave a history in which every promise was kept."""

from __future__ import annotations

import os

import pytest
from tests.campaigns.recorded import recorded_rounds
from tests.campaigns.survival import sqlite_url

ROUNDS = int(os.environ.get("HEADWATER_CRASH_ROUNDS", "100"))


def assert_every_promise_was_kept(judged):
    """No violation, and the faults really struck: kills in the middle of appends, conflicts, repeats."""
    assert judged.violations == []
    assert judged.kills > 0
    assert judged.in_flight > 0
    assert judged.replayed > 0
    assert min(judged.outcomes[outcome] for outcome in ("stored", "conflict", "refused", "unknown")) > 0


async def test_two_killed_processes_of_eight_writers_keep_every_promise(tmp_path):
    """One SQLite file, written by two processes at a time, killed three times over."""
    judged = await recorded_rounds(sqlite_url(tmp_path), tmp_path, rounds=3, processes=2, writers=8, seed=3, growth=120)
    assert_every_promise_was_kept(judged)


@pytest.fixture
def cut_connections(postgres_server, postgres_url):
    """Cuts every connection to the database, at once and without a word."""
    pids = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    return lambda: postgres_server.execute(f"SELECT pg_terminate_backend(pid) FROM ({pids}) AS p", url=postgres_url)


async def test_four_killed_processes_on_postgresql_keep_every_promise(tmp_path, postgres_url, cut_connections):
    """Sixteen writers in each; connections are cut in the middle of batches, and batches are rolled back."""
    judged = await recorded_rounds(
        postgres_url, tmp_path, rounds=1, processes=4, writers=16, seed=5, growth=120, disturb=cut_connections
    )
    assert_every_promise_was_kept(judged)


@pytest.mark.campaign
async def test_processes_killed_often_on_postgresql_keep_every_promise(tmp_path, postgres_url, cut_connections):
    """A quarter as often as ``HEADWATER_CRASH_ROUNDS`` says."""
    judged = await recorded_rounds(
        postgres_url, tmp_path, rounds=max(ROUNDS // 4, 1), processes=4, writers=16, disturb=cut_connections
    )
    assert_every_promise_was_kept(judged)


@pytest.mark.campaign
async def test_many_killed_processes_keep_every_promise(tmp_path):
    """As often as ``HEADWATER_CRASH_ROUNDS`` says, with more processes and writers."""
    judged = await recorded_rounds(sqlite_url(tmp_path), tmp_path, rounds=ROUNDS, processes=4, writers=16, growth=300)
    assert_every_promise_was_kept(judged)
