"""Query strings and messages."""

from __future__ import annotations

import msgspec
import pytest

from headwater.http.parameters import Parameters, pointer, with_parameter
from headwater.messages import Query


class _Line(msgspec.Struct):
    sku: str


class _Near(msgspec.Struct):
    latitude: float = 0.0


class _Find(Query[int]):
    word: str
    tags: set[str] | None = None
    near: _Near | None = None
    pair: tuple[int, int] = (0, 0)
    renamed: int = msgspec.field(default=0, name="other-name")
    weights: dict[str, int] = {}


def test_each_field_a_query_string_can_say_is_a_parameter():
    """Collections may be repeated, nested fields have a dot, mappings are left to bodies."""
    found = {each.name: (each.many, each.required) for each in Parameters(_Find)}

    assert found == {
        "word": (False, True),
        "tags": (True, False),
        "near.latitude": (False, False),
        "pair": (True, False),
        "other-name": (False, False),
    }


def test_values_stand_where_their_path_says():
    """Still as text; the codec converts them."""
    read = Parameters(_Find).read(b"word=a%20b&tags=x&tags=y&near.latitude=1.5&other-name=")

    assert read == {"word": "a b", "tags": ["x", "y"], "near": {"latitude": "1.5"}, "other-name": ""}


@pytest.mark.parametrize(
    ("query", "result"),
    [(b"", "page.cursor=n"), (b"a=1&page.cursor=o&b=%C3%A4", "a=1&b=%C3%A4&page.cursor=n")],
)
def test_a_link_keeps_the_other_parameters(query, result):
    """Only the cursor changes."""
    assert with_parameter(query, "page.cursor", "n") == result


def test_a_pointer_escapes_what_rfc_6901_says():
    """Tilde and slash."""
    assert pointer(["a/b", "c~d", "0"]) == "/a~1b/c~0d/0"
