"""Boundaries: order within one, and which are remembered."""

from __future__ import annotations

import asyncio

import pytest

from headwater.commands.boundaries import Boundaries, Boundary


async def test_turns_are_given_in_order() -> None:
    """First come, first served."""
    boundary, order = Boundary("b"), list[int]()
    assert boundary.take() is None

    async def work(number: int) -> None:
        turn = boundary.take()
        assert turn is not None
        await boundary.wait(turn)
        order.append(number)
        boundary.release()

    tasks = [asyncio.create_task(work(number)) for number in range(3)]
    await asyncio.sleep(0)
    boundary.release()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2]
    assert boundary.take() is None


async def test_a_turn_given_to_a_cancelled_waiter_goes_on() -> None:
    """Nobody waits for ever behind a caller who left."""
    boundary = Boundary("b")
    boundary.take()
    first, second = boundary.take(), boundary.take()
    assert first is not None
    assert second is not None
    leaving = asyncio.create_task(boundary.wait(first))
    await asyncio.sleep(0)
    boundary.release()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert second.done()


def test_idle_boundaries_beyond_the_size_are_forgotten() -> None:
    """The least recently used first, and never one in use."""
    boundaries = Boundaries(2)
    a, b = boundaries.use("a"), boundaries.use("b")
    boundaries.done(b)
    c = boundaries.use("c")
    boundaries.done(c)
    assert len(boundaries) == 2
    assert boundaries.use("a") is a
    assert boundaries.use("c") is c
    assert boundaries.use("b") is not b


def test_size_zero_remembers_nothing() -> None:
    """Every command loads afresh."""
    boundaries = Boundaries(0)
    boundaries.done(boundaries.use("a"))
    assert len(boundaries) == 0
