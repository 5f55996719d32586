"""The side pages."""

from __future__ import annotations

import pytest
from tests.unit.http.conftest import client_of

from headwater.errors import StoreCorrupt
from headwater.http import HttpOptions, asgi


async def test_the_index_lists_commands_and_queries(client):
    """Each with where it is and what it is about."""
    index = (await client.get("/")).json()

    assert index["app"] == "desk"
    assert {
        "name": "OpenIncident",
        "href": "commands/open-incident",
        "about": "A caller reports an incident.",
    } in index["commands"]
    assert [query["href"] for query in index["queries"]] == ["queries/find-incidents", "queries/get-incident"]


async def test_the_contract_page_shows_lines_to_copy(client):
    """HTML without scripts, for people."""
    page = await client.get("/docs")

    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "$URL/commands/open-incident" in page.text
    assert "<script" not in page.text


async def test_health_says_how_far_the_projections_are(client, open_incident, runtime):
    """200, with the lag of each."""
    await open_incident("INC1")
    await runtime.caught_up()
    health = await client.get("/health/ready")

    assert health.status_code == 200
    assert (health.json()["status"], health.json()["head"]) == ("ok", 1)
    assert health.json()["projections"][0]["lag_positions"] == 0


async def test_health_fails_when_the_log_cannot_be_read(client, runtime, monkeypatch):
    """503 with the code of the error."""

    async def broken():
        raise StoreCorrupt("damaged")

    monkeypatch.setattr(runtime.event_store, "head", broken)
    health = await client.get("/health/ready")

    assert (health.status_code, health.json()["type"]) == (503, "urn:headwater:problem:store-corrupt")
    assert (await client.get("/health")).json() == {"status": "ok"}


@pytest.mark.parametrize("path", ["/nowhere", "/commands", "/queries"])
async def test_what_is_not_there_is_a_problem_too(client, path):
    """404 as a problem document, not as plain text."""
    response = await client.get(path)

    assert (response.status_code, response.json()["type"]) == (404, "urn:headwater:problem:not-found")
    assert response.headers["content-type"] == "application/problem+json"


async def test_side_pages_are_for_reading(client):
    """405 says what is allowed."""
    response = await client.post("/health/ready")

    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
    assert response.json()["type"] == "urn:headwater:problem:method-not-allowed"


async def test_the_contract_may_be_kept_private(runtime):
    """Without docs only the health check is left beside commands and queries."""
    async with client_of(asgi(runtime, HttpOptions(docs=False))) as client:
        seen = [(await client.get(path)).status_code for path in ("/", "/docs", "/openapi.json", "/health/ready")]

    assert seen == [404, 404, 404, 200]


@pytest.mark.parametrize(("role", "kinds"), [("command", {"commands"}), ("query", {"queries"})])
async def test_a_door_offers_what_it_serves(runtime, role, kinds):
    """The index and the contract of a command door name no queries, and the other way round."""
    async with client_of(asgi(runtime, HttpOptions(role=role))) as client:
        index, contract = (await client.get("/")).json(), (await client.get("/openapi.json")).json()

    assert {kind for kind in ("commands", "queries") if index[kind]} == kinds
    assert {path.split("/")[1] for path in contract["paths"]} == kinds
