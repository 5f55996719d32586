"""What is measured and what is claimed of it: cases, targets, groups. Reads: nothing. Read next: timing.py."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal

import msgspec

Kind = Literal["headwater", "floor", "peer"]


class Sample(msgspec.Struct, frozen=True):
    """One measurement: the value in the case's unit, and what else was seen (``p99_ms``, ``mean_events_loaded``)."""

    value: float
    details: dict[str, float] = {}


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is measured once in each repetition. ``does`` says in one line what exactly."""

    name: str
    kind: Kind
    unit: str
    does: str
    measure: Callable[[], Sample]
    once: bool = False
    """Measured in the first repetition only: for what takes long and varies little."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A claim: ``figure`` divided by the best of ``against`` (or by 1) is at least, or at most, ``limit``."""

    figure: str
    against: tuple[str, ...] = ()
    bound: Literal["at least", "at most"] = "at least"
    limit: float | None = None
    """No limit: the ratio is shown, and nothing is claimed of it."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A group made ready to run: its cases in order, its targets, and what could not be run here and why."""

    cases: tuple[Case, ...]
    targets: tuple[Target, ...] = ()
    absent: tuple[str, ...] = ()


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How long and where: ``seconds()`` scales every time box, ``count()`` every amount of data."""

    directory: Path
    scale: float = 1.0
    repetitions: int = 5

    def seconds(self, full: float) -> float:
        """A time box in seconds."""
        return full * self.scale

    def count(self, full: int, *, least: int = 10) -> int:
        """An amount of data; with a large scale it stays what it is, so that figures can be compared."""
        return max(least, int(full * min(1.0, self.scale)))


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """A benchmark by name. Entering ``plan`` prepares its data, leaving it removes them."""

    name: str
    title: str
    plan: Callable[[Settings], AbstractContextManager[Plan]]
    long: bool = False
    """Takes minutes: only runs if it is named, or with ``--long``."""
