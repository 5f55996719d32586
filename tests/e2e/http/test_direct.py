"""Commands straight from uvicorn's parser: the same bytes as through ASGI, and the same manners."""

from __future__ import annotations

import asyncio
import contextvars
import re
import sys

import pytest
from tests.e2e.http.sockets import DIRECT, HEALTH, PLAIN, opening, post, response, serving, until
from tests.unit.http.desk import PARTS
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from headwater import App
from headwater.cli import serving as serving_here
from headwater.http import HttpOptions
from headwater.http.direct import missing_in

OPEN = b"open-incident"
ONE = opening("INC1")
RESOLVE, ONE_ID = b"resolve-incident", b'{"incident_id":"INC1"}'


def judge(_message, actor):
    """A hook that answers at once."""
    return actor != "mallory"


desk = App("desk", *PARTS, authorise=judge)

# -- requests, and how many answers each gets; the first group is answered without ASGI

AT_ONCE = {
    "a command": ([post(OPEN, ONE)], 1),
    "its refusal": ([post(OPEN, ONE), post(OPEN, ONE)], 2),
    "its name": ([post(b"OpenIncident", ONE)], 1),
    "broken JSON": ([post(OPEN, b'{"incident_id":')], 1),
    "not UTF-8": ([post(OPEN, b'{"incident_id":"\xff","caller":"c"}')], 1),
    "wrong fields": ([post(OPEN, b'{"incident_id":"","impact":9,"colour":"red"}')], 1),
    "no body": ([post(OPEN, b"")], 1),
    "no length": ([post(OPEN, b"", length=False)], 1),
    "a body in pieces": ([post(OPEN, ONE)[:-20], ONE[-20:-10], ONE[-10:]], 1),
    "a request byte by byte": ([bytes([byte]) for byte in post(OPEN, ONE)[:60]] + [post(OPEN, ONE)[60:]], 1),
    "names in capitals": ([post(OPEN, ONE, b"Content-Type: application/json").replace(b"host", b"HOST")], 1),
    "a charset": ([post(OPEN, ONE, b"content-type: application/json; charset=utf-8")], 1),
    "headers nobody knows": ([post(OPEN, ONE, b"user-agent: x", b"accept: */*", b"connection: keep-alive")], 1),
    "a handler that fails": ([post(b"break-down", b"{}")], 1),
}
THROUGH_ASGI = {
    "a name nobody has": ([post(b"open-incidents", ONE)], 1),
    "a name in code": ([post(b"open%2Dincident", ONE)], 1),
    "parameters": ([post(b"open-incident?impact=1", ONE)], 1),
    "a name that is no text": ([post(b"open-incident\xff", ONE)], 1),
    "no such path": ([post(OPEN, ONE).replace(b"/commands", b"/command")], 1),
    "another method": ([post(OPEN, ONE, method=b"PUT")], 1),
    "HEAD": ([post(OPEN, b"", method=b"HEAD")], 1),
    "a form": ([post(OPEN, b"incident_id=INC1", b"content-type: application/x-www-form-urlencoded")], 1),
    "another charset": ([post(OPEN, ONE, b"content-type: application/json; charset=latin-1")], 1),
    "a compressed body": ([post(OPEN, ONE, b"content-encoding: gzip")], 1),
    "a body that is not compressed": ([post(OPEN, ONE, b"content-encoding: identity")], 1),
    "a body that is too large": ([post(OPEN, opening("INC1", "c" * 2_000))], 1),
    "a body in chunks": (
        [post(OPEN, b"", b"transfer-encoding: chunked", length=False) + b"%x\r\n%b\r\n0\r\n\r\n" % (len(ONE), ONE)],
        1,
    ),
    "Expect": ([post(OPEN, ONE, b"expect: 100-continue")], 2),
    "Upgrade": ([post(OPEN, ONE, b"connection: upgrade", b"upgrade: h2c")], 1),
    "an idempotency key": ([post(OPEN, ONE, b"idempotency-key: k-1")] * 2, 2),
    "If-Match": ([post(OPEN, ONE), post(RESOLVE, ONE_ID, b'if-match: "1"')], 2),
    "a list in If-Match": ([post(OPEN, ONE), post(RESOLVE, ONE_ID, b'if-match: "7"', b'if-match: W/"1", "1"')], 2),
    "If-Match with a star": ([post(OPEN, ONE, b"if-match: *")], 1),
    "two idempotency keys": ([post(OPEN, ONE, b"idempotency-key: k-1", b"idempotency-key: k-2")], 1),
    "an If-Match that has no form": ([post(OPEN, ONE, b"if-match: 1")], 1),
    "Prefer": ([post(OPEN, ONE, b"prefer: wait=5")], 1),
    "a correlation": ([post(OPEN, ONE, b"correlation-id: c-1")], 1),
    "Connection: close": ([post(OPEN, ONE, b"connection: close")], 1),
    "HTTP/1.0": ([post(OPEN, ONE, version=b"1.0")], 1),
    "HTTP/1.0, kept alive": ([post(OPEN, ONE, b"connection: keep-alive", version=b"1.0")], 1),
    "no HTTP": ([b"\x16\x03\x01 nonsense\r\n\r\n"], 1),
    "a broken second request": ([post(OPEN, ONE), b"NONSENSE\r\n\r\n"], 2),
    "commands in one piece": ([post(OPEN, ONE) + post(OPEN, ONE) + post(OPEN, opening("INC2"))], 3),
    "a command and a page in one piece": ([post(OPEN, ONE) + HEALTH + post(OPEN, ONE)], 3),
}
ALL = {**AT_ONCE, **THROUGH_ASGI}


