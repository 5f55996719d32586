"""Requests that come one by one are served at once, until two come together."""

from __future__ import annotations

import asyncio

import pytest

from headwater.event_store import group_commit
from headwater.event_store.group_commit import GroupCommit


@pytest.fixture
async def commits(monkeypatch):
    """A queue whose last two requests came alone and were served on the loop; ``batches`` is what was served."""
    monkeypatch.setattr(group_commit, "_ALONE_BEFORE", 2)
    made = GroupCommit()
    made.batches = []
    made.serve_here = lambda works, _size: made.batches.append(list(works)) or works
    for number in range(2):
        assert made.desk_of_one() is None
        await made.submit(number, 1)
    made.batches.clear()
    return made


async def test_who_comes_alone_again_does_not_wait_for_others(commits):
    """The outcome is there with the call, turn after turn."""
    for number in range(3):
        assert commits.desk_of_one().outcome_at_once(number + 10, 1) == number + 10
        await asyncio.sleep(0)
    assert commits.batches == [[10], [11], [12]]


async def test_a_second_one_in_the_same_turn_is_gathered_again(commits):
    """From then on those who come together are committed together."""
    desk = commits.desk_of_one()
    assert desk.outcome_at_once("first", 1) == "first"
    assert desk.outcome_at_once("second", 1) is None
    assert commits.desk_of_one() is None
    await asyncio.gather(commits.submit("second", 1), commits.submit("third", 1))
    assert commits.batches == [["first"], ["second", "third"]]


async def test_nobody_overtakes_what_was_gathered_before(commits):
    """A request in flight is another one about, whoever gathers it."""
    waiting = commits.submit("first", 1)
    assert commits.desk_of_one().outcome_at_once("second", 1) is None
    assert await waiting == "first"
    assert commits.batches == [["first"]]


@pytest.mark.parametrize("why", ["declined", "queued", "closed"])
async def test_what_cannot_be_served_here_is_left_to_the_writer(commits, why):
    """A slow disk, a queue with others in it, or the store being closed: nothing is done at once."""
    if why == "declined":
        commits.serve_here = lambda _works, _size: None
    elif why == "queued":
        commits.wake_writer()
    else:
        commits.close()
    desk = commits.desk_of_one()
    assert (why == "closed") is (desk is None)
    assert desk is None or desk.outcome_at_once("work", 1) is None
    assert commits.desk_of_one() is None
    assert commits.batches == []


async def test_batches_are_no_reason_to_serve_at_once(commits):
    """Whoever shares a commit waits for the turn's end, and so does who comes after."""
    await asyncio.gather(*(commits.submit(number, 1) for number in range(2)))
    assert commits.desk_of_one() is None
