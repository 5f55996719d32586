"""Child processes: servers on a free port, and programs that print one value. Reads: nothing. Read next: peers/."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter, sleep

_HOST = "127.0.0.1"
_START_SECONDS = 15.0
_STOP_SECONDS = 20.0
_PATIENCE_SECONDS = 600.0
_LAST_WORDS = 500


def python(*words: str, environment: Mapping[str, str] | None = None) -> bytes:
    """Run this interpreter with these words and return what it printed. Raises ``RuntimeError`` with its last words."""
    done = subprocess.run(  # noqa: S603  this interpreter
        [sys.executable, *words],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        check=False,
        timeout=_PATIENCE_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace")[-_LAST_WORDS:])
    return done.stdout


def answer(text: str) -> None:
    """Write one line on standard output: what this program was asked for."""
    sys.stdout.write(f"{text}\n")


def tell(text: str) -> None:
    """Write one line on standard error, at once: how far this program is."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextmanager
def serving(command: Sequence[str], port: int, environment: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run a server until the end of the block; enters once it listens. Raises ``RuntimeError`` if it never does."""
    process = subprocess.Popen(  # noqa: S603  a server of this benchmark
        command,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        if not listens(process, port):
            process.kill()
            said = process.communicate()[1].decode(errors="replace")
            raise RuntimeError(f"{command[0]} does not listen on port {port}: {said[-_LAST_WORDS:]}")
        yield
    finally:
        process.terminate()
        process.communicate(timeout=_STOP_SECONDS)


def free_port() -> int:
    """A port on the loopback interface that nobody uses now."""
    with socket.socket() as chosen:
        chosen.bind((_HOST, 0))
        port: int = chosen.getsockname()[1]
        return port


def listens(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the process takes connections; ``False`` if it ends before, or takes too long."""
    end = perf_counter() + _START_SECONDS
    while perf_counter() < end and process.poll() is None:
        try:
            socket.create_connection((_HOST, port), 0.3).close()
        except OSError:
            sleep(0.02)
        else:
            return True
    return False
