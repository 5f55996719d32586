"""Query values: flat parameters take the shape of their query."""

from __future__ import annotations

import pytest
from tests import messages as m

from headwater.errors import InvalidMessage
from headwater.query_values import nested_values

CASES = [
    ({"status": "open"}, {"status": "open"}),
    ({"page.size": "5", "page[cursor]": "c"}, {"page": {"size": "5", "cursor": "c"}}),
    ({"page": {"size": 5}}, {"page": {"size": 5}}),
    ({"page": {"size": 5}, "page.cursor": "c"}, {"page": {"size": 5, "cursor": "c"}}),
    ({"impacts": "1"}, {"impacts": ["1"]}),
    ({"impacts": ["1", "2"]}, {"impacts": ["1", "2"]}),
    ({"impacts[]": ["1", "2"]}, {"impacts": ["1", "2"]}),
    ({"unknown": "x"}, {"unknown": "x"}),
    ({"": "x", "..": "y"}, {"": "x", "..": "y"}),
]


@pytest.mark.parametrize(("given", "nested"), CASES)
def test_parameters_take_their_place(given, nested):
    """Dots and brackets go inside, one value of a list is a list, and nothing is lost."""
    assert nested_values(m.FindIncidents, given) == nested


@pytest.mark.parametrize("given", [{"page": "x", "page.size": "5"}, {"page.size": "5", "page[size]": "6"}])
def test_name_with_two_meanings_is_refused(given):
    """A value and values inside, or one place twice, cannot both be meant."""
    with pytest.raises(InvalidMessage, match="given twice"):
        nested_values(m.FindIncidents, given)


def test_what_is_given_is_left_as_it_was():
    """The caller's own mapping is not written to."""
    page = {"size": 5}
    nested_values(m.FindIncidents, {"page": page, "page.cursor": "c"})
    assert page == {"size": 5}
