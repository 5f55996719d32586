"""The door as an ASGI application: by itself, mounted, and with routes of one's own."""

from __future__ import annotations

import subprocess
import sys

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from tests.unit.http.conftest import client_of
from tests.unit.http.desk import app

from headwater.errors import InvalidSetting
from headwater.http import Caller, HttpOptions, Unauthenticated, asgi, create_app


def test_the_server_opens_and_closes_the_stores(tmp_path):
    """What a server's lifespan does; the log is there when it starts again."""
    url = f"sqlite:///{tmp_path}/desk.db"
    with TestClient(create_app(app, url)) as client:
        client.post("/commands/open-incident", json={"incident_id": "INC1", "caller": "c7"})
    with TestClient(create_app(app, url)) as client:
        head = client.get("/health/ready").json()["head"]

    assert head == 1


async def test_before_it_is_open_it_says_so():
    """503: a server without lifespan support is not a reason to guess."""
    async with client_of(create_app(app, "memory:")) as client:
        response = await client.get("/")

    assert (response.status_code, response.json()["type"]) == (503, "urn:headwater:problem:store-closed")


def test_it_can_be_mounted_below_a_path():
    """In Starlette (and FastAPI, which is one): enter its lifespan, mount it, and links stay right."""
    door = create_app(app, "memory:")
    site = Starlette(routes=[Mount("/desk", door)], lifespan=door.lifespan)
    with TestClient(site) as client:
        for number in range(3):
            sent = client.post("/desk/commands/open-incident", json={"incident_id": f"I{number}", "caller": "c"})
        wait = {"headwater-position": sent.headers["headwater-position"]}
        page = client.get("/desk/queries/find-incidents", headers=wait)
        following = client.get(page.links["next"]["url"])

        assert client.get("/desk/").json()["app"] == "desk"
        assert [row["incident_id"] for row in following.json()["items"]] == ["I2"]


async def test_it_takes_further_routes(runtime):
    """A page of one's own beside the commands."""
    hello = Route("/hello", lambda _: PlainTextResponse("hello"))
    async with client_of(asgi(runtime, HttpOptions(routes=[hello]))) as client:
        response = await client.get("/hello")

    assert response.text == "hello"


def test_a_websocket_is_turned_away(runtime):
    """There is nothing to talk to."""
    with pytest.raises(WebSocketDisconnect), TestClient(asgi(runtime)).websocket_connect("/"):
        pass


async def test_an_unknown_caller_is_challenged(runtime):
    """401 with the challenge, for commands and queries alike."""

    def refuse(scope):
        raise Unauthenticated(challenge='Bearer realm="desk"')

    async with client_of(asgi(runtime, HttpOptions(authenticate=refuse))) as client:
        sent = await client.post("/commands/open-incident", json={"incident_id": "I", "caller": "c"})
        asked = await client.get("/queries/find-incidents")

    assert (sent.status_code, asked.status_code) == (401, 401)
    assert sent.headers["www-authenticate"] == 'Bearer realm="desk"'


async def test_authentication_may_be_asynchronous_and_name_a_tenant(runtime):
    """A caller has an actor and perhaps a tenant."""

    async def known(scope):
        return Caller("alice", tenant="north")

    async with client_of(asgi(runtime, HttpOptions(authenticate=known))) as client:
        await client.post("/commands/open-incident", json={"incident_id": "I", "caller": "c"})
    [stored] = (await runtime.event_store.read()).events

    assert b'"tenant":"north"' in stored.metadata


async def test_a_caller_that_goes_away_gets_no_answer(runtime):
    """The connection broke before the body was complete: nothing is stored, nothing sent."""
    sent = []
    parts = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]

    async def receive():
        return parts.pop(0)

    async def send(message):
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/commands/open-incident", "headers": headers}
    await asgi(runtime)(scope, receive, send)

    assert (sent, await runtime.event_store.head()) == ([], 0)


def test_without_the_extra_the_remedy_is_named():
    """``import headwater.http`` without Starlette names the line that installs it."""
    code = (
        "import sys; sys.modules['starlette'] = None\ntry:\n import headwater.http\nexcept ImportError as e: print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "pip install 'headwater[web]'" in done.stdout


async def test_another_door_is_given_the_runtime_and_the_options(runtime):
    """What it gives are Starlette routes."""

    def door(opened, options):
        async def head(request):
            return PlainTextResponse(f"{await opened.event_store.head()} {options.role}")

        return [Route("/head", head)]

    async with client_of(asgi(runtime, HttpOptions(doors=[door]))) as client:
        response = await client.get("/head")

    assert response.text == "0 all"


async def test_a_door_that_nobody_opened_says_so_once(caplog):
    """Mounted elsewhere its lifespan is easily forgotten; callers only learn that they may come again."""
    client = client_of(create_app(app, "memory:"))
    async with client:
        answers = [await client.get("/") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [503, 503]
    (told,) = [record.message for record in caplog.records if record.name == "headwater.http"]
    assert "FastAPI(lifespan=door.lifespan)" in told


@pytest.mark.parametrize(
    ("make", "setting"),
    [
        (lambda: create_app("desk:app", "memory:"), "app"),
        (lambda: create_app(app, "memory:", {"docs": False}), "options"),
        (lambda: asgi(app), "runtime"),
    ],
)
def test_a_door_is_made_of_an_app_or_a_runtime(make, setting):
    """What is neither is refused before the first request."""
    with pytest.raises(InvalidSetting, match=f"^{setting} cannot be"):
        make()