@pytest.mark.parametrize("name", ALL)
async def test_both_ways_answer_with_the_same_bytes(tmp_path, name):
    """Status, headers in their order, body, and whether the connection stays open."""
    pieces, answers = ALL[name]
    heard = []
    for way, protocol in (("asgi", PLAIN), ("direct", DIRECT)):
        async with serving(desk, f"sqlite:///{tmp_path}/{way}.db", protocol) as served:
            heard.append(await served.talk(*pieces, answers=answers))

    assert all(heard[0][0])
    assert heard[0] == heard[1]


@pytest.mark.parametrize("name", AT_ONCE)
async def test_plain_commands_do_without_asgi(tmp_path, name):
    """Only the request that looks whether the connection still works comes to the application."""
    pieces, answers = AT_ONCE[name]
    async with serving(desk, f"sqlite:///{tmp_path}/desk.db", DIRECT) as served:
        await served.talk(*pieces, answers=answers)
        assert served.door.requests == 1


@pytest.mark.parametrize(
    ("options", "config"),
    [(HttpOptions(role="query"), {}), (HttpOptions(), {"reset_contextvars": True})],
    ids=["no commands here", "contexts are reset for tasks"],
)
async def test_what_no_plain_command_can_do_goes_through_asgi(options, config):
    """The application sees each request, and answers as it does on uvicorn's own protocol."""
    heard = []
    for protocol in (PLAIN, DIRECT):
        async with serving(desk, "memory:", protocol, options, **config) as served:
            heard.append(await served.talk(post(OPEN, ONE), answers=1))
            assert served.door.requests == 2

    assert heard[0] == heard[1]


# -- what uvicorn may be told


@pytest.mark.parametrize(
    "config",
    [
        {"root_path": "/desk"},
        {"limit_concurrency": 2},
        {"access_log": True, "log_level": "info"},
        {"access_log": True, "log_level": "info", "root_path": "/desk"},
        {"access_log": True, "log_level": "warning"},
        {"proxy_headers": False, "access_log": True, "log_level": "info"},
        {"headers": [("x-served-by", "desk-1")]},
    ],
    ids=str,
)
async def test_plain_commands_keep_to_what_uvicorn_is_told(config, capsys):
    """The same bytes and the same lines in its log, also of who came through a proxy; and none through ASGI."""
    heard = []
    for protocol in (PLAIN, DIRECT):
        async with serving(desk, "memory:", protocol, **config) as served:
            forwarded = post(OPEN, ONE, b"x-forwarded-for: 10.0.0.1")
            answers = await served.talk(post(OPEN, ONE), forwarded, post(b"break-down", b"{}"), answers=3)
            heard.append((answers, re.sub(r"127.0.0.1:\d+", "here", capsys.readouterr().out)))

    assert heard[0] == heard[1]
    assert served.door.requests == 1
    assert heard[1][1].count("POST") == (3 if config.get("log_level") == "info" else 0)


