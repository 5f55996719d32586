"""What an import costs, and whether memory stays flat over a million events. Reads: logs.py. Read next: replay.py."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median
from typing import Any

import msgspec

from headwater.bench.figures import Case, Group, Plan, Sample, Settings, Target
from headwater.bench.floors import fresh
from headwater.bench.logs import fill_in_turn, log_url
from headwater.bench.processes import python
from headwater.bench.timing import run

_TIMES = 9
_EVENTS = 1_000_000
_ORDERS = 5000
_IMPORT = """
import sys, time
started = time.perf_counter()
{statement}
passed = time.perf_counter() - started
try:  # the peak of this program alone: getrusage would count its parent's, up to the exec
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    peak = int(peak.split()[1]) / 1024
except OSError:
    import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
sys.stdout.write(f"[{{passed * 1e3}}, {{peak}}]")
"""
BARE, CORE, APP = "pass", "import headwater", "from headwater import App"
GROWTH = "memory growth while replaying"


@contextmanager
def _plan(settings: Settings) -> Iterator[Plan]:
    times = settings.count(_TIMES, least=1)
    cases = [
        Case(
            name=f"{unit.partition(' ')[0]} of `{statement}`",
            kind="floor" if statement == BARE else "headwater",
            unit=unit.partition(" ")[2],
            does=f"median of {times} fresh processes" + ("" if statement != BARE else ", nothing imported"),
            measure=partial(_imported, statement, index, times),
        )
        for statement in (BARE, CORE, APP)
        for index, unit in enumerate(("time ms", "memory MB"))
    ]
    cases.append(
        Case(
            name=GROWTH,
            kind="headwater",
            unit="x",
            does="resident memory at the end over that after the first tenth, one projection, own process",
            measure=partial(_growth, settings),
            once=True,
        )
    )
    yield Plan(cases=tuple(cases), targets=_TARGETS)


def _imported(statement: str, index: int, times: int) -> Sample:
    program = _IMPORT.format(statement=statement)
    return Sample(median(_json_from("-c", program)[index] for _ in range(times)))


def _growth(settings: Settings) -> Sample:
    events = settings.count(_EVENTS, least=20_000)
    with fresh(settings.directory) as directory:
        url = log_url(directory)
        run(fill_in_turn(url, events, _ORDERS))
        seen: dict[str, float] = _json_from("-m", "headwater.bench.replay", url, str(events))
    return Sample(seen["end_mb"] / seen["tenth_mb"], {"events": float(events), **seen})


def _json_from(*words: str) -> Any:
    return msgspec.json.decode(python(*words))


_TARGETS = (
    Target(figure="time of `import headwater`", bound="at most", limit=120),
    Target(figure="memory of `import headwater`", bound="at most", limit=30),
    Target(figure="time of `from headwater import App`", bound="at most", limit=120),
    Target(figure="memory of `from headwater import App`", bound="at most", limit=30),
    Target(figure=GROWTH, bound="at most", limit=1.1),
)

FOOTPRINT = Group(name="footprint", title="Import time and memory", plan=_plan)
