"""Queries never change anything, whatever their handlers are given."""

from __future__ import annotations

from typing import Literal

import pytest
from tests.domain import Course, DefineCourse

from headwater import App
from headwater.commands.executor import Origin
from headwater.errors import ReadOnlyViolation
from headwater.messages import Query
from headwater.queries.asking import answers
from headwater.runtime import Runtime

DEFINE = DefineCourse(course_id="c1", capacity=2)


class Seats(Query[int]):
    by: Literal["command", "json", "callback", "question"]


class HowMany(Query[int]):
    """An honest one."""


@answers
async def seats(query: Seats, runtime: Runtime) -> int:
    """A query that would rather act."""
    body = runtime.codec.encode(DEFINE)
    match query.by:
        case "command":
            return (await runtime.execute(DEFINE)).position
        case "json":
            return (await runtime.execute_json("define-course", body)).position
        case "callback":
            told = []
            runtime.begin_json("define-course", body, Origin(), told.append)
            raise told[0]
        case "question":
            return await runtime.ask(HowMany())


@answers
async def how_many(query: HowMany) -> int:
    return 3


@pytest.mark.parametrize("by", ["command", "json", "callback"])
async def test_a_query_that_sends_a_command_fails(by: Literal["command", "json", "callback"]) -> None:
    """And nothing is stored."""
    async with App("courses", Course, seats, how_many).open("memory:") as desk:
        with pytest.raises(ReadOnlyViolation):
            await desk.ask(Seats(by=by))
        assert await desk.event_store.head() == 0
        assert (await desk.execute(DEFINE)).position == 1


async def test_a_query_may_ask_another() -> None:
    """That changes nothing."""
    async with App("courses", Course, seats, how_many).open("memory:") as desk:
        assert await desk.ask(Seats(by="question")) == 3
