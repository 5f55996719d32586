"""Runner: cases run in turn, and ratios are taken within a repetition."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from headwater.bench.figures import Case, Group, Plan, Sample, Settings, Target
from headwater.bench.runner import judge, run_group


def _case(name, values, order, *, once=False):
    left = iter(values)

    def measure():
        order.append(name)
        value = next(left)
        if isinstance(value, Exception):
            raise value
        return Sample(value, {"p50_ms": value})

    return Case(name=name, kind="floor", unit="x/s", does="counts", measure=measure, once=once)


def _group(*cases, targets=()):
    @contextmanager
    def plan(_settings):
        yield Plan(cases=cases, targets=targets, absent=("a peer",))

    return Group(name="g", title="G", plan=plan)


@pytest.fixture
def settings(tmp_path):
    """Three repetitions, next to no time."""
    return Settings(directory=tmp_path, scale=0.01, repetitions=3)


def test_every_repetition_measures_each_case_in_turn(settings):
    """Floor and subject alternate, so that both meet the same noise."""
    order = []
    group = _group(_case("floor", [1, 2, 3], order), _case("subject", [3, 4, 6], order))

    result = run_group(group, settings, lambda _line: None)

    assert order == ["floor", "subject"] * 3
    assert [figure.samples for figure in result.figures] == [(1, 2, 3), (3, 4, 6)]


def test_a_figure_is_the_median_with_its_range_and_the_medians_of_its_details(settings):
    """One outlier moves the range and not the figure."""
    result = run_group(_group(_case("floor", [5.0, 900.0, 7.0], [])), settings, lambda _line: None)

    figure = result.figures[0]
    assert (figure.median, figure.low, figure.high) == (7.0, 5.0, 900.0)
    assert figure.details == {"p50_ms": 7.0}
    assert result.absent == ("a peer",)


def test_a_case_that_fails_is_reported_and_the_others_go_on(settings):
    """A failing peer is a result, too."""
    group = _group(
        _case("peer", [ValueError("no"), ValueError("no"), 2.0], []), targets=(Target(figure="peer", limit=1),)
    )

    result = run_group(group, settings, lambda _line: None)

    assert result.figures[0].samples == (None, None, 2.0)
    assert result.figures[0].errors == ("ValueError: no",)
    assert result.ratios[0].verdict == "met"


def test_a_case_marked_once_runs_in_the_first_repetition_only(settings):
    """What takes long is not repeated."""
    order = []

    result = run_group(_group(_case("long", [4.0], order, once=True)), settings, lambda _line: None)

    assert order == ["long"]
    assert result.figures[0].samples == (4.0, None, None)


def test_a_ratio_is_the_median_of_the_ratios_within_each_repetition():
    """A slow minute of the machine slows both sides of its ratio."""
    samples = {"subject": (30.0, 3.0, 40.0), "floor": (10.0, 1.0, 10.0)}

    ratio = judge(Target(figure="subject", against=("floor",), limit=3), samples)

    assert (ratio.median, ratio.low, ratio.high, ratio.verdict) == (3.0, 3.0, 4.0, "met")


def test_several_opponents_are_held_against_by_their_best():
    """``at least`` means at least that much more than the fastest of them."""
    samples = {"subject": (30.0,), "a": (10.0,), "b": (15.0,)}

    ratio = judge(Target(figure="subject", against=("a", "b"), limit=2.5), samples)

    assert (ratio.median, ratio.verdict) == (2.0, "missed")


@pytest.mark.parametrize(
    ("target", "verdict"),
    [
        (Target(figure="s", against=("f",), limit=2.5, bound="at most"), "met"),
        (Target(figure="s", against=("f",), limit=1.999, bound="at most"), "missed"),
        (Target(figure="s", limit=21, bound="at most"), "met"),
        (Target(figure="s", against=("f",)), "no target"),
        (Target(figure="s", against=("absent",), limit=1), "not measured"),
        (Target(figure="absent", limit=1), "not measured"),
    ],
)
def test_a_verdict_is_exact(target, verdict):
    """No tolerance is applied, and what was not measured is never called met."""
    assert judge(target, {"s": (20.0,), "f": (10.0,)}).verdict == verdict
