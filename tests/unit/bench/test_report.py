"""Report: every figure says what it measured, every ratio against what."""

from __future__ import annotations

import pytest

from headwater.bench.report import as_markdown, inserted, made_report
from headwater.bench.runner import Figure, GroupResult, Ratio


@pytest.fixture
def report():
    """A report with a figure and a peer that failed, and each verdict once."""
    figures = (
        Figure(
            name="append, 256 clients",
            kind="headwater",
            unit="append/s",
            does="1 event, 1 tag",
            samples=(61_000.0, 59_000.0),
            median=60_000.0,
            low=59_000.0,
            high=61_000.0,
            details={"p99_ms": 7.25},
        ),
        Figure(
            name="peer",
            kind="peer",
            unit="append/s",
            does="its server",
            samples=(None, None),
            median=None,
            low=None,
            high=None,
            details={},
            errors=("OSError: gone",),
        ),
    )
    ratios = (
        _ratio(("floor",), 3.0, 4.12, "met"),
        _ratio(("umadb 16", "umadb 128"), 2.5, 1.5, "missed"),
        _ratio(("gone",), 2.0, None, "not measured"),
        _ratio(("shown",), None, 7.0, "no target"),
    )
    group = GroupResult(name="append", title="Appends", figures=figures, ratios=ratios, absent=("umadb: pip install",))
    return made_report({"cores": "2"}, 0.5, 2, 12.34, (group,))


def _ratio(against, limit, median, verdict):
    return Ratio(
        figure="append, 256 clients",
        against=against,
        bound="at least",
        limit=limit,
        median=median,
        low=median,
        high=median,
        verdict=verdict,
    )


def test_verdicts_are_counted_and_what_has_no_target_is_not(report):
    """A ratio that is only shown is neither met nor missed."""
    assert (report.met, report.missed, report.not_measured) == (1, 1, 1)


def test_markdown_shows_the_machine_and_every_ratio_with_its_target(report):
    """A missed target stands out; the best of several opponents is named as such."""
    text = as_markdown(report)

    assert "- cores: 2" in text
    assert "2 repetitions, time boxes at 0.5 of full length, 12.3 s in all" in text
    assert "1 targets met, 1 missed, 1 not measured." in text
    assert "| append, 256 clients | best of umadb 16 / umadb 128 | 1.5 | 1.5..1.5 | at least 2.5 | **missed** |" in text
    assert "| append, 256 clients | gone | | | at least 2 | not measured |" in text


def test_markdown_says_what_each_figure_measured_and_what_was_absent(report):
    """Details and failures stand beside the figure they belong to."""
    text = as_markdown(report)

    assert "| append, 256 clients | 60,000 append/s | 59,000..61,000 | 1 event, 1 tag; p99_ms 7.25 |" in text
    assert "| peer | | | its server; failed: OSError: gone |" in text
    assert "Absent: umadb: pip install" in text


def test_figures_go_into_the_marked_place_of_a_page():
    """What a person wrote around them stays; a page without marks becomes the figures."""
    page = "# Speed\n<!-- figures: begin -->\nold\n<!-- figures: end -->\nmore\n"

    once = inserted(page, "new\n")

    assert once == "# Speed\n<!-- figures: begin -->\n\nnew\n\n<!-- figures: end -->\nmore\n"
    assert inserted(once, "new\n") == once
    assert inserted("", "new\n") == "new\n"
