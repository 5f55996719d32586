"""The OpenAPI document against the doors: what they accept and answer is what it says, and nothing else."""

from __future__ import annotations

import inspect
import re

import jsonschema_rs
import pytest
from tests.unit.http.conftest import client_of
from tests.unit.http.desk import PARTS, IncidentRow

from headwater import App, Limits, Page, PageRequest, Query, Reader, answers, errors
from headwater.http import HttpOptions, Unauthenticated, asgi, exchange
from headwater.http.problems import URN, status_of

_OPEN, _FIND, _GET = "/commands/open-incident", "/queries/find-incidents", "/queries/get-incident"
_BODY = {"incident_id": "INC1", "caller": "c7", "impact": 2}
_UNTOLD = {"content-length", "content-type", "x-content-type-options"}
"""What every response has."""

_REQUESTS = [
    ("POST", _OPEN, 200, {"json": _BODY | {"incident_id": "INC2"}}),
    ("POST", _OPEN, 200, {"json": _BODY, "headers": {"Idempotency-Key": "first", "Prefer": "wait=1"}}),
    ("POST", _OPEN, 400, {"content": b"{", "headers": {"content-type": "application/json"}}),
    ("POST", _OPEN, 400, {"json": _BODY, "headers": {"If-Match": "yes"}}),
    ("POST", _OPEN, 403, {"json": _BODY, "headers": {"actor": "mallory"}}),
    ("DELETE", _OPEN, 405, {}),
    ("POST", _OPEN, 412, {"json": _BODY, "headers": {"If-Match": '"0", W/"1"'}}),
    ("POST", _OPEN, 413, {"json": _BODY | {"caller": "x" * 2_000}}),
    ("POST", _OPEN, 415, {"content": b"{}"}),
    ("POST", _OPEN, 422, {"json": _BODY}),
    ("POST", _OPEN, 422, {"json": _BODY | {"caller": "c8"}, "headers": {"Idempotency-Key": "first"}}),
    ("POST", _OPEN, 422, {"json": {"incident_id": "INC1", "colour": "red"}}),
    ("POST", "/commands/break-down", 500, {"json": {}}),
    ("GET", _FIND, 200, {"params": {"page.size": 1, "impact": [1, 2]}}),
    ("GET", _FIND, 200, {"headers": {"Prefer": "wait=1", "Headwater-Max-Staleness": "2.5"}}),
    ("GET", _FIND, 200, {"headers": {"Headwater-As-Of": "1"}}),
    ("GET", _FIND, 304, {"headers": {"If-None-Match": "*"}}),
    ("GET", f"{_FIND}?status=%ff", 400, {}),
    ("GET", _FIND, 400, {"params": {"sort": "colour"}}),
    ("GET", _FIND, 400, {"params": {"page.cursor": "x"}}),
    ("GET", _FIND, 400, {"headers": {"Last-Event-ID": "x", "Accept": "text/event-stream"}}),
    ("GET", _FIND, 403, {"headers": {"actor": "mallory"}}),
    ("DELETE", _FIND, 405, {}),
    ("GET", _FIND, 422, {"params": {"colour": "red", "page.size": "many"}}),
    ("GET", _FIND, 503, {"headers": {"Headwater-Position": "1000", "Prefer": "wait=0"}}),
    ("POST", _GET, 200, {"json": {"incident_id": "INC1"}}),
    ("POST", _GET, 400, {"content": b"{", "headers": {"content-type": "application/json"}}),
    ("POST", _GET, 413, {"json": {"incident_id": "x" * 2_000}}),
    ("POST", _GET, 415, {"content": b"{}"}),
    ("POST", _GET, 422, {"json": {}}),
]


@pytest.fixture
async def document(client, open_incident, runtime):
    """The document as a caller gets it, from a desk that has two incidents."""
    await open_incident("INC1", idempotency_key="first")
    await open_incident("INC0", impact=1)
    await runtime.caught_up()
    return (await client.get("/openapi.json")).json()


@pytest.mark.parametrize(("method", "path", "status", "request_"), _REQUESTS, ids=lambda it: str(it)[:50])
async def test_each_response_is_as_promised(client, document, method, path, status, request_):
    """Its status, its headers, its body, and the type of its problem."""
    response = await client.request(method, path, **request_)

    assert response.status_code == status, response.text
    assert broken_promises(document, method, path, response) == []


