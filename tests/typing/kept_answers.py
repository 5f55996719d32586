"""What type checkers see of kept and live answers. Checked, not run."""

from __future__ import annotations

from typing import assert_type

from headwater import Answer, BlockingRuntime, Cache, Query, Runtime


class CountThings(Query[int], cache=Cache(ttl=60, shared=True, scope=lambda query, actor: actor)):
    """Kept for a minute at most."""

    colour: str = "red"


async def ask(runtime: Runtime) -> None:
    """The types of answers come from the query."""
    assert_type(await runtime.ask(CountThings(colour="blue"), tenant="x"), int)
    async for answer in runtime.watch(CountThings(), since=7):
        assert_type(answer, Answer[int])
    assert_type(runtime.cache_stats.hits, int)


def ask_blocking(runtime: BlockingRuntime) -> None:
    """Also without an event loop."""
    for answer in runtime.watch(CountThings()):
        assert_type(answer.value, int)
