"""Query strings."""

from __future__ import annotations

import pytest

from headwater.http.parameters import read_parameters, with_parameters


def test_a_parameter_has_one_value_or_several():
    """Still as text, empty values included; the codec knows the types."""
    read = read_parameters(b"word=a%20b&tags=x&tags=y&tags=z&page.size=5&other=")

    assert read == {"word": "a b", "tags": ["x", "y", "z"], "page.size": "5", "other": ""}


@pytest.mark.parametrize(
    ("query", "result"),
    [
        (b"", "page.cursor=n&page.size=2"),
        (b"a=1&page.cursor=o&b=%C3%A4", "a=1&b=%C3%A4&page.cursor=n&page.size=2"),
        (b"page[size]=9&page%5Bcursor%5D=o&page%5Btotal%5D=1", "page%5Btotal%5D=1&page.cursor=n&page.size=2"),
    ],
)
def test_a_link_keeps_the_other_parameters(query, result):
    """Only the page changes, however it is spelled."""
    assert with_parameters(query, {"page.cursor": "n", "page.size": 2}) == result
