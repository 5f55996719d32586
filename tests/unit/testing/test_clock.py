from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from headwater.errors import ContractError
from headwater.testing import ControlledClock

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_the_clock_stands_still_until_it_is_moved():
    """Asking twice gives the same time."""
    clock = ControlledClock(NOON)

    assert (clock.now(), clock.now()) == (NOON, NOON)


def test_advancing_moves_the_clock_and_says_the_new_time():
    """The new time is the old one and the step."""
    clock = ControlledClock(NOON)

    assert clock.advance(timedelta(hours=1)) == clock.now() == NOON + timedelta(hours=1)


def test_a_step_back_is_no_advance():
    """Going back must be said with ``set``, so that a wrong sign does not pass."""
    clock = ControlledClock(NOON)

    with pytest.raises(ContractError, match="set"):
        clock.advance(timedelta(seconds=-1))
    assert clock.now() == NOON


def test_the_clock_can_be_put_to_an_earlier_time():
    """Machines' clocks go back as well."""
    clock = ControlledClock(NOON)
    clock.set(NOON - timedelta(days=1))

    assert clock.now() == NOON - timedelta(days=1)


def test_times_are_kept_in_utc():
    """The same moment, in the zone that the framework promises."""
    clock = ControlledClock(datetime(2026, 5, 1, 14, tzinfo=timezone(timedelta(hours=2))))

    assert (clock.now(), clock.now().tzinfo) == (NOON, UTC)


@pytest.mark.parametrize("use", [ControlledClock, ControlledClock().set])
def test_a_time_without_a_zone_is_refused(use):
    """It is no moment, and comparing it later would fail far away."""
    with pytest.raises(ContractError, match="time zone"):
        use(NOON.replace(tzinfo=None))


@pytest.mark.parametrize("use", [ControlledClock, ControlledClock().set, ControlledClock().advance])
@pytest.mark.parametrize("given", ["2026-01-01", 5])
def test_a_time_of_another_kind_is_refused(use, given):
    """Seconds and text mean nothing without a word more."""
    with pytest.raises(ContractError, match=r"is no datetime|by a timedelta, not"):
        use(given)