def broken_promises(document, method, path, response):
    """What a response has that the document does not tell of."""
    operations = document["paths"][path.partition("?")[0]]
    operation = operations.get(method.lower()) or next(iter(operations.values()))
    promised = operation["responses"][str(response.status_code)]
    told = {name.lower() for name in promised.get("headers", {})} | _UNTOLD
    broken = [name for name in response.headers if name not in told]
    if response.content:
        schema = promised["content"][response.headers["content-type"]]["schema"]
        jsonschema_rs.validator_for(schema | {"components": document["components"]}).validate(response.json())
        kinds = schema.get("x-headwater-problems")
        broken += [] if kinds is None or response.json()["type"] in kinds else [response.json()["type"]]
    return broken


async def test_who_is_not_known_is_told_as_promised(runtime):
    """With the header that says how to do better."""

    def nobody(_scope):
        raise Unauthenticated

    async with client_of(asgi(runtime, HttpOptions(authenticate=nobody))) as client:
        document = (await client.get("/openapi.json")).json()
        for method, path in (("POST", _OPEN), ("GET", _FIND)):
            response = await client.request(method, path, json={} if method == "POST" else None)
            assert response.status_code == 401
            assert broken_promises(document, method, path, response) == []


async def test_each_error_that_has_a_status_is_promised(document):
    """By queries, or by commands, with the status that it answers with; those of other doors stand with those."""
    elsewhere = {errors.NotParked}
    promised = {
        (int(status), kind)
        for operations in document["paths"].values()
        for operation in operations.values()
        for status, response in operation["responses"].items()
        for content in response.get("content", {}).values()
        for kind in content["schema"].get("x-headwater-problems", ())
    }
    tree = {kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.HeadwaterError)}
    given = {(status_of(kind), f"{URN}{kind.code}") for kind in tree - elsewhere if status_of(kind) != 500}

    assert given <= promised


async def test_each_header_that_a_door_reads_is_a_parameter(document):
    """Of one operation at least; what says how the body is written stands with the body."""
    read = set(re.findall(r'headers\.get\(b"([a-z-]+)"', inspect.getsource(exchange)))
    parameters = {
        parameter["name"].lower()
        for operations in document["paths"].values()
        for operation in operations.values()
        for parameter in operation["parameters"]
        if parameter["in"] == "header"
    }

    assert read - {"content-type", "content-length"} == parameters


async def test_a_query_promises_a_stream_of_its_answers(document):
    """Asked for by ``Accept``, gone on with by ``Last-Event-ID``."""
    for operation in document["paths"][_FIND].values():
        assert set(operation["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}
        assert "Last-Event-ID" in {parameter["name"] for parameter in operation["parameters"]}


class FindFew(Query[Page[IncidentRow]], limits=Limits(page_size=3)):
    """A few incidents."""

    page: PageRequest = PageRequest(size=2)


@answers
async def find_few(query: FindFew, incidents: Reader[IncidentRow]) -> Page[IncidentRow]:
    """As they come."""
    return await incidents.page(query.page)


@pytest.mark.parametrize(("path", "most"), [("/queries/find-few", 3), (_FIND, 20)])
async def test_a_page_is_as_large_as_the_document_says(path, most):
    """The maximum of its size is the limit of the query, or else that of the application: so much, and no more."""
    few = App("few", *PARTS, find_few, limits=Limits(page_size=20))
    async with few.open("memory:") as runtime, client_of(asgi(runtime)) as client:
        document = (await client.get("/openapi.json")).json()
        parameters = {each["name"]: each for each in document["paths"][path]["get"]["parameters"]}
        assert parameters["page.size"]["schema"]["maximum"] == most
        assert (await client.get(path, params={"page.size": most})).status_code == 200
        assert (await client.get(path, params={"page.size": most + 1})).status_code == 422
        body = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        validator = jsonschema_rs.validator_for(body | {"components": document["components"]})
        assert validator.is_valid({"page": {"size": most}})
        assert not validator.is_valid({"page": {"size": most + 1}})
