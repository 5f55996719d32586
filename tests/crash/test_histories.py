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
    judged = await recorded_rounds(sqlite_url(tmp_path), tmp_path, rounds=3, processes=2, writers=8, seed=3)
    assert_every_promise_was_kept(judged)


@pytest.mark.campaign
async def test_many_killed_processes_keep_every_promise(tmp_path):
    """As often as ``HEADWATER_CRASH_ROUNDS`` says, with more processes and writers."""
    judged = await recorded_rounds(sqlite_url(tmp_path), tmp_path, rounds=ROUNDS, processes=4, writers=16, growth=300)
    assert_every_promise_was_kept(judged)