async def test_a_limit_of_concurrency_is_kept_to():
    """Who comes when as many are there is told so by uvicorn."""
    heard = []
    for protocol in (PLAIN, DIRECT):
        async with (
            serving(desk, "memory:", protocol, limit_concurrency=2) as served,
            served.connection() as (reader, writer),
        ):
            (refused,), after = await served.talk(post(OPEN, ONE), answers=1)
            await until(lambda: len(served.protocols) == 1)
            writer.write(post(OPEN, ONE))
            heard.append((refused, after, await response(reader)))

    assert heard[0] == heard[1]
    assert [answer[9:12] for answer in heard[1]] == [b"503", b"", b"200"]


async def test_every_command_of_many_connections_is_answered(tmp_path):
    """A hundred connections with five commands each: every receipt has a position of its own."""

    async def client(served, number):
        async with served.connection() as (reader, writer):
            for turn in range(5):
                writer.write(post(OPEN, opening(f"I{number}-{turn}")))
                yield await response(reader)

    async def positions(served, number):
        return [answer.split(b'"position":')[1].split(b",")[0] async for answer in client(served, number)]

    async with serving(desk, f"sqlite:///{tmp_path}/desk.db", DIRECT) as served:
        heard = await asyncio.gather(*(positions(served, number) for number in range(100)))
        assert served.door.requests == 0

    assert sorted(int(position) for positions in heard for position in positions) == list(range(1, 501))


async def test_commands_on_one_boundary_are_decided_in_turn(tmp_path):
    """Fifty open the same incident at once: one does, all others are refused, nobody waits for ever."""

    async def client(served):
        async with served.connection() as (reader, writer):
            writer.write(post(OPEN, ONE))
            return (await response(reader))[9:12]

    async with serving(desk, f"sqlite:///{tmp_path}/desk.db", DIRECT) as served:
        heard = await asyncio.gather(*(client(served) for _ in range(50)))

    assert sorted(heard) == [b"200", *[b"422"] * 49]


# -- while the disk is slow


@pytest.fixture
async def stalled(tmp_path):
    """A server whose writer does nothing until it is let."""
    url = f"sqlite:///{tmp_path}/desk.db?commits=thread"
    async with serving(desk, url, DIRECT) as served:
        writer = served.door.commands.begin.__self__.event_store._writer
        writer._serving.acquire()
        served.go_on = writer._serving.release
        yield served


def in_flight(served):
    """The exchanges that are not answered yet."""
    cycles = [protocol.cycle for protocol in served.protocols]
    return [cycle for cycle in cycles if cycle is not None and not cycle.response_complete]


async def test_a_client_that_goes_away_does_not_take_its_command_back(stalled):
    """It is committed, and nobody is told."""
    async with stalled.connection() as (_, writer):
        writer.write(post(OPEN, ONE))
        await until(lambda: in_flight(stalled))
    await until(lambda: not stalled.protocols)
    stalled.go_on()
    (again,), _ = await stalled.talk(post(OPEN, ONE), answers=1)

    assert b"incident-exists" in again


async def test_a_server_that_stops_answers_what_is_under_way(stalled):
    """The answer comes, says that it is the last one, and then the connection ends."""
    async with stalled.connection() as (reader, writer), stalled.connection() as (idle, _):
        writer.write(post(OPEN, ONE))
        await until(lambda: in_flight(stalled))
        stalled.server.should_exit = True
        assert await idle.read() == b""
        stalled.go_on()
        answer = await response(reader)
        assert await reader.read() == b""

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close\r\n" in answer


