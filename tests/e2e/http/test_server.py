"""The desk behind a real server: uvicorn, sockets, and SQLite."""

from __future__ import annotations

import asyncio
import socket

import httpx2
import pytest
import uvicorn
from tests.unit.http.desk import app

from headwater.http import HttpOptions, create_app


@pytest.fixture
async def address(tmp_path):
    """A running server's address. The socket listens before the server starts, so nobody has to wait for it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        door = create_app(app, f"sqlite:///{tmp_path}/desk.db", HttpOptions(max_body_bytes=10_000))
        server = uvicorn.Server(uvicorn.Config(door, log_level="error", lifespan="on"))
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        await serving


async def test_a_command_and_its_query_over_the_wire(address):
    """Send, read one's own write, ask again and get 304."""
    async with httpx2.AsyncClient(base_url=address) as client:
        sent = await client.post("/commands/open-incident", json={"incident_id": "INC1", "caller": "c7"})
        wait = {"headwater-position": sent.headers["headwater-position"]}
        asked = await client.get("/queries/find-incidents", headers=wait)
        again = await client.get("/queries/find-incidents", headers={"if-none-match": asked.headers["etag"]})

    assert [row["caller"] for row in asked.json()["items"]] == ["c7"]
    assert again.status_code == 304


async def test_concurrent_commands_are_each_answered_once(address):
    """A hundred at a time, every receipt with a position of its own."""
    async with httpx2.AsyncClient(base_url=address) as client:
        responses = await asyncio.gather(
            *(client.post("/commands/open-incident", json={"incident_id": f"I{n}", "caller": "c"}) for n in range(100))
        )

    assert sorted(response.json()["position"] for response in responses) == list(range(1, 101))


async def test_the_same_command_at_the_same_time_happens_once(address):
    """Twenty clients retry with one key; one event, twenty equal positions."""
    body, headers = {"incident_id": "INC1", "caller": "c7"}, {"idempotency-key": "k-1"}
    async with httpx2.AsyncClient(base_url=address) as client:
        sending = (client.post("/commands/open-incident", json=body, headers=headers) for _ in range(20))
        responses = await asyncio.gather(*sending)
        head = (await client.get("/health/ready")).json()["head"]

    assert {response.json()["position"] for response in responses} == {1}
    assert sum(not response.json()["replayed"] for response in responses) == 1
    assert head == 1


async def test_a_body_that_is_too_large_does_not_break_the_connection(address):
    """413 arrives while the body is still on its way, and the next request is answered as usual."""
    async with httpx2.AsyncClient(base_url=address) as client:
        json_type = {"content-type": "application/json"}
        large = await client.post("/commands/open-incident", content=b"x" * 1_000_000, headers=json_type)
        following = await client.get("/health/ready")

    assert (large.status_code, following.status_code) == (413, 200)


async def test_head_over_the_wire_has_no_body(address):
    """The server and the door agree on what HEAD means."""
    async with httpx2.AsyncClient(base_url=address) as client:
        responses = [await client.head(path) for path in ("/queries/find-incidents", "/commands/open-incident", "/")]

    assert [response.status_code for response in responses] == [200, 405, 200]
    assert all(response.content == b"" for response in responses)


async def test_a_live_query_over_the_wire(address):
    """An event now, another when it changed, and the client may leave in between."""
    async with httpx2.AsyncClient(base_url=address, timeout=30) as client:
        headers = {"accept": "text/event-stream"}
        async with client.stream("GET", "/queries/get-incident?incident_id=INC1", headers=headers) as response:
            lines = response.aiter_lines()
            first = [await anext(lines) for _ in range(4)]
            await client.post("/commands/open-incident", json={"incident_id": "INC1", "caller": "c7"})
            second = [line async for line in _until(lines, "data: {")]
        following = await client.get("/queries/find-incidents")

    assert first == ["retry: 1000", "", "id: 0", "data: null"]
    assert second[-2] == "id: 1"
    assert following.status_code == 200


async def _until(lines, beginning):
    async for line in lines:
        yield line
        if line.startswith(beginning):
            return
