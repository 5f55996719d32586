"""A follower that has work and does not get further."""

from __future__ import annotations

import pytest

from headwater.errors import ProjectionStalled
from headwater.followers import ProjectionStatus
from headwater.followers.pulse import Pulse


def status(position, head, error=None, state="live"):
    return ProjectionStatus(
        name="P", version=1, position=position, head=head, lag_positions=head - position, state=state, error=error
    )


def check(pulse, *looks):
    """Show it what was seen at these times."""
    for now, seen in looks:
        pulse.check([seen], now)


@pytest.mark.parametrize(
    "looks",
    [
        [(0, status(5, 5)), (100, status(5, 5))],
        [(0, status(5, 5)), (100, status(5, 9)), (109, status(5, 9))],
        [(0, status(5, 9)), (9, status(6, 9)), (18, status(7, 9))],
        [(0, status(5, 9)), (9, status(0, 9)), (18, status(0, 9))],
        [(0, status(5, 9)), (9, status(9, 9)), (18, status(9, 12))],
        [(0, status(5, 9, state="paused")), (100, status(5, 9, state="paused")), (101, status(5, 9))],
    ],
    ids=["idle", "new work", "progress", "rebuilt", "done in between", "paused"],
)
def test_work_that_goes_on_is_well(looks):
    """Whoever has nothing to do, or gets further, is not stalled."""
    check(Pulse(10), *looks)


def test_who_stands_before_the_same_work_is_stalled():
    """The error says who, where, and what it stumbled over; once it goes on all is well again."""
    pulse = Pulse(10)
    check(pulse, (0, status(5, 9)), (9, status(5, 20)))
    with pytest.raises(ProjectionStalled, match="P stands at position 5, 15 behind the log: no space") as caught:
        check(pulse, (10, status(5, 20, "no space")))
    assert caught.value.fields == {
        "projection": "P", "position": 5, "head": 20, "lag_positions": 15, "state": "live", "stalled": ["P"],
    }  # fmt: skip
    check(pulse, (11, status(6, 20)))
