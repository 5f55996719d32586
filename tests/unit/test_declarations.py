"""Declarations: what a message class may not be, each with the place and the remedy."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any

import annotated_types
import msgspec
import pydantic
import pytest

from headwater.declarations import declaration_faults, is_pydantic
from headwater.messages import Command, Event, Meta, Tag


class Custom:
    pass


class Model(pydantic.BaseModel):
    size: Annotated[int, pydantic.Field(gt=0)]


class One(msgspec.Struct):
    a: int


class Other(msgspec.Struct):
    b: int


@dataclasses.dataclass
class Place:
    floor: Annotated[int, annotated_types.Le(9)]


class Fine(Command):
    id: Annotated[str, Tag("id")]
    size: Annotated[int, Meta(ge=1)]
    model: Model | None = None
    anything: Any = None


class Constrained(Event):
    size: Annotated[int, annotated_types.Gt(0)]
    sizes: list[Annotated[int, annotated_types.MultipleOf(2)]]
    named: dict[str, Annotated[str, annotated_types.MinLen(1)] | None]
    place: Place
    field: Annotated[int, pydantic.Field(gt=0)]


class WithCustom(Event):
    parts: list[Custom]


class Ambiguous(Event):
    choice: One | Other


class Mutable(Event, frozen=False):
    pass


class Tagged(Event, tag=True):
    pass


class Listed(Event, array_like=True):
    pass


class Lenient(Command, forbid_unknown_fields=False):
    pass


class BadTag(Event):
    price: Annotated[float, Tag("price")]


def test_ordinary_message_has_no_fault():
    """Tags, constraints of Meta and pydantic models are fine."""
    assert declaration_faults(Fine) == ()


def test_constraints_that_nothing_checks_are_refused_with_the_right_words():
    """Every one is found, wherever it stands, and the fault says what to write."""
    faults = declaration_faults(Constrained)
    assert [fault.partition(":")[0] for fault in faults] == [
        "Constrained.size",
        "Constrained.sizes",
        "Constrained.named",
        "Place.floor",
        "Constrained.field",
    ]
    assert "Meta(gt=0)" in faults[0]
    assert "Meta(multiple_of=2)" in faults[1]
    assert "Meta(...)" in faults[4]


@pytest.mark.parametrize(
    ("cls", "part"),
    [
        (WithCustom, "Custom has no JSON form"),
        (Ambiguous, "must be tagged"),
        (Mutable, "frozen=False"),
        (Tagged, "plain JSON object"),
        (Listed, "plain JSON object"),
        (Lenient, "refuse unknown fields"),
        (BadTag, "BadTag.price: Tag('price') cannot stand on float"),
    ],
)
def test_what_cannot_be_a_message_is_told(cls, part):
    """One line for each fault."""
    (fault,) = declaration_faults(cls)
    assert part in fault


def test_unresolvable_annotation_is_one_fault():
    """A name that is not at module level is reported once, not raised."""

    class Local(msgspec.Struct):
        pass

    class Lost(Event):
        local: Local

    (fault,) = declaration_faults(Lost)
    assert "Local" in fault
    assert "module level" in fault


def test_a_mark_that_is_wrong_is_not_told_to_move():
    """Where the fault is no missing name, nothing is said of the module level."""

    class Wrong(Event):
        caller: Annotated[str, Tag("a", "b")]

    (fault,) = declaration_faults(Wrong)
    assert "cannot be resolved" in fault
    assert "module level" not in fault


def test_pydantic_models_are_known_by_their_base():
    """Only classes below BaseModel count."""
    assert is_pydantic(Model)
    assert not is_pydantic(Place)
    assert not is_pydantic("Model")
