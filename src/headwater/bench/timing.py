"""Time boxes for one thread, and for many clients on one event loop. Reads: figures.py. Read next: floors.py."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from importlib import import_module
from importlib.util import find_spec
from statistics import quantiles
from time import perf_counter
from typing import Any, TypeVar

from headwater.bench.figures import Sample

T = TypeVar("T")

_WARM_UP_CALLS = 3
_A_HUNDREDTH = 100


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on uvloop where it is installed, else on the standard loop."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(work)


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The way to make a loop of uvloop, or ``None`` where it is not installed."""
    return import_module("uvloop").new_event_loop if find_spec("uvloop") else None


def rate(step: Callable[[], object], seconds: float, *, per_step: int = 1) -> Sample:
    """How many per second when one thread calls ``step`` until the time is over."""
    for _ in range(_WARM_UP_CALLS):
        step()
    started = perf_counter()
    end = started + seconds
    steps = 0
    while (now := perf_counter()) < end or steps == 0:
        step()
        steps += 1
    return Sample(steps * per_step / (max(now, perf_counter()) - started))


async def rate_of_clients(
    clients: int, seconds: float, client: Callable[[int], Callable[[], Awaitable[object]]]
) -> Sample:
    """How many per second, with p50 and p99 in ms, when each of so many clients awaits its step again and again.

    ``client(number)`` makes the step of one client. Each client warms up before the clock starts.
    """
    steps = [client(number) for number in range(clients)]

    async def warm_up(step: Callable[[], Awaitable[object]]) -> None:
        for _ in range(_WARM_UP_CALLS):
            await step()

    await asyncio.gather(*map(warm_up, steps))
    waits: list[float] = []
    started = perf_counter()
    end = started + seconds

    async def loop(step: Callable[[], Awaitable[object]]) -> None:
        begin = perf_counter()
        while begin < end:
            await step()
            now = perf_counter()
            waits.append(now - begin)
            begin = now

    await asyncio.gather(*map(loop, steps))
    return Sample(len(waits) / (perf_counter() - started), waits_ms(waits))


def waits_ms(waits: list[float]) -> dict[str, float]:
    """p50 and p99 of waiting times (seconds in, milliseconds out)."""
    if len(waits) < _A_HUNDREDTH:
        return {}
    cuts = quantiles(waits, n=_A_HUNDREDTH)
    return {"p50_ms": cuts[49] * 1e3, "p99_ms": cuts[98] * 1e3}


async def microseconds(step: Callable[[], Awaitable[object]], seconds: float) -> Sample:
    """How long one awaited call takes, one after another, in microseconds."""
    for _ in range(_WARM_UP_CALLS):
        await step()
    started = perf_counter()
    end = started + seconds
    steps = 0
    while perf_counter() < end or steps == 0:
        await step()
        steps += 1
    return Sample((perf_counter() - started) / steps * 1e6)
