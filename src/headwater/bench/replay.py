"""``python -m headwater.bench.replay URL EVENTS``: memory while a log is projected. Reads: workload.py."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import msgspec

from headwater.bench.processes import answer
from headwater.bench.timing import run
from headwater.bench.workload import OrderTotals, orders_app

_PATIENCE_SECONDS = 600.0
_STEPS = 10


async def replay(url: str, events: int) -> dict[str, float]:
    """Resident memory in MB before, after the first tenth of the log, and at the end; the greatest of ten looks."""
    names = (OrderTotals.__name__,)
    async with orders_app(projections=True).open(url) as runtime:
        before, seen, tenth_at = resident_mb(), list[float](), 0
        for step in range(1, _STEPS + 1):
            await runtime.progress.wait_for(names, events * step // _STEPS, _PATIENCE_SECONDS)
            tenth_at = tenth_at or runtime.progress.position(names)
            seen.append(resident_mb())
        return {
            "before_mb": before,
            "tenth_mb": seen[0],
            "tenth_at_event": tenth_at,
            "end_mb": seen[-1],
            "greatest_mb": max(seen),
        }


def resident_mb() -> float:
    """Resident memory of this process now; where the system does not tell, the highest it ever was."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


if __name__ == "__main__":
    answer(msgspec.json.encode(run(replay(sys.argv[1], int(sys.argv[2])))).decode())
