"""Who this process is, for other processes on the same store. Reads: read_store/checkpoints.py. Read next: sharing.py.

A process that was killed cannot say goodbye. Its lease ends by itself; but who runs on the same machine sees at once
that there is no such process any more, or that its number belongs to a later one.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from headwater.ids import uuid7
from headwater.read_store.checkpoints import Worker

_PROC = Path("/proc")
_START_FIELD = 19
"""Which word after the name in ``/proc/<pid>/stat`` is the start time: field 22 of proc(5)."""


def this_worker(versions: Mapping[str, int], *, follows: bool) -> Worker:
    """The process this is, as one more worker: it may have several stores open."""
    pid = os.getpid()
    identity = str(uuid7())
    return Worker(
        id=identity, host=this_host(), pid=pid, started=started(pid) or "", versions=dict(versions), follows=follows
    )


def is_gone(worker: Worker) -> bool:
    """Whether that worker ran on this machine, and its process is no more. False if that cannot be told from here."""
    if worker.host != this_host():
        return False
    now = started(worker.pid)
    return now is None or now != worker.started


@cache
def this_host() -> str:
    """What tells process numbers of here from those of elsewhere: the machine's name, its boot, the container."""
    parts = [socket.gethostname()]
    for name in ("sys/kernel/random/boot_id", "self/ns/pid"):
        path = _PROC / name
        try:
            parts.append(str(path.readlink()) if path.is_symlink() else path.read_text().strip())
        except OSError:  # not Linux: the name must do
            continue
    return "/".join(parts)


def started(pid: int) -> str | None:
    """When the process of that number began, as text to compare; ``None`` if there is none, or only its remains."""
    try:
        state, *facts = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return _is_there(pid)
    return None if state in "ZX" else facts[_START_FIELD - 1]


def _is_there(pid: int) -> str | None:
    """Where there is no ``/proc``, it can only be told whether there is such a process."""
    if _PROC.joinpath("self").exists():
        return None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass
    return ""
