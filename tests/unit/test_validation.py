"""Validation: every fault at once, each with its pointer; malformed bodies with their place."""

from __future__ import annotations

import doctest
import json
from types import new_class
from unittest.mock import ANY

import msgspec
import pytest
from tests import messages as m

from headwater import plain
from headwater.catalogue import Catalogue
from headwater.codec import Codec
from headwater.errors import InvalidMessage, MalformedMessage
from headwater.messages import Command


class Ruled(Command):
    low: int
    high: int

    def __post_init__(self):
        if self.low > self.high:
            raise ValueError("low is above high")


CODEC = Codec(Catalogue.of([m.OpenIncident, Ruled]))
GOOD = {"incident_id": "INC1", "caller": "c7", "impact": 2}


def faults(body, command="OpenIncident"):
    """The faults of a command, as pointer and words."""
    with pytest.raises(InvalidMessage) as caught:
        CODEC.decode_command(command, body if isinstance(body, bytes) else json.dumps(body))
    return [(error.pointer, error.detail) for error in caught.value.errors]


def test_every_fault_comes_at_once():
    """Missing, unknown, wrong type, out of range: all in one answer."""
    assert faults({"caller": 5, "impact": 7, "callr": "x"}) == [
        ("/incident_id", "is missing"),
        ("/caller", "Expected str, got int"),
        ("/impact", "Expected int <= 3"),
        (
            "/callr",
            "is not a field of OpenIncident; did you mean caller? there are: caller, channel, impact, incident_id, "
            "lines, notes, payment, place, tree",
        ),
    ]


def test_a_wrong_value_of_few_is_refused_with_the_right_ones():
    """In any place of a message, and so also in a filter."""
    (fault,) = faults({**GOOD, "channel": "fax"})
    assert fault == ("/channel", "Invalid enum value 'fax'; there are: phone, mail")


CASES = [
    ({"lines": [{"sku": "a", "quantity": 1}, {"sku": "", "quantity": 0}]}, ["/lines/1/sku", "/lines/1/quantity"]),
    ({"lines": [{"sku": "a", "quantity": 1, "extra": 1}]}, ["/lines/0/extra"]),
    ({"lines": {}}, ["/lines"]),
    ({"payment": {"type": "Card", "number": "12"}}, ["/payment/number"]),
    ({"payment": {"type": "Cash", "coins": [1, "2", None]}}, ["/payment/coins/1", "/payment/coins/2"]),
    ({"payment": {"type": "Cheque"}}, ["/payment/type"]),
    ({"payment": {"coins": []}}, ["/payment"]),
    ({"payment": 3}, ["/payment"]),
    ({"place": {"floor": "x"}}, ["/place/room", "/place/floor"]),
    ({"notes": {"a/b": 9, "c~d": "x", "fine": 1}}, ["/notes/a~1b", "/notes/c~0d"]),
    ({"tree": {"name": "a", "children": [{"name": "b"}, {"name": 3, "children": [{}]}]}}, None),
    ({"channel": "fax"}, ["/channel"]),
    ({"incident_id": None}, ["/incident_id"]),
]


@pytest.mark.parametrize(("change", "pointers"), CASES)
def test_fault_is_found_where_it_is(change, pointers):
    """Lists, structs, dataclasses, unions, mappings and trees are followed."""
    found = [pointer for pointer, _ in faults({**GOOD, **change})]
    assert found == (pointers or ["/tree/children/1/name", "/tree/children/1/children/0/name"])


@pytest.mark.parametrize("body", [b"[]", b"3", b'"text"', b"null", b"true"])
def test_body_that_is_no_object_is_one_fault_of_the_whole(body):
    """The pointer of the whole message is empty."""
    ((pointer, words),) = faults(body)
    assert pointer == ""
    assert words.startswith("Expected object")


def test_member_given_twice_is_refused_if_either_is_wrong():
    """The decoder's own words stand where no single part can be blamed."""
    body = b'{"incident_id":1,"incident_id":"INC1","caller":"c7","impact":2}'
    assert faults(body) == [("/incident_id", "Expected str, got int")]


