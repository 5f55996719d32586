"""Facts about the machine, without which no figure means anything. Reads: nothing. Read next: report.py."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import apsw

from headwater.bench.peers import versions

_PROBE_SECONDS = 0.3
_BLOCK = b"\0" * 4096


def machine_facts(directory: Path) -> dict[str, str]:
    """Name and value of each fact, in the order they are shown; ``directory`` is where the databases will be."""
    facts = {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(os.cpu_count() or "unknown"),
        "load": _load(),
        "file system": _file_system(directory),
        "disk": f"{_flushes_per_second(directory):,.0f} writes of 4 KiB a second, each flushed",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "sqlite": apsw.sqlite_lib_version(),
        "event loop": f"uvloop {version('uvloop')}" if find_spec("uvloop") else "asyncio",
    }
    return facts | versions()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _load() -> str:
    if not hasattr(os, "getloadavg"):
        return "unknown"
    return f"{os.getloadavg()[0]:.2f} over the last minute, before the run"


def _file_system(directory: Path) -> str:
    """The type of the file system the directory is on: on tmpfs a flush costs nothing, and figures mislead."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines()]
    except OSError:
        return "unknown"
    place = f"{directory.resolve()}/"
    under = [(len(where), kind) for where, kind in mounts if place.startswith(where.rstrip("/") + "/")]
    return max(under)[1] if under else "unknown"


def _flushes_per_second(directory: Path) -> float:
    path = directory / "probe"
    flush = getattr(os, "fdatasync", os.fsync)
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        writes, started = 0, perf_counter()
        while (passed := perf_counter() - started) < _PROBE_SECONDS:
            os.lseek(file, 4096 * (writes % 256), os.SEEK_SET)
            os.write(file, _BLOCK)
            flush(file)
            writes += 1
        return writes / passed
    finally:
        os.close(file)
        path.unlink()
