"""The appends again with 1 ms added to each flush, as on a slower disk. Reads: append.py.

A shim that is loaded before libc adds the millisecond; it slows nothing else, so it stands in for a slow disk and is
none. It needs gcc and Linux. Each sample runs in a process of its own, because the shim has to be there from the start.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from headwater.bench.append import APPEND, APPEND_1, APPEND_16, APPEND_256, UMADB_1, UMADB_16, UMADB_128
from headwater.bench.figures import Group, Plan, Sample, Settings, Target
from headwater.bench.floors import FLOOR_256, FLOOR_ONE, fresh
from headwater.bench.processes import python

SHIM_ABSENT = "the flush shim needs Linux and gcc"
_ADDED_MICROSECONDS = 1000
_SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
static void wait_a_little(void) { struct timespec t = {0, MICROSECONDS * 1000L}; nanosleep(&t, 0); }
int fsync(int fd) { static int (*f)(int); if (!f) f = dlsym(RTLD_NEXT, "fsync"); wait_a_little(); return f(fd); }
int fdatasync(int fd) {
    static int (*f)(int); if (!f) f = dlsym(RTLD_NEXT, "fdatasync"); wait_a_little(); return f(fd);
}
"""


@contextmanager
def _plan(settings: Settings) -> Iterator[Plan]:
    if not shim_can_be_made():
        yield Plan(cases=(), targets=_TARGETS, absent=(SHIM_ABSENT,))
        return
    with fresh(settings.directory) as directory, APPEND.plan(settings) as plan:
        shim = compiled_shim(directory)
        cases = tuple(
            msgspec.structs.replace(
                case,
                name=slow(case.name),
                does=f"{case.does}; 1 ms added to each flush",
                measure=partial(_in_child, case.name, settings, shim),
            )
            for case in plan.cases
        )
        yield Plan(cases=cases, targets=_TARGETS, absent=plan.absent)


def _in_child(case: str, settings: Settings, shim: Path) -> Sample:
    words = ("--scale", str(settings.scale), "--dir", str(settings.directory), "--sample", "append", case)
    printed = python("-m", "headwater.bench", *words, environment={"LD_PRELOAD": str(shim)})
    return msgspec.json.decode(printed, type=Sample)


def shim_can_be_made() -> bool:
    """Whether this machine can compile and load the shim."""
    return sys.platform == "linux" and shutil.which("gcc") is not None


def compiled_shim(directory: Path) -> Path:
    """The shim, made in the directory: to be loaded into a program before the C library."""
    source, shim = directory / "slow_fsync.c", directory / "slow_fsync.so"
    source.write_text(_SHIM.replace("MICROSECONDS", str(_ADDED_MICROSECONDS)), encoding="utf-8")
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)  # noqa: S603, S607
    return shim


def slow(name: str) -> str:
    """What a figure is called when it was measured with the shim."""
    return f"{name} (+1 ms)"


_TARGETS = (
    Target(figure=slow(APPEND_256), against=(slow(FLOOR_ONE),), limit=35),
    Target(figure=slow(APPEND_256), against=(slow(FLOOR_256),)),
    Target(figure=slow(APPEND_256), against=(slow(UMADB_16), slow(UMADB_128))),
    Target(figure=slow(APPEND_16), against=(slow(FLOOR_ONE),)),
    Target(figure=slow(APPEND_1), against=(slow(FLOOR_ONE),)),
    Target(figure=slow(APPEND_1), against=(slow(UMADB_1),)),
)

SLOW_FSYNC = Group(name="append-slow-fsync", title="Durable conditional append, 1 ms added to each flush", plan=_plan)
