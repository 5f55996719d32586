"""emmett on PostgreSQL: an event sourcing library of node. Reads: processes.py, emmett.mjs.

Its packages are looked for in ``HEADWATER_BENCH_NODE``, else where ``make bench`` puts them, if there is npm.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec

from headwater.bench.figures import Sample

NODE_VARIABLE = "HEADWATER_BENCH_NODE"
_PACKAGE = "@event-driven-io/emmett-postgresql"
_PROGRAM = Path(__file__).with_suffix(".mjs")
_PATIENCE_SECONDS = 120.0
_LAST_WORDS = 500


def is_installed() -> bool:
    """Whether node and the packages are there."""
    return shutil.which("node") is not None and (_directory() / "node_modules" / _PACKAGE).is_dir()


def absence() -> tuple[str, ...]:
    """Nothing if it is there, else one line that says how to get it."""
    if is_installed():
        return ()
    return (f"emmett is not installed: npm install --prefix {_directory()} {_PACKAGE}, with node",)


def commands(url: str, seconds: float, orders: int, tasks: int) -> Sample:
    """Commands per second: fold a stream of about ten events, append one on the version that it had."""
    node = shutil.which("node") or "node"
    words = (node, str(_PROGRAM), url, str(seconds), str(orders), str(tasks))
    done = subprocess.run(  # noqa: S603  node, on a program of ours
        words,
        env={**os.environ, NODE_VARIABLE: str(_directory())},
        capture_output=True,
        check=False,
        timeout=_PATIENCE_SECONDS,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace")[-_LAST_WORDS:])
    return Sample(msgspec.json.decode(done.stdout.splitlines()[-1], type=float))


def _directory() -> Path:
    return Path(os.environ.get(NODE_VARIABLE) or Path(sys.prefix) / "node")
