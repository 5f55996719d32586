"""An open desk, and a client that speaks to it without a network."""

from __future__ import annotations

import httpx2
import pytest
from tests.unit.http.desk import app

from headwater.http import HttpOptions, asgi


@pytest.fixture
async def runtime():
    """The desk, open in memory."""
    async with app.open("memory:") as opened:
        yield opened


def actor_of(scope):
    """Who calls: whatever the header says."""
    return dict(scope["headers"]).get(b"actor", b"").decode() or None


@pytest.fixture
async def client(runtime):
    """Requests against the desk's HTTP door."""
    door = asgi(runtime, HttpOptions(authenticate=actor_of, max_body_bytes=1000))
    async with client_of(door) as opened:
        yield opened


def client_of(door):
    """A client of any door."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=door), base_url="http://desk")


@pytest.fixture
def open_incident(client):
    """Open an incident, and give back the response."""

    async def send(incident_id, caller="c7", impact=2, **headers):
        body = {"incident_id": incident_id, "caller": caller, "impact": impact}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await client.post("/commands/open-incident", json=body, headers=named)

    return send
