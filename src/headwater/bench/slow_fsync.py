"""Appends with 1 ms added to each flush, as on a slower disk, and lone commands on a quicker one. Reads: append.py.

A shim that is loaded before libc makes each flush wait; it slows nothing else, so it stands in for another disk and is
none. In a directory that is in memory, where a flush does nothing, what it waits is all that a flush takes. It needs
gcc and Linux. Each sample runs in a process of its own, because the shim has to be there from the start.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from headwater.bench.append import APPEND, APPEND_1, APPEND_16, APPEND_256, UMADB_1, UMADB_16, UMADB_128
from headwater.bench.commands import COLD_1, COMMANDS, EVENTSOURCING, WARM_1
from headwater.bench.figures import Case, Group, Plan, Sample, Settings, Target
from headwater.bench.floors import FLOOR_256, FLOOR_ONE, fresh
from headwater.bench.processes import python

SHIM_ABSENT = "the flush shim needs Linux and gcc"
_ADDED_MICROSECONDS = 1000
_QUICK_MICROSECONDS = 25
_MEMORY = Path("/dev/shm")  # noqa: S108  what is made there is removed again
MEMORY_ABSENT = f"no directory in memory: {_MEMORY}"
_SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/prctl.h>
#include <time.h>
static void wait_a_little(void) {
    struct timespec t = {0, MICROSECONDS * 1000L}; prctl(PR_SET_TIMERSLACK, 1L); nanosleep(&t, 0);
}
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
        shim = compiled_shim(directory, _ADDED_MICROSECONDS)
        again = partial(_again, named=slow, does="1 ms added to each flush", group=APPEND, settings=settings, shim=shim)
        yield Plan(cases=tuple(map(again, plan.cases)), targets=_TARGETS, absent=plan.absent)


@contextmanager
def _quick_plan(settings: Settings) -> Iterator[Plan]:
    missing = () if _MEMORY.is_dir() else (MEMORY_ABSENT,)
    missing = missing if shim_can_be_made() else (*missing, SHIM_ABSENT)
    if missing:
        yield Plan(cases=(), targets=_QUICK_TARGETS, absent=missing)
        return
    settings = msgspec.structs.replace(settings, directory=_MEMORY)
    with fresh(settings.directory) as directory, COMMANDS.plan(settings) as plan:
        shim = compiled_shim(directory, _QUICK_MICROSECONDS)
        does = f"in memory, where each flush takes {_QUICK_MICROSECONDS} us"
        again = partial(_again, named=_quick, does=does, group=COMMANDS, settings=settings, shim=shim)
        cases = [again(case) for case in plan.cases if case.name in {FLOOR_ONE, WARM_1, COLD_1, EVENTSOURCING}]
        yield Plan(cases=tuple(cases), targets=_QUICK_TARGETS, absent=plan.absent)


def _again(case: Case, *, named: Callable[[str], str], does: str, group: Group, settings: Settings, shim: Path) -> Case:
    """The same case of that group with the shim."""
    measure = partial(_in_child, group.name, case.name, settings, shim)
    return msgspec.structs.replace(case, name=named(case.name), does=f"{case.does}; {does}", measure=measure)


def _in_child(group: str, case: str, settings: Settings, shim: Path) -> Sample:
    words = ("--scale", str(settings.scale), "--dir", str(settings.directory), "--sample", group, case)
    printed = python("-m", "headwater.bench", *words, environment={"LD_PRELOAD": str(shim)})
    return msgspec.json.decode(printed, type=Sample)


def shim_can_be_made() -> bool:
    """Whether this machine can compile and load the shim."""
    return sys.platform == "linux" and shutil.which("gcc") is not None


def compiled_shim(directory: Path, microseconds: int = _ADDED_MICROSECONDS) -> Path:
    """The shim, made in the directory: to be loaded into a program before the C library."""
    source, shim = directory / "slow_fsync.c", directory / "slow_fsync.so"
    source.write_text(_SHIM.replace("MICROSECONDS", str(microseconds)), encoding="utf-8")
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True)  # noqa: S603, S607
    return shim


def slow(name: str) -> str:
    """What a figure is called when it was measured with the shim."""
    return f"{name} (+1 ms)"


def _quick(name: str) -> str:
    return f"{name} (quick flush)"


_TARGETS = (
    Target(figure=slow(APPEND_256), against=(slow(FLOOR_ONE),), limit=35),
    Target(figure=slow(APPEND_256), against=(slow(FLOOR_256),)),
    Target(figure=slow(APPEND_256), against=(slow(UMADB_16), slow(UMADB_128))),
    Target(figure=slow(APPEND_16), against=(slow(FLOOR_ONE),)),
    Target(figure=slow(APPEND_1), against=(slow(FLOOR_ONE),)),
    Target(figure=slow(APPEND_1), against=(slow(UMADB_1),)),
)

_QUICK_TARGETS = (
    *(Target(figure=_quick(figure), against=(_quick(EVENTSOURCING),), limit=3) for figure in (WARM_1, COLD_1)),
)

SLOW_FSYNC = Group(name="append-slow-fsync", title="Durable conditional append, 1 ms added to each flush", plan=_plan)
QUICK_FSYNC = Group(name="commands-quick-fsync", title="Commands of one client on a quicker disk", plan=_quick_plan)
