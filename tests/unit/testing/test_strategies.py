"""Strategies: what is drawn from a message type is valid, whatever its fields."""

from __future__ import annotations

import sys
from datetime import datetime, time
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import find, given, settings
from tests import messages as m

from headwater.catalogue import Catalogue
from headwater.codec import Codec
from headwater.errors import ContractError, MissingExtra
from headwater.messages import Event, Meta
from headwater.testing import strategies

CODEC = Codec(Catalogue.of([m.Everything, m.OpenIncident]))


class Ruled(Event):
    low: int
    high: int

    def __post_init__(self):
        if self.low > self.high:
            raise ValueError("low is above high")


class Rest(Event):
    nothing: None
    flag: bool
    at: Annotated[time, Meta(tz=True)]
    naive: Annotated[datetime, Meta(tz=False)]
    aware: datetime
    buffer: bytearray
    words: Annotated[dict[str, int], Meta(min_length=1, max_length=2)]
    stepped: Annotated[float, Meta(multiple_of=0.5, gt=0, le=10)]
    few: Annotated[set[int], Meta(min_length=2)]
    rest: dict[str, Any]


class Unknown(Event):
    raw: msgspec.Raw


@settings(max_examples=40, deadline=None)
@given(strategies.messages(m.Everything))
def test_constraints_are_honoured(event):
    """Bounds, lengths, patterns, steps and zones: the decoder accepts all of it."""
    assert CODEC.validated(event) == event
    assert event.moment.tzinfo is not None


@settings(max_examples=40, deadline=None)
@given(strategies.messages(Rest))
def test_rarer_types_can_be_drawn(event):
    """What is drawn survives JSON."""
    assert Codec(Catalogue.of([Rest])).validated(event) == event


def test_fields_with_a_default_are_sometimes_left_out():
    """Both ways are tried."""
    drawn = strategies.messages(m.OpenIncident)
    assert find(drawn, lambda command: command.place is not None).place
    assert find(drawn, lambda command: command.tree and command.tree.children).tree.children
    assert find(drawn, lambda command: command.lines == []).lines == []


@settings(max_examples=30, deadline=None)
@given(strategies.messages(Ruled))
def test_rules_of_the_class_are_kept(event):
    """What its own constructor refuses is not drawn."""
    assert event.low <= event.high


@settings(max_examples=30, deadline=None)
@given(strategies.values(Annotated[int, Meta(gt=2, lt=5)] | None))
def test_values_of_any_annotation_can_be_drawn(value):
    """Not only whole messages."""
    assert value in (None, 3, 4)


def test_type_that_cannot_be_drawn_is_told():
    """With what to do instead."""
    with pytest.raises(ContractError, match="builds"):
        find(strategies.messages(Unknown), lambda _event: True)


def test_missing_hypothesis_is_told_with_the_line_that_installs_it(monkeypatch):
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    monkeypatch.delitem(sys.modules, "headwater.testing.strategies")
    with pytest.raises(MissingExtra, match=r"pip install 'headwater\[testing\]'"):
        __import__("headwater.testing.strategies")
