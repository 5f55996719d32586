"""The contract as OpenAPI 3.1."""

from __future__ import annotations

import jsonschema_rs
import msgspec
import pytest

from headwater import App, Command, Query, handles
from headwater.http.openapi import openapi_document
from headwater.queries.asking import answers
from headwater.schemas import apart


class Street(msgspec.Struct):
    name: str
    number: int = 1


class Address(msgspec.Struct):
    street: Street
    town: str = "Ghent"


class Country(msgspec.Struct):
    code: str


class Move(Command):
    to: Address
    country: Country


class WhereNow(Query[Address | None]):
    country: Country | None = None


@handles
async def move(command: Move) -> None:
    """Nothing is stored."""


@answers
async def where_now(query: WhereNow) -> Address | None:
    """Nobody knows."""


@pytest.fixture
async def document(client):
    """The document as a caller gets it."""
    return (await client.get("/openapi.json")).json()


async def test_every_command_and_query_has_a_path(document):
    """Named as in the URL."""
    assert list(document["paths"]) == [
        "/commands/break-down",
        "/commands/open-incident",
        "/commands/resolve-incident",
        "/queries/find-incidents",
        "/queries/get-incident",
    ]


async def test_a_command_documents_its_body_and_its_errors(document):
    """The schema of the message, an example that fits it, and one shape for every error."""
    post = document["paths"]["/commands/open-incident"]["post"]
    content = post["requestBody"]["content"]["application/json"]
    schema = document["components"]["schemas"]["OpenIncident"]

    assert content["schema"] == {"$ref": "#/components/schemas/OpenIncident"}
    assert schema["additionalProperties"] is False
    assert content["example"] == {"incident_id": "incident-id", "caller": "caller"}
    assert {"200", "400", "403", "404", "409", "412", "413", "415", "422", "500", "503", "507"} <= set(
        post["responses"]
    )


async def test_a_query_documents_its_parameters(document):
    """Nested fields with a dot, each with its own schema."""
    get = document["paths"]["/queries/find-incidents"]["get"]
    parameters = {each["name"]: each for each in get["parameters"] if each["in"] == "query"}

    assert set(parameters) == {"status", "impact", "since", "sort", "page.size", "page.cursor", "page.total"}
    assert parameters["impact"]["schema"]["type"] == "array"
    assert parameters["page.size"]["schema"]["type"] == "integer"


async def test_what_only_a_query_takes_stands_with_queries(document):
    """How fresh or how old an answer is to be is asked of a query, with and without a body, and not of a command."""
    asked = {"Headwater-Position", "Headwater-Max-Staleness", "Headwater-As-Of"}

    def headers(operation):
        return {each["name"] for each in operation["parameters"] if each["in"] == "header"}

    paths = document["paths"]
    assert asked <= headers(paths["/queries/find-incidents"]["get"])
    assert asked <= headers(paths["/queries/find-incidents"]["post"])
    assert not asked & headers(paths["/commands/open-incident"]["post"])


async def test_an_answer_fits_its_schema(client, document, open_incident, runtime):
    """The rows that come back are those that were promised."""
    await open_incident("INC1")
    await runtime.caught_up()
    answer = (await client.get("/queries/find-incidents")).json()
    get = document["paths"]["/queries/find-incidents"]["get"]
    promised = get["responses"]["200"]["content"]["application/json"]["schema"]

    jsonschema_rs.validator_for(promised | {"components": document["components"]}).validate(answer)


async def test_every_reference_leads_somewhere(document):
    """No schema is named that is not there."""

    def references(node):
        if isinstance(node, dict):
            yield from [node["$ref"]] if isinstance(node.get("$ref"), str) else []
            node = list(node.values())
        if isinstance(node, list):
            for each in node:
                yield from references(each)

    missing = []
    for reference in references(document):
        target = document
        for part in reference.removeprefix("#/").split("/"):
            target = target.get(part, {})
        missing += [] if target else [reference]

    assert missing == []


def test_an_answer_says_what_is_always_there():
    """A type of commands and answers stands twice if it differs, or if what it is made of does; else once."""
    document = openapi_document("moves", App("moves", move, where_now).catalogue)
    schemas = document["components"]["schemas"]
    answer = document["paths"]["/queries/where-now"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]

    assert schemas["Move"]["properties"]["to"] == {"$ref": "#/components/schemas/Address"}
    assert {"$ref": "#/components/schemas/AddressAnswer"} in answer["anyOf"]
    assert schemas["AddressAnswer"]["properties"]["street"] == {"$ref": "#/components/schemas/StreetAnswer"}
    assert schemas["Street"]["required"] == ["name"]
    assert schemas["StreetAnswer"]["required"] == ["name", "number"]
    assert [name for name in schemas if name.startswith("Country")] == ["Country"]


def test_a_type_that_is_made_of_what_differs_differs():
    """Its own text may be the same, but not what it refers to; and a name that is taken is not taken again."""
    taken = {"Inner": {"required": []}, "Outer": {"$ref": "#/Inner"}, "InnerAnswer": {}}
    named = {"Inner": {"required": ["a"]}, "Outer": {"$ref": "#/Inner"}}

    assert apart(taken, [{"items": [{"$ref": "#/Outer"}]}], named, "#/{name}") == (
        [{"items": [{"$ref": "#/OuterAnswer"}]}],
        {"InnerAnswer_": {"required": ["a"]}, "OuterAnswer": {"$ref": "#/InnerAnswer_"}},
    )
