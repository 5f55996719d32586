"""The report of a run: one JSON value, or Markdown for people. Reads: runner.py. Read next: command_line.py."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from headwater.bench.runner import Figure, GroupResult, Ratio

_WHOLE = 100
_BEGIN, _END = "<!-- figures: begin -->", "<!-- figures: end -->"


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a run found: the machine, how it was run, each group, and how many targets were met or missed."""

    machine: dict[str, str]
    scale: float
    repetitions: int
    seconds: float
    groups: tuple[GroupResult, ...]
    met: int
    missed: int
    not_measured: int


def made_report(
    machine: dict[str, str], scale: float, repetitions: int, seconds: float, groups: tuple[GroupResult, ...]
) -> Report:
    """Count the verdicts. What has no limit is shown but not counted."""
    verdicts = [ratio.verdict for group in groups for ratio in group.ratios if ratio.limit is not None]
    return Report(
        machine=machine,
        scale=scale,
        repetitions=repetitions,
        seconds=round(seconds, 1),
        groups=groups,
        met=verdicts.count("met"),
        missed=verdicts.count("missed"),
        not_measured=verdicts.count("not measured"),
    )


def as_markdown(report: Report) -> str:
    """The whole report as Markdown: machine, targets, then every figure with what it does."""
    return "\n".join((*_machine(report), *_targets(report), *_figures(report))) + "\n"


def inserted(page: str, figures: str) -> str:
    """The page with the figures in its marked place; a page without marks becomes the figures."""
    before, mark, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    return f"{before}{mark}\n\n{figures}\n{end}{after}" if mark and end else figures


def _machine(report: Report) -> Iterator[str]:
    yield from ("### Machine", "")
    for name, fact in report.machine.items():
        yield f"- {name}: {fact}"
    boxes = f"time boxes at {report.scale:g} of full length"
    yield f"- {report.repetitions} repetitions, {boxes}, {report.seconds:g} s in all"


def _targets(report: Report) -> Iterator[str]:
    yield from ("", "### Ratios and targets", "")
    yield f"{report.met} targets met, {report.missed} missed, {report.not_measured} not measured."
    yield from ("", "| figure | against | ratio | range | target | |", "| --- | --- | ---: | --- | --- | --- |")
    for group in report.groups:
        for ratio in group.ratios:
            yield _ratio_row(ratio)


def _ratio_row(ratio: Ratio) -> str:
    against = " / ".join(ratio.against) or "nothing: the figure itself"
    if len(ratio.against) > 1:
        against = f"best of {against}"
    target = "" if ratio.limit is None else f"{ratio.bound} {ratio.limit:g}"
    verdict = f"**{ratio.verdict}**" if ratio.verdict == "missed" else ratio.verdict
    if ratio.median is None:
        return f"| {ratio.figure} | {against} | | | {target} | {verdict} |"
    return (
        f"| {ratio.figure} | {against} | {_number(ratio.median)} | {_range(ratio.low, ratio.high)} | {target} "
        f"| {verdict} |"
    )


def _figures(report: Report) -> Iterator[str]:
    for group in report.groups:
        yield from ("", f"### {group.title}", "")
        yield from ("| figure | median | range | what was measured |", "| --- | ---: | --- | --- |")
        for figure in group.figures:
            yield _figure_row(figure)
        for line in group.absent:
            yield f"\nAbsent: {line}"


def _figure_row(figure: Figure) -> str:
    told = "; ".join((figure.does, *(f"{name} {_number(value)}" for name, value in figure.details.items())))
    if figure.median is None:
        return f"| {figure.name} | | | {told}; failed: {' / '.join(figure.errors)} |"
    return f"| {figure.name} | {_number(figure.median)} {figure.unit} | {_range(figure.low, figure.high)} | {told} |"


def _range(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{_number(low)}..{_number(high)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= _WHOLE else f"{value:.3g}"
