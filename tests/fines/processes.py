"""The office in several processes: some that keep its read models up, one that sends. Reads: replay.py.

``python -m tests.fines.processes URL`` is one that follows.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

from tests.fines.app import app

_ROOT = Path(__file__).parents[2]


@contextmanager
def workers(url: str, count: int) -> Iterator[list[Popen[str]]]:
    """That many processes that follow; they are ended with the block."""
    with ExitStack() as stack:
        yield [stack.enter_context(_process("tests.fines.processes", url)) for _ in range(count)]


@contextmanager
def feeder(url: str, limit: int) -> Iterator[Popen[str]]:
    """A process that sends, and says how far it is. It is killed with the block."""
    with _process("tests.fines.replay", url, str(limit)) as process:
        yield process


def kill_after(url: str, *, rows: int, limit: int) -> None:
    """Send in a process of its own, and kill it with -9 when it has told of that many rows."""
    with feeder(url, limit) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) >= rows:
                break
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL


@contextmanager
def _process(module: str, *words: str) -> Iterator[Popen[str]]:
    process = Popen([sys.executable, "-m", module, *words], stdout=PIPE, text=True, cwd=_ROOT)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


async def _follow(url: str) -> None:
    async with app.open(url):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_follow(sys.argv[1]))
