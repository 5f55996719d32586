"""Between ``app.open(...)`` and the block in which the application is open."""

from __future__ import annotations

from contextlib import AsyncExitStack, ExitStack

import pytest
from tests.domain import Course, DefineCourse

from headwater import App, open_store
from headwater.errors import ContractError

APP = App("courses", Course)
DEFINE = DefineCourse(course_id="c1", capacity=3)


async def _used(unopened):
    await unopened.execute(DEFINE)


async def _looked_at(unopened):
    return unopened.ask


async def _awaited(unopened):
    await unopened


async def _entered_later(unopened):
    async with unopened:
        pass


async def _entered(unopened):
    with unopened:
        pass


@pytest.mark.parametrize(
    ("unopened", "written"),
    [
        (lambda: APP.open("memory:"), "async with app.open"),
        (APP.test, "async with app.test"),
        (lambda: APP.open_blocking("memory:"), "with app.open_blocking"),
    ],
    ids=["open", "test", "blocking"],
)
async def test_whoever_forgets_the_block_is_told_how_it_is_written(unopened, written):
    """Also who writes ``await`` or ``with`` in its place, or ``async with`` where nothing is async."""
    right = _entered if written.startswith("with") else _entered_later
    for slip in {_used, _looked_at, _awaited, _entered, _entered_later} - {right}:
        with pytest.raises(ContractError, match=f"the application is not open yet .write `{written}"):
            await slip(unopened())


def test_it_has_nothing():
    """Whoever only looks what it has gets an answer."""
    assert not hasattr(APP.open("memory:"), "execute")


async def test_an_event_store_is_opened_by_a_block_too():
    """It is told apart from an application."""
    with pytest.raises(ContractError, match=r"the event store is not open yet .write `async with open_store"):
        await open_store("memory:").read()


async def test_stacks_enter_it_too():
    """As any context manager, and errors within the block come out of it."""
    async with AsyncExitStack() as stack:
        desk = await stack.enter_async_context(APP.open("memory:"))
        assert (await desk.execute(DEFINE)).position == 1
    with ExitStack() as stack:
        blocking = stack.enter_context(APP.open_blocking("memory:"))
        assert blocking.execute(DEFINE).position == 1
    with pytest.raises(ZeroDivisionError):
        async with APP.open("memory:"):
            _ = 1 / 0
