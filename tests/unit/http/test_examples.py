"""Examples made from types."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from headwater.http.examples import example_of


class _Colour(Enum):
    RED = "red"


class _Line(msgspec.Struct):
    sku: str
    quantity: Annotated[int, Meta(ge=5)]


class _Everything(msgspec.Struct):
    name: Annotated[str, Meta(min_length=6, max_length=8)]
    lines: list[_Line]
    colour: _Colour
    kind: Literal["a", "b"]
    id: UUID
    at: datetime
    price: Decimal
    ratio: Annotated[float, Meta(lt=1)]
    pair: tuple[int, str]
    note: str | None
    more: dict[str, int]
    optional: int = 3


class _Unguessable(msgspec.Struct):
    code: Annotated[str, Meta(pattern="^[0-9]{4}$")]


def test_an_example_is_valid_and_has_what_is_required():
    """Whatever the types ask for; what has a default is left out."""
    made = example_of(_Everything)

    assert msgspec.convert(made, _Everything).lines == [_Line("sku", 5)]
    assert "optional" not in made


def test_what_types_alone_do_not_say_has_no_example():
    """A pattern is not guessed."""
    assert example_of(_Unguessable) is None