async def test_what_comes_after_a_command_under_way_waits_for_it(stalled):
    """Pipelined requests are answered in their order, each once."""
    async with stalled.connection() as (reader, writer):
        writer.write(post(OPEN, ONE) + HEALTH + post(OPEN, opening("INC2")))
        await until(lambda: any(protocol.pipeline for protocol in stalled.protocols))
        stalled.go_on()
        heard = [await response(reader) for _ in range(3)]

    assert [b'"position":1' in heard[0], b"position" in heard[1], b'"position":2' in heard[2]] == [True, False, True]


# -- connections


async def test_a_connection_that_is_not_used_is_closed():
    """After the time that uvicorn grants, counted from the last answer."""
    async with (
        serving(desk, "memory:", DIRECT, timeout_keep_alive=0.1) as served,
        served.connection() as (reader, writer),
    ):
        writer.write(post(OPEN, ONE))
        assert (await response(reader)).startswith(b"HTTP/1.1 200")
        assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_who_does_not_read_is_not_read_from():
    """The server stops reading when its answers pile up, and goes on when they are taken."""
    wrong, count = b"{%b}" % b",".join(b'"f%d":1' % number for number in range(100)), 3_000
    async with serving(desk, "memory:", DIRECT) as served, served.connection() as (reader, writer):
        writer.write(post(OPEN, wrong) * count)
        await until(lambda: [protocol.flow.read_paused for protocol in served.protocols] == [True])
        (protocol,) = served.protocols
        assert (protocol.flow.write_paused, protocol.transport.get_write_buffer_size() < 1 << 20) == (True, True)
        heard = [await response(reader) for _ in range(count)]

    assert {answer[9:12] for answer in heard} == {b"422"}


async def test_a_limit_of_requests_counts_them():
    """The server ends a worker after so many, whichever way they were answered."""
    async with serving(desk, "memory:", DIRECT, limit_max_requests=3) as served:
        await served.talk(*[post(OPEN, opening(f"I{number}")) for number in range(3)], answers=3)
        await until(lambda: not served.protocols)
        assert served.server.server_state.total_requests >= 3


# -- hooks

seen: contextvars.ContextVar[str] = contextvars.ContextVar("seen", default="nothing")


async def test_what_a_hook_sets_stays_with_its_request():
    """The next request of the connection finds the context as it was."""
    found = []

    def remembers(_message, _actor):
        found.append(seen.get())
        seen.set("the request before")

    async with serving(App("desk", *PARTS, authorise=remembers), "memory:", DIRECT) as served:
        await served.talk(post(OPEN, ONE), post(OPEN, ONE), answers=2)

    assert found == ["nothing", "nothing"]


async def test_a_hook_that_waits_is_waited_for_when_the_server_stops():
    """Its command is a task of the server's, and is answered before the stores are closed."""
    asked, may_go = asyncio.Event(), asyncio.Event()

    async def slow(_message, _actor):
        asked.set()
        await may_go.wait()
        return True

    app = App("desk", *PARTS, authorise=slow)
    async with serving(app, "memory:", DIRECT) as served, served.connection() as (reader, writer):
        writer.write(post(OPEN, ONE))
        await asked.wait()
        assert len(served.server.server_state.tasks) == 1
        served.server.should_exit = True
        await until(lambda: not in_flight(served)[0].keep_alive)
        may_go.set()
        assert b'"position":1' in await response(reader)


# -- uvicorn


def test_uvicorn_is_what_is_relied_on():
    """These methods and the names that they use are what our protocol class builds on."""
    assert missing_in(HttpToolsProtocol) == []


def test_serve_takes_what_uvicorn_chooses_where_ours_cannot_be(monkeypatch):
    """Without httptools, or with another uvicorn, all commands go through ASGI."""
    assert serving_here._config(desk, access_log=False).http is DIRECT
    monkeypatch.setitem(sys.modules, "headwater.http.direct", None)
    assert serving_here._config(desk, access_log=False).http == "auto"


def test_another_uvicorn_is_noticed():
    """What it lacks is named, and the server takes uvicorn's own protocol."""

    class Other(HttpToolsProtocol):
        def shutdown(self) -> None:
            pass

    assert missing_in(Other) == ["shutdown: cycle", "shutdown: keep_alive", "shutdown: response_complete"]
