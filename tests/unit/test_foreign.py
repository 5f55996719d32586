"""Pydantic models as field types: stored as JSON, checked by their own rules, described by their own schema."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import jsonschema_rs
import pydantic
import pytest
from hypothesis import given, settings

from headwater.catalogue import Catalogue
from headwater.codec import Codec
from headwater.errors import InvalidMessage
from headwater.foreign import decode_foreign, encode_foreign, foreign_schema
from headwater.messages import Command, Event
from headwater.schemas import components, message_schema
from headwater.testing import strategies


class Street(pydantic.BaseModel):
    name: str
    number: int = pydantic.Field(gt=0)


class Address(pydantic.BaseModel):
    """Where somebody lives."""

    model_config = pydantic.ConfigDict(strict=True, frozen=True)

    street: Street
    since: date | None = None


class Move(Command):
    person: str
    to: Address
    before: list[Address] = []


class Moved(Event):
    to: Address


CATALOGUE = Catalogue.of([Move, Moved])
CODEC = Codec(CATALOGUE)
HOME = Address(street=Street(name="Elm", number=3), since=date(2020, 1, 2))


def test_model_comes_back_as_it_was():
    """Nested models and dates survive, also in a strict model."""
    assert CATALOGUE.faults == ()
    command = Move(person="ann", to=HOME, before=[HOME])
    assert CODEC.decode_command("Move", CODEC.encode(command)) == command
    assert CODEC.validated(command) == command


def test_faults_of_a_model_have_their_own_pointers():
    """What pydantic finds is told with the path through the message."""
    body = b'{"to":{"street":{"name":5,"number":0}},"before":[{"street":{}}]}'
    with pytest.raises(InvalidMessage) as caught:
        CODEC.decode_command("Move", body)
    assert [error.pointer for error in caught.value.errors] == [
        "/person",
        "/to/street/name",
        "/to/street/number",
        "/before/0/street/name",
        "/before/0/street/number",
    ]


def test_schema_of_a_model_stands_with_the_others():
    """Parts of a model are named after it, and every reference leads somewhere."""
    assert set(components(CATALOGUE)) == {"Move", "Moved", "Address.Street"}
    validator = jsonschema_rs.validator_for(message_schema(Move))
    assert validator.is_valid({"person": "ann", "to": {"street": {"name": "Elm", "number": 3}}})
    assert not validator.is_valid({"person": "ann", "to": {"street": {"name": "Elm", "number": 0}}})


@settings(max_examples=20, deadline=None)
@given(strategies.messages(Moved))
def test_models_can_be_drawn(event):
    """Strategies know pydantic models too."""
    assert isinstance(event.to, Address)


@pytest.mark.parametrize("use", [lambda: encode_foreign(object()), lambda: decode_foreign(int, 3)])
def test_other_types_are_refused(use):
    """What is neither msgspec's nor pydantic's has no JSON form."""
    with pytest.raises(NotImplementedError, match="no JSON form"):
        use()
    with pytest.raises(NotImplementedError, match="no JSON form"):
        foreign_schema(object, "#/{name}")


def test_pydantic_is_not_imported_for_those_who_do_not_use_it():
    """The core asks for it only among what is loaded already."""
    code = "import sys, headwater.codec, headwater.contracts; assert 'pydantic' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
