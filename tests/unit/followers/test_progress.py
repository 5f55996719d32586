"""Waiting for followers."""

from __future__ import annotations

import asyncio

import pytest

from headwater.errors import ProjectionBehind, ProjectionFailed
from headwater.followers import Progress


async def settled():
    """Let everybody who can run, run."""
    for _ in range(5):
        await asyncio.sleep(0)


def waiting(progress, names, position, timeout=None):
    return asyncio.get_running_loop().create_task(progress.wait_for(names, position, timeout))


async def test_who_is_there_already_does_not_wait():
    """Nor does who waits for nobody."""
    progress = Progress()
    progress.advance("a", 3)
    await progress.wait_for(["a"], 3)
    await progress.wait_for([], 99)


async def test_waiters_wake_when_all_are_there():
    """Each at its own position, in whatever order the followers arrive."""
    progress = Progress()
    early, late = waiting(progress, ["a"], 2), waiting(progress, ["a", "b"], 5)
    progress.advance("a", 2)
    await settled()
    assert (early.done(), late.done()) == (True, False)
    progress.advance("b", 5)
    progress.advance("a", 7)
    await late
    assert progress.position(["a", "b"]) == 5
    assert progress.position([]) == 0


async def test_waiting_ends_in_time():
    """With an error that says who is how far."""
    progress = Progress()
    progress.advance("a", 9)
    progress.advance("b", 4)
    with pytest.raises(ProjectionBehind) as caught:
        await progress.wait_for(["a", "b"], 10, timeout=0.001)
    assert caught.value.fields == {"projection": "b", "wanted": 10, "reached": 4}


async def test_a_failure_reaches_all_who_wait_and_who_come_later():
    """Each with an exception of its own; going on clears it."""
    progress = Progress()
    progress.advance("a", 4)
    waiters = [waiting(progress, ["a"], 10) for _ in range(3)]
    await settled()
    progress.fail("a", ProjectionFailed("it stopped", projection="a", position=5))
    found = await asyncio.gather(*waiters, return_exceptions=True)
    assert [str(each) for each in found] == ["it stopped"] * 3
    assert len(set(map(id, found))) == 3
    with pytest.raises(ProjectionFailed):
        await progress.wait_for(["a"], 5)
    await progress.wait_for(["a"], 4)
    assert progress.failure("a") is not None
    progress.advance("a", 5)
    assert progress.failure("a") is None


async def test_going_back_makes_waiters_wait_again():
    """A projection that is built anew includes nothing for a while."""
    progress = Progress()
    progress.advance("a", 10)
    progress.advance("a", 0)
    waiter = waiting(progress, ["a"], 10)
    await settled()
    assert not waiter.done()
    progress.advance("a", 10)
    await waiter


async def test_who_gives_up_leaves_nothing_behind():
    """A thousand cancelled waiters are not kept until their position comes."""
    progress = Progress()
    tasks = [waiting(progress, ["a"], 10) for _ in range(1_000)]
    await settled()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert len(progress._waiting["a"]) < 10