def test_rule_of_the_class_itself_is_told():
    """A ValueError of __post_init__ is a fault of the whole."""
    assert faults({"low": 2, "high": 1}, "Ruled") == [("", "low is above high")]


def test_number_too_large_to_hold_is_a_fault_of_its_field():
    """It is JSON, but no number anybody can use."""
    assert faults(b'{"incident_id":"INC1","caller":"c7","impact":1e999}') == [("/impact", "Number out of range")]


def test_faults_are_bounded():
    """A hostile body cannot make an answer of any size."""
    assert len(faults({**GOOD, "lines": [{}] * 1000})) == 100


MALFORMED = [
    (b"", None),
    (b"{", None),
    (b'{"incident_id": nope}', 17),
    (b'{"incident_id":"INC1"} trailing', ANY),
    (b'{"caller":"\xff"}', 11),
    ("\ud800", 0),
    (b"\xef\xbb\xbf{}", 0),
    (b'{"a":' * 100_000, None),
    (b"[" * 100_000 + b"]" * 100_000, None),
    (b"NaN", 0),
]


@pytest.mark.parametrize(("body", "offset"), MALFORMED)
def test_what_is_not_json_is_malformed(body, offset):
    """With the byte where it goes wrong, where that is known."""
    with pytest.raises(MalformedMessage) as caught:
        CODEC.decode_command("OpenIncident", body)
    assert caught.value.offset == offset
    assert caught.value.name == "OpenIncident"


def test_deep_tree_of_the_right_shape_is_followed_to_a_bound():
    """Faults below the bound are told at the bound, in the decoder's words."""
    tree = {"name": 1}
    for _ in range(60):
        tree = {"name": "a", "children": [tree]}
    ((pointer, words),) = faults({**GOOD, "tree": tree})
    assert pointer.startswith("/tree/children/0/children/0")
    assert words == "Expected str, got int"


def command(**hints):
    """A command with these fields."""
    return new_class("Holder", (Command,), {"frozen": True}, lambda space: space.update(__annotations__=hints))


def test_array_like_struct_is_told_by_the_decoder():
    """What is no object is left to the decoder's own words and place."""

    class Pair(msgspec.Struct, array_like=True):
        x: int
        y: int

    holder = command(pair=Pair)
    with pytest.raises(InvalidMessage, match="/pair/1"):
        CODEC.decode_command(holder, b'{"pair":[1,"x"]}')


SHAPES = [
    (m.Options, b'{"loud":1}', "/it/loud", "Expected bool, got int"),
    (m.Options, b"[]", "/it", "Expected object, got array"),
    (m.Point, b'[1,"y"]', "/it/1", "Expected float, got str"),
    (tuple[int, str], b"[1,2]", "/it/1", "Expected str, got int"),
    (tuple[int, str], b"[1]", "/it", "Expected array of length 2"),
    (dict[int, str], b'{"a":"b"}', "/it", "Expected int, got str as a key"),
    (dict[str, list[int]], b'{"a":[1,"b"]}', "/it/a/1", "Expected int, got str"),
    (frozenset[int], b'[1,"b"]', "/it/1", "Expected int, got str"),
    (int | str, b"[]", "/it", "Expected int | str, got array"),
    (list[m.Place] | None, b'[{"room":1}]', "/it/0/room", "Expected str, got int"),
]


@pytest.mark.parametrize(("hint", "value", "pointer", "words"), SHAPES)
def test_fault_in_any_shape_has_its_place(hint, value, pointer, words):
    """Typed dicts, named tuples, tuples, mappings, sets and unions, whether the decoder names the place or not."""
    holder = command(it=hint)
    with pytest.raises(InvalidMessage) as caught:
        CODEC.decode_command(holder, b'{"it":%b}' % value)
    assert [(error.pointer, error.detail) for error in caught.value.errors] == [(pointer, words)]


def test_examples_in_docstrings_run():
    """What a docstring shows is true."""
    assert doctest.testmod(plain).attempted
    assert not doctest.testmod(plain).failed
