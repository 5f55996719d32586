"""Live queries over HTTP: ``GET /queries/{name}`` with ``Accept: text/event-stream``."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from tests.unit.http.conftest import actor_of
from tests.unit.http.desk import IncidentRow, OpenIncident, app

from headwater.http import HttpOptions, asgi
from headwater.http.sse import wants_events


class Reader:
    """A client of one request, as a server would drive it."""

    def __init__(self, door, query, **headers):
        named = {"accept": "text/event-stream", **headers}
        self.scope = {
            "type": "http",
            "method": "GET",
            "path": "/queries/get-incident",
            "query_string": query.encode(),
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in named.items()],
        }
        self.received = asyncio.Queue()
        self.sent = asyncio.Queue()
        self.received.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        self.task = asyncio.create_task(door(self.scope, self.received.get, self.sent.put))

    async def start(self):
        """The status, and the headers."""
        start = await self.sent.get()
        return start["status"], dict(start["headers"])

    async def part(self):
        """The next part of the body; ``None`` at the end."""
        message = await self.sent.get()
        return message["body"] if message.get("more_body") else None

    async def event(self):
        """The next event as a dict; ``data`` is decoded."""
        while (part := await self.part()) is not None:
            lines = [line.partition(": ") for line in part.decode().splitlines() if line]
            found = {name: value for name, _, value in lines if name and name != "retry"}
            if "data" in found:
                return {**found, "data": json.loads(found["data"])}
        return None

    def leave(self):
        """Go away."""
        self.received.put_nowait({"type": "http.disconnect"})


@asynccontextmanager
async def reading(door, query, **headers):
    """A reader that is gone at the end of the block."""
    reader = Reader(door, query, **headers)
    try:
        yield reader
    finally:
        reader.leave()
        await reader.task


@pytest.fixture
def door(runtime):
    """The desk's door, with heartbeats that come at once."""
    return asgi(runtime, HttpOptions(authenticate=actor_of, heartbeat_seconds=0.001))


async def opened(runtime, number):
    """Open an incident and wait until it shows."""
    receipt = await runtime.execute(OpenIncident(incident_id=f"INC{number}", caller="c7"))
    return await runtime.caught_up(receipt.position)


async def test_answers_come_as_events_with_their_position(runtime, door):
    """The first at once, another when it changed, nothing when something else did."""
    await opened(runtime, 1)
    async with reading(door, "incident_id=INC2") as reader:
        status, headers = await reader.start()
        first = await reader.event()
        await opened(runtime, 3)
        await opened(runtime, 2)
        second = await reader.event()
    assert (status, headers[b"content-type"], headers[b"cache-control"]) == (200, b"text/event-stream", b"no-store")
    assert (first["id"], first["data"]) == ("1", None)
    assert (second["id"], second["data"]["incident_id"]) == ("3", "INC2")
    assert runtime.live_stats.streams == 0


async def test_a_reader_who_comes_again_is_not_told_what_he_knows(runtime, door):
    """``Last-Event-ID`` is the position of what he has: heartbeats only, until something changes."""
    await opened(runtime, 1)
    async with reading(door, "incident_id=INC1", last_event_id="1") as reader:
        await reader.start()
        assert [await reader.part(), await reader.part()] == [b"retry: 1000\n\n", b":\n\n"]
    await opened(runtime, 2)
    async with reading(door, "incident_id=INC2", last_event_id="1") as reader:
        await reader.start()
        assert (await reader.event())["id"] == "2"


async def test_the_stream_ends_when_the_application_does(runtime, door):
    """Cleanly: the body is complete, so that the client connects again, to whoever is there then."""
    async with reading(door, "incident_id=INC1") as reader:
        await reader.start()
        await reader.event()
        runtime.end_watches()
        while await reader.part() is not None:
            pass
        await reader.task


async def test_what_goes_wrong_later_is_an_event(runtime, door, monkeypatch):
    """A problem document, as ever, under the name of the event ``problem``; then the stream ends."""
    async with reading(door, "incident_id=INC1", actor="ann") as reader:
        await reader.start()
        await reader.event()
        monkeypatch.setattr(app, "authorise", lambda message, actor: actor != "ann")
        await opened(runtime, 1)
        problem = await reader.event()
        assert problem["event"] == "problem"
        assert (problem["data"]["status"], problem["data"]["type"]) == (403, "urn:headwater:problem:forbidden")
        assert await reader.part() is None


@pytest.mark.parametrize(
    ("query", "headers", "status", "code"),
    [
        ("", {}, 422, "invalid-message"),
        ("incident_id=INC1", {"actor": "mallory"}, 403, "forbidden"),
        ("incident_id=INC1", {"last_event_id": "soon"}, 400, "invalid-header"),
        ("incident_id=INC1", {"headwater_as_of": "1"}, 400, "invalid-header"),  # what was does not change any more
        ("incident_id=INC1", {"headwater_position": "9", "prefer": "wait=0"}, 503, "projection-behind"),
    ],
)
async def test_what_goes_wrong_first_is_a_response(door, query, headers, status, code):
    """As long as nothing is sent, the status says it."""
    reader = Reader(door, query, **headers)
    found, _ = await reader.start()
    body = (await reader.sent.get())["body"]
    await reader.task
    assert (found, json.loads(body)["type"]) == (status, f"urn:headwater:problem:{code}")


async def test_readers_share_what_they_watch(runtime, door):
    """Five readers, one stream, one evaluation for each change."""
    readers = [Reader(door, "incident_id=INC1") for _ in range(5)]
    for reader in readers:
        await reader.start()
        assert (await reader.event())["data"] is None
    await opened(runtime, 1)
    rows = [(await reader.event())["data"] for reader in readers]
    assert {IncidentRow(**row).incident_id for row in rows} == {"INC1"}
    assert (runtime.live_stats.watchers, runtime.live_stats.streams, runtime.live_stats.evaluations) == (5, 1, 2)
    for reader in readers:
        reader.leave()
        await reader.task
    assert runtime.live_stats.watchers == 0


def test_only_who_asks_for_events_gets_them():
    """Not a HEAD, and not who takes anything."""
    events = {b"accept": b"text/event-stream"}
    assert wants_events("GET", events)
    assert not wants_events("HEAD", events)
    assert not wants_events("GET", {b"accept": b"*/*"})
    assert not wants_events("GET", {})
