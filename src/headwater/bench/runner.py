"""Runs groups with their cases in turn, and judges the ratios. Reads: figures.py. Read next: report.py.

Every repetition measures each case once, in order, so that the noise of the machine falls on floor and subject alike. A
ratio is taken within each repetition; its median is what is judged, exactly as it is, and its range is shown beside it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from statistics import median
from typing import Literal

import msgspec

from headwater.bench.figures import Case, Group, Kind, Plan, Sample, Settings, Target

Verdict = Literal["met", "missed", "not measured", "no target"]
Say = Callable[[str], None]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """What one case came to. ``samples`` has one value for each repetition, ``None`` where it failed or did not run."""

    name: str
    kind: Kind
    unit: str
    does: str
    samples: tuple[float | None, ...]
    median: float | None
    low: float | None
    high: float | None
    details: dict[str, float]
    errors: tuple[str, ...] = ()


class Ratio(msgspec.Struct, frozen=True, kw_only=True):
    """A figure over what it is held against: median, lowest and highest over the repetitions, and the verdict."""

    figure: str
    against: tuple[str, ...]
    bound: str
    limit: float | None
    median: float | None
    low: float | None
    high: float | None
    verdict: Verdict


class GroupResult(msgspec.Struct, frozen=True, kw_only=True):
    """A group's figures and ratios, and what could not be run here."""

    name: str
    title: str
    figures: tuple[Figure, ...]
    ratios: tuple[Ratio, ...]
    absent: tuple[str, ...]


def run_group(group: Group, settings: Settings, say: Say) -> GroupResult:
    """Prepare a group, measure it in interleaved repetitions, and judge it."""
    say(f"{group.name}: {group.title}")
    with group.plan(settings) as plan:
        measured = _measure(plan, settings, say)
    figures = tuple(_figure(case, *measured[case.name]) for case in plan.cases)
    samples = {figure.name: figure.samples for figure in figures}
    ratios = tuple(judge(target, samples) for target in plan.targets)
    return GroupResult(name=group.name, title=group.title, figures=figures, ratios=ratios, absent=plan.absent)


def judge(target: Target, samples: dict[str, tuple[float | None, ...]]) -> Ratio:
    """The ratio of a target from the samples of all figures, and whether its claim holds."""
    best = max if target.bound == "at least" else min
    found: list[float] = []
    for repetition, value in enumerate(samples.get(target.figure, ())):
        others = [samples[name][repetition] for name in target.against if name in samples]
        floors = [other for other in others if other]
        if value is not None and (floors or not target.against):
            found.append(value / best(floors) if floors else value)
    middle = median(found) if found else None
    return Ratio(
        figure=target.figure,
        against=target.against,
        bound=target.bound,
        limit=target.limit,
        median=middle,
        low=min(found, default=None),
        high=max(found, default=None),
        verdict=_verdict(target, middle),
    )


def _verdict(target: Target, ratio: float | None) -> Verdict:
    if ratio is None:
        return "not measured"
    if target.limit is None:
        return "no target"
    held = ratio >= target.limit if target.bound == "at least" else ratio <= target.limit
    return "met" if held else "missed"


def _measure(plan: Plan, settings: Settings, say: Say) -> dict[str, tuple[list[Sample | None], list[str]]]:
    measured: dict[str, tuple[list[Sample | None], list[str]]] = {case.name: ([], []) for case in plan.cases}
    for repetition in range(settings.repetitions):
        for case in plan.cases:
            samples, errors = measured[case.name]
            if case.once and repetition:
                samples.append(None)
                continue
            gc.collect()
            try:
                sample = case.measure()
            except Exception as error:  # noqa: BLE001  a peer that fails is a result too, and so is our own failure
                samples.append(None)
                errors.append(f"{type(error).__name__}: {error}")
                say(f"  [{repetition + 1}/{settings.repetitions}] {case.name}: {errors[-1]}")
            else:
                samples.append(sample)
                say(f"  [{repetition + 1}/{settings.repetitions}] {case.name}: {sample.value:,.4g} {case.unit}")
    return measured


def _figure(case: Case, samples: Iterable[Sample | None], errors: Iterable[str]) -> Figure:
    values = tuple(None if sample is None else sample.value for sample in samples)
    seen = [value for value in values if value is not None]
    by_name: dict[str, list[float]] = {}
    for sample in samples:
        for name, value in (sample.details if sample else {}).items():
            by_name.setdefault(name, []).append(value)
    return Figure(
        name=case.name,
        kind=case.kind,
        unit=case.unit,
        does=case.does,
        samples=values,
        median=median(seen) if seen else None,
        low=min(seen, default=None),
        high=max(seen, default=None),
        details={name: median(found) for name, found in by_name.items()},
        errors=tuple(dict.fromkeys(errors)),
    )
