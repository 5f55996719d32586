"""A power cut loses nothing that was acknowledged, and what comes after it is told truthfully."""

from __future__ import annotations

import os

import pytest
from tests.campaigns.disks import can_mount
from tests.campaigns.power_cut import power_cut_rounds

ROUNDS = int(os.environ.get("HEADWATER_CRASH_ROUNDS", "100"))
pytestmark = pytest.mark.skipif(not can_mount(), reason="needs root and loop devices")


def assert_nothing_lost(rounds, seed):
    """Every acknowledged pair survives; every writer got a typed error that leaves the outcome open or denies it."""
    for verdict, errors in power_cut_rounds(rounds, seed):
        assert (verdict.lost, verdict.faults) == (0, ())
        assert verdict.acknowledged > 0
        assert errors <= {"OutcomeUnknown", "StoreIOError", "StoreReadOnly", "StoreCorrupt"}


def test_acknowledged_appends_survive_a_power_cut():
    """What was not synced is gone; what was acknowledged was synced."""
    assert_nothing_lost(1, seed=3)


def test_relaxed_durability_is_what_its_name_says():
    """It loses acknowledged events at a power cut, so it must be asked for; the log is not damaged all the same."""
    ((verdict, _),) = power_cut_rounds(1, seed=3, options="?durability=relaxed")
    assert verdict.lost > 0
    assert verdict.faults == ()


@pytest.mark.campaign
def test_acknowledged_appends_survive_many_power_cuts():
    """As many as ``HEADWATER_CRASH_ROUNDS`` says."""
    assert_nothing_lost(ROUNDS, seed=5)
