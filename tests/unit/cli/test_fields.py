from __future__ import annotations

import click
import msgspec
import pytest

from headwater.catalogue import Catalogue
from headwater.cli.fields import parameters_of
from headwater.codec import Codec
from headwater.errors import InvalidMessage
from headwater.messages import Command, Message


class Line(Message):
    sku: str
    quantity: int = 1


class PlaceOrder(Command):
    order_id: str = "o1"
    priority: int = 0
    express: bool = False
    note: str | None = None
    labels: list[str] = msgspec.field(default_factory=list)
    address: dict[str, str] = msgspec.field(default_factory=dict)
    lines: list[Line] = msgspec.field(default_factory=list)
    first: Line | None = None


def decoded(words):
    """The command that the words describe."""
    return Codec(Catalogue.of([PlaceOrder])).decode_parameters(PlaceOrder, parameters_of(words))


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (["order_id=7"], "order_id", "7"),
        (["priority=2"], "priority", 2),
        (["priority:=2"], "priority", 2),
        (["express=true"], "express", True),
        (["note=a=b"], "note", "a=b"),
        (["note="], "note", ""),
        (["note=[not a list]"], "note", "[not a list]"),
        (["labels=one"], "labels", ["one"]),
        (["labels=one", "labels=two", "labels=three"], "labels", ["one", "two", "three"]),
        (['labels:=["one"]'], "labels", ["one"]),
        (["address.city=Ulm", "address.zip=89073"], "address", {"city": "Ulm", "zip": "89073"}),
        (["first.sku=a", "first.quantity=3"], "first", Line(sku="a", quantity=3)),
        (['lines:=[{"sku": "a"}]'], "lines", [Line(sku="a")]),
    ],
)
def test_words_become_values_of_the_fields_types(words, field, value):
    """A word's text is read by the type of the field it names."""
    assert getattr(decoded(words), field) == value


def test_everything_that_does_not_fit_is_named_at_once():
    """A value of the wrong type and an unknown field are both in the one error."""
    with pytest.raises(InvalidMessage) as caught:
        decoded(["priority=high", "nope=1"])
    assert {fault.pointer for fault in caught.value.errors} == {"/priority", "/nope"}


@pytest.mark.parametrize("word", ["order_id", "=7", ":=7", "labels:=["])
def test_a_word_that_is_no_field_is_a_usage_error(word):
    """A word without a name, without a value, or with broken JSON is a fault of the command line."""
    with pytest.raises(click.UsageError):
        parameters_of([word])
