from __future__ import annotations

import pytest
from tests.unit.ui.shop import EveryKind, FindOrders

from headwater.ui.inputs import inputs_of
from headwater.ui.names import Labels

_KINDS = {
    "order_id": ("text", {"minlength": "1", "maxlength": "20", "pattern": "^[A-Z0-9-]+$"}),
    "text": ("textarea", {"minlength": "1", "maxlength": "500"}),
    "plain": ("text", {}),
    "note": ("textarea", {}),
    "whole": ("number", {"step": "1", "min": "1", "max": "9"}),
    "real": ("number", {"step": "any"}),
    "money": ("text", {"inputmode": "decimal"}),
    "agreed": ("checkbox", {}),
    "sure": ("select", {}),
    "must": ("select", {}),
    "status": ("select", {}),
    "level": ("select", {}),
    "colour": ("select", {}),
    "day": ("date", {}),
    "at": ("datetime", {}),
    "local": ("datetime", {}),
    "clock": ("time", {}),
    "span": ("text", {}),
    "raw": ("text", {"spellcheck": "false"}),
    "tags": ("values", {}),
    "colours": ("choices", {}),
    "lines": ("rows", {}),
    "address": ("group", {}),
    "other": ("group", {}),
    "parcel": ("group", {}),
    "contact": ("group", {}),
    "contacts": ("rows", {}),
    "anything": ("json", {}),
    "either": ("text", {}),
    "cleared": ("text", {}),
}


@pytest.fixture(scope="module")
def inputs():
    """The inputs of the command with a field of every kind, by name."""
    return {each.name: each for each in inputs_of(EveryKind, Labels({}))}


@pytest.mark.parametrize(("name", "wanted"), _KINDS.items(), ids=_KINDS)
def test_a_field_is_filled_in_as_its_type_wants(inputs, name, wanted):
    """Its type decides the input, its constraints what a browser checks."""
    assert (inputs[name].kind, dict(inputs[name].attributes)) == wanted


def test_what_is_needed_is_what_has_no_default(inputs):
    """A field with a default, or that may be left out, is not needed."""
    assert [name for name, each in inputs.items() if each.required] == ["order_id", "text", "must", "status"]


def test_to_say_nothing_and_to_say_none_differ_only_where_both_can_be_said(inputs):
    """A field that may be unset and null has a box for the latter; what may only be null is empty."""
    assert [name for name, each in inputs.items() if each.clearable] == ["cleared"]


def test_a_literal_of_numbers_keeps_its_numbers(inputs):
    """A form has texts only, so each choice is kept with its value."""
    assert inputs["level"].values == {"1": 1, "2": 2, "3": 3}


def test_a_time_is_in_utc_unless_its_type_says_that_it_has_no_zone(inputs):
    """People are told; what they enter goes out with a zone."""
    assert (inputs["at"].zone, inputs["local"].zone) == ("Z", "")


def test_a_row_has_the_inputs_of_its_struct(inputs):
    """Nested structs are read as messages are."""
    assert [(each.name, each.kind) for each in inputs["lines"].inner] == [
        ("sku", "text"),
        ("count", "number"),
        ("gift", "checkbox"),
    ]


def test_a_filter_may_always_be_left_open():
    """A query's form has no long texts and no boxes that cannot say "either"."""
    found = {each.name: each.kind for each in inputs_of(FindOrders, Labels({}), asking=True)}

    assert found["articles"] == "group"
    assert found["status"] == "choices"


def test_a_label_can_be_said():
    """Words for a field take the place of its name."""
    found = inputs_of(EveryKind, Labels({"whole": "How many"}))

    assert [each.label for each in found if each.name in {"whole", "order_id"}] == ["Order ID", "How many"]
