"""The shelves, by code that cannot take thirteen until the file ``mended`` is there.

``python -m tests.poisoned`` follows with it. Words: the log, the read store, the file. It says how far it is, and
how many sequences are parked, at each step.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

from tests.pairings import Movements, Put, Shelf, Shelves, Shelving, list_shelves

from headwater.app import App
from headwater.read_models import on

THIRTEEN = 13


def poisoned_app(mended: Path) -> App:
    """The application, as it is now."""

    class Poisoned(Shelves):
        name = "Shelves"

        @on
        def put(self, event: Put, row: Shelf | None) -> Shelf:
            if event.amount == THIRTEEN and not mended.exists():
                raise ValueError("not thirteen")
            return super().put(event, row)

    return App("shelves", Shelving, Poisoned, Movements, list_shelves)


@contextmanager
def following(log: str, rows: str, mended: Path) -> Iterator[Popen[str]]:
    """A process that follows. It is killed at the end of the block."""
    process = Popen([sys.executable, "-m", "tests.poisoned", log, rows, str(mended)], stdout=PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until_parked(process: Popen[str], parked: int) -> None:
    """Read what it says until so many sequences are parked."""
    assert process.stdout is not None
    for line in process.stdout:
        if int(line.split()[1]) >= parked:
            return
    raise AssertionError(f"it ended with {process.poll()}")


async def _follow(log: str, rows: str, mended: str) -> None:
    async with poisoned_app(Path(mended)).open(log, read_store=rows) as runtime:
        while True:
            status = await runtime.projections()
            sys.stdout.write(f"{min(each.position for each in status)} {sum(each.parked for each in status)}\n")
            sys.stdout.flush()
            await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(_follow(*sys.argv[1:]))
