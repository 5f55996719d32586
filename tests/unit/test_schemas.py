"""Schemas: JSON Schema 2020-12 of every message, complete, described, with tags."""

from __future__ import annotations

import doctest
import json
from datetime import datetime, time

import jsonschema_rs
import pytest
from hypothesis import given, settings
from tests import domain, messages

from headwater import schemas
from headwater.catalogue import Catalogue
from headwater.codec import Codec
from headwater.messages import Event
from headwater.schemas import components, message_schema
from headwater.testing import strategies

MESSAGES = [messages.OpenIncident, messages.IncidentOpened, messages.Everything, messages.FindIncidents]
CATALOGUE = Catalogue.of(MESSAGES)


@pytest.mark.parametrize("cls", MESSAGES)
def test_schema_is_valid_and_complete(cls):
    """It says its dialect, is valid in it, and refers to nothing outside."""
    schema = message_schema(cls)
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["type"] == "object"
    jsonschema_rs.meta.validate(schema)
    jsonschema_rs.validator_for(schema)


def test_docstring_is_the_description():
    """What a class says of itself is what callers read."""
    assert message_schema(messages.OpenIncident)["description"] == "A caller reports an incident."


def test_commands_say_that_they_refuse_unknown_fields():
    """Events ignore them."""
    assert message_schema(messages.OpenIncident)["additionalProperties"] is False
    assert "additionalProperties" not in message_schema(messages.IncidentOpened)


def test_tagged_fields_carry_their_tag():
    """Top-level and nested ones alike."""
    named = components(CATALOGUE)
    assert named["OpenIncident"]["properties"]["incident_id"]["x-headwater-tag"] == "incident"
    order = message_schema(domain.OrderPlaced)
    assert order["$defs"]["Line"]["properties"]["product_id"]["x-headwater-tag"] == "product"


def test_class_that_contains_itself_refers_to_itself():
    """A tree has a finite schema."""
    tree = message_schema(messages.Node)
    assert tree["$ref"] == "#/$defs/Node"
    jsonschema_rs.validator_for(tree)


class Meeting(Event):
    at: datetime
    until: datetime | None
    on: list[time]
    by_name: dict[str, datetime]
    both: tuple[str, datetime]
    union: list[datetime | int]


def test_moments_are_told_by_their_format():
    """A datetime is one wherever it stands, also where it need not say its zone."""
    told = json.dumps(message_schema(Meeting)["properties"])
    assert (told.count('"date-time"'), told.count('"time"')) == (5, 1)
    assert message_schema(Meeting)["properties"]["both"]["prefixItems"][0] == {"type": "string"}


def test_components_are_sorted_and_refer_by_template():
    """OpenAPI wants its own place for them."""
    named = components(CATALOGUE, "#/x/{name}")
    assert list(named) == sorted(named)
    assert named["OpenIncident"]["properties"]["impact"]["minimum"] == 1
    assert "#/x/Node" in json.dumps(named)


@settings(max_examples=40, deadline=None)
@given(strategies.messages(messages.OpenIncident))
def test_every_valid_command_fits_its_schema(command):
    """Schema and decoder agree on what is valid."""
    body = json.loads(Codec(CATALOGUE).encode(command))
    assert jsonschema_rs.validator_for(message_schema(messages.OpenIncident)).is_valid(body)


def test_examples_in_docstrings_run():
    """What a docstring shows is true."""
    assert doctest.testmod(schemas).attempted
    assert not doctest.testmod(schemas).failed
