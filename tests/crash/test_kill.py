"""kill -9 in the middle of group commits loses nothing that was acknowledged."""

from __future__ import annotations

import os

import pytest
from tests.campaigns.kill import kill_rounds

ROUNDS = int(os.environ.get("HEADWATER_CRASH_ROUNDS", "100"))


def assert_nothing_lost(directory, rounds, seed):
    """Every acknowledged pair is where it was told; no half appends, no broken conditions, no damage."""
    stored = 0
    for verdict in kill_rounds(directory, rounds, seed):
        assert (verdict.lost, verdict.faults) == (0, ())
        assert verdict.stored >= verdict.acknowledged > stored
        stored = verdict.acknowledged


def test_acknowledged_appends_survive_being_killed(tmp_path):
    """The same log is written, killed and written again."""
    assert_nothing_lost(tmp_path, 3, seed=7)


@pytest.mark.campaign
def test_acknowledged_appends_survive_being_killed_often(tmp_path):
    """As often as ``HEADWATER_CRASH_ROUNDS`` says."""
    assert_nothing_lost(tmp_path, ROUNDS, seed=11)
