"""The figures counted from the raw rows."""

from __future__ import annotations

from headwater.servicedesk.expected import SHIPPED_LOG, differences, expected_figures, shipped_truth


def test_the_whole_shipped_log_has_the_figures_shipped_with_it():
    """The count over the raw rows agrees with the one made when the log was put together."""
    assert differences(expected_figures(SHIPPED_LOG), shipped_truth()) == []


def test_a_part_of_the_log_has_its_own_figures():
    """Lines beyond the limit, and lines left out by number, do not count."""
    figures = expected_figures(SHIPPED_LOG, limit=4, without={3})

    assert (figures["events"], figures["cases"], figures["figures"]["has resolved_at"]) == (3, 3 - 1, 0)


def test_each_difference_is_named_with_both_values():
    """A wrong, a missing and an additional figure are all found."""
    found = differences({"a": 1, "b": 2}, {"b": 3, "c": 4})

    assert found == [
        "b: 2, but the log says 3",
        "c: None, but the log says 4",
        "a: 1, but the log says None",
    ]
