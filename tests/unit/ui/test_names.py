from __future__ import annotations

import doctest

import pytest
from tests.unit.ui.shop import FindOrders, GetOrder, PlaceOrder

from headwater.ui import Show, TaskUi, cells, controls, inputs, names
from headwater.ui.names import Names


@pytest.mark.parametrize("module", [names, inputs, controls, cells], ids=lambda module: module.__name__)
def test_the_examples_in_docstrings_hold(module):
    """They are executed."""
    assert doctest.testmod(module).attempted
    assert not doctest.testmod(module).failed


def test_words_come_from_names_and_docstrings_unless_others_are_said():
    """A query loses the verb that asks; a docstring gives its first paragraph."""
    plain, said = Names(TaskUi()), Names(TaskUi(show={GetOrder: Show(title="An order", help="")}))

    assert [plain.title(cls) for cls in (FindOrders, GetOrder, PlaceOrder)] == ["Orders", "Order", "Place order"]
    assert (plain.help(GetOrder), said.help(GetOrder), said.title(GetOrder)) == ("One order.", "", "An order")


def test_a_label_of_a_message_goes_before_one_of_all():
    """Where both are said."""
    said = Names(TaskUi(labels={"order_id": "Number"}, show={GetOrder: Show(labels={"order_id": "Which?"})}))

    assert [said.labels(cls).of("order_id") for cls in (GetOrder, FindOrders, None)] == ["Which?", "Number", "Number"]
