"""The office in several processes: some that keep its read models up, one that sends. Reads: replay.py."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE, Popen

_ROOT = Path(__file__).parents[2]


@contextmanager
def workers(url: str, count: int) -> Iterator[None]:
    """That many processes of ``headwater work``, which share the projections; they are stopped with the block."""
    words = ("work", "tests.fines.app:app", "--url", url, "--workers", str(count))
    with _process("headwater", *words) as process:
        yield
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0


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
