"""Commands straight from uvicorn's parser where it is asked who calls: the same answers and events as through ASGI."""

from __future__ import annotations

import asyncio
import contextvars
import re

import pytest
from tests.e2e.http.sockets import DIRECT, HEALTH, PLAIN, opening, post, response, serving, until
from tests.unit.http.desk import PARTS

from headwater import App
from headwater.http import Caller, HttpOptions, Unauthenticated

OPEN = b"open-incident"
ONE = opening("INC1")


def judge(_message, actor):
    """A hook that answers at once."""
    return actor != "mallory"


desk = App("desk", *PARTS, authorise=judge)

# -- hooks that know the same callers


def known(scope):
    """The caller, by the token that stands for him."""
    shown = dict(scope["headers"]).get(b"authorization", b"").removeprefix(b"Bearer ")
    if shown == b"broken":
        raise RuntimeError("the password is hunter2")
    callers = {b"": None, b"ada": "ada", b"bob": Caller("bob", "north"), b"mallory": "mallory"}
    callers |= {b"odd": ["ada"], b"seven": Caller(7)}
    if shown not in callers:
        raise Unauthenticated("no such token", challenge='Bearer realm="desk"')
    return callers[shown]


async def known_at_once(scope):
    """The same by a coroutine that waits for nothing."""
    return known(scope)


async def known_later(scope):
    """The same by a coroutine that waits."""
    await asyncio.sleep(0.005)
    return known(scope)


def known_by_a_future(scope):
    """The same by what is to be awaited, but is no coroutine."""
    return asyncio.ensure_future(known_later(scope))


HOOKS = (known, known_at_once, known_later, known_by_a_future)


def call(token, body=ONE, *headers, name=OPEN, **more):
    """A command of whoever the token stands for."""
    return post(name, body, b"authorization: Bearer %b" % token, *headers, **more)


def halves(request):
    """A request that comes in two pieces, the second being its body."""
    head, _, body = request.partition(b"\r\n\r\n")
    return [head + b"\r\n\r\n", body]


AT_ONCE = {
    "nobody": [post(OPEN, ONE)],
    "somebody": [call(b"ada", opening("INC2"))],
    "somebody's mistake": [call(b"ada", opening("INC2"))],
    "somebody of a tenant": [call(b"bob", opening("INC3"))],
    "somebody who may not": [call(b"mallory", opening("INC4"))],
    "an unknown token": [call(b"eve")],
    "an unknown token, before its body": halves(call(b"eve")),
    "a token, before its body": halves(call(b"bob", opening("INC5"))),
    "an unknown token and a broken body": [call(b"eve", b'{"incident_id":')],
    "a token and a broken body": [call(b"ada", b'{"incident_id":')],
    "a token and no body": [call(b"ada", b"")],
    "a hook that fails": [call(b"broken")],
    "a hook that finds what is no caller": [call(b"odd")],
    "a hook that finds a number": [call(b"seven", opening("INC9"))],
    "a handler that fails": [call(b"ada", b"{}", name=b"break-down")],
}
THROUGH_ASGI = {
    "an unknown token and no such command": [call(b"eve", name=b"open-incidents")],
    "an unknown token and another method": [call(b"eve", method=b"PUT")],
    "an unknown token and a form": [call(b"eve", b"a=1", b"content-type: application/x-www-form-urlencoded")],
    "an unknown token and too large a body": [call(b"eve", opening("INC1", "c" * 2_000))],
    "an unknown token and a bad header": [call(b"eve", ONE, b"if-match: 1")],
    "a token and a form": [call(b"ada", b"a=1", b"content-type: application/x-www-form-urlencoded")],
    "a token and too large a body": [call(b"ada", opening("INC1", "c" * 2_000))],
    "a token and a bad header": [call(b"ada", ONE, b"if-match: 1")],
    "a token and a key": [call(b"bob", opening("INC6"), b"idempotency-key: k-1", b"correlation-id: c-1")],
    "an unknown token and the last request": [call(b"eve", ONE, b"connection: close")],
    "an unknown token in HTTP/1.0": [call(b"eve", version=b"1.0")],
    "an unknown token that waits to be told to go on": [call(b"eve", ONE, b"expect: 100-continue")],
}
PIPELINED = {
    "a token and an unknown one in one piece": ([call(b"ada", opening("INC7")) + call(b"eve")], 2),
    "an unknown token and a page in one piece": ([call(b"eve") + HEALTH + call(b"ada", opening("INC8"))], 3),
}
ALL = {name: (pieces, 1) for name, pieces in {**AT_ONCE, **THROUGH_ASGI}.items()} | PIPELINED


async def stored(served):
    """What is in the log: the events, and who they are of."""
    log = (await served.door.commands.begin.__self__.event_store.read()).events
    return [(event.position, event.type, event.data, event.tags, event.metadata) for event in log]


@pytest.mark.parametrize("hook", HOOKS)
async def test_both_ways_know_the_same_callers(hook):
    """Every answer byte for byte, whether its connection stays open, and all that was stored."""
    heard = []
    for protocol in (PLAIN, DIRECT):
        options = HttpOptions(authenticate=hook, max_body_bytes=1_000)
        async with serving(desk, "memory:", protocol, options) as served:
            answers = {name: await served.talk(*pieces, answers=count) for name, (pieces, count) in ALL.items()}
            heard.append((answers, await stored(served)))

    assert heard[0] == heard[1]
    assert {name: answers[0][0][9:12] for name, answers in heard[1][0].items()} == {
        **dict.fromkeys(ALL, b"401"),
        **dict.fromkeys(("nobody", "somebody", "somebody of a tenant", "a token, before its body"), b"200"),
        **dict.fromkeys(("a token and a key", "a token and an unknown one in one piece"), b"200"),
        **dict.fromkeys(("a token and a broken body", "a token and no body", "a token and a bad header"), b"400"),
        **dict.fromkeys(("a hook that fails", "a hook that finds what is no caller", "a handler that fails"), b"500"),
        "a hook that finds a number": b"422",
        "somebody's mistake": b"422",
        "somebody who may not": b"403",
        "an unknown token and no such command": b"404",
        "an unknown token and another method": b"405",
        "a token and a form": b"415",
        "a token and too large a body": b"413",
    }


@pytest.mark.parametrize("hook", HOOKS)
async def test_known_callers_do_without_asgi(hook):
    """Only the requests that look whether the connections still work come to the application."""
    async with serving(desk, "memory:", DIRECT, HttpOptions(authenticate=hook)) as served:
        for pieces in AT_ONCE.values():
            await served.talk(*pieces, answers=1)
        assert served.door.requests == len(AT_ONCE)


@pytest.mark.parametrize("config", [{}, {"proxy_headers": False}, {"root_path": "/desk"}], ids=str)
async def test_a_hook_is_given_the_same_scope(config):
    """Where it comes from according to a proxy, the path and all else; only the ports differ between two servers."""
    told = []

    def remember(scope):
        told.append({**scope, "headers": list(scope["headers"])})

    for protocol in (PLAIN, DIRECT):
        async with serving(desk, "memory:", protocol, HttpOptions(authenticate=remember), **config) as served:
            for more in ([b"x-forwarded-for: 10.0.0.1", b"x-forwarded-proto: https"], [b"X-Name: Upper"]):
                await served.talk(post(OPEN, ONE, *more), answers=1)

    plain, direct = ([re.sub(r"\('127.0.0.1', \d+\)", "here", repr(scope)) for scope in told[at:][:2]] for at in (0, 2))
    assert plain == direct
    assert ("('10.0.0.1'" in direct[0]) == ("proxy_headers" not in config)


# -- contexts

seen: contextvars.ContextVar[str] = contextvars.ContextVar("seen", default="nothing")


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("pieces", [[post(OPEN, ONE)], halves(post(OPEN, ONE))], ids=["whole", "halves"])
async def test_what_a_hook_sets_reaches_the_command_and_no_other_request(waits, pieces):
    """A name for the log that is set when the caller is known is there when the command is decided."""
    found = []

    def remember(scope):
        found.append(seen.get())
        seen.set(dict(scope["headers"])[b"host"].decode())

    async def remember_later(scope):
        await asyncio.sleep(0)
        remember(scope)

    app = App("desk", *PARTS, authorise=lambda _message, _actor: found.append(seen.get()))
    options = HttpOptions(authenticate=remember_later if waits else remember)
    async with serving(app, "memory:", DIRECT, options) as served:
        await served.talk(*pieces, *pieces, answers=2)

    assert found == ["nothing", "desk"] * 2


# -- hooks that wait


class Gate:
    """A hook that knows everybody as Ada, once it is let."""

    def __init__(self):
        self.asked = asyncio.Event()
        self.may_go = asyncio.Event()

    async def __call__(self, _scope):
        """Wait to be let."""
        self.asked.set()
        await self.may_go.wait()
        return "ada"


@pytest.mark.parametrize("protocol", [PLAIN, DIRECT])
async def test_a_client_that_goes_away_before_it_is_known_has_sent_nothing(protocol):
    """Nobody would have heard that the command was refused, so it is not carried out either."""
    gate = Gate()
    async with serving(desk, "memory:", protocol, HttpOptions(authenticate=gate)) as served:
        async with served.connection() as (_, writer):
            writer.write(post(OPEN, ONE))
            await gate.asked.wait()
        await until(lambda: not served.protocols)
        gate.may_go.set()
        await until(lambda: not served.server.server_state.tasks)
        assert await stored(served) == []


async def test_a_server_that_stops_waits_for_a_hook():
    """The command is answered before the stores are closed."""
    gate = Gate()
    async with (
        serving(desk, "memory:", DIRECT, HttpOptions(authenticate=gate)) as served,
        served.connection() as (reader, writer),
    ):
        writer.write(post(OPEN, ONE))
        await gate.asked.wait()
        served.server.should_exit = True
        await until(lambda: not served.protocols[0].cycle.keep_alive)
        gate.may_go.set()
        assert b'"position":1' in await response(reader)


async def test_a_server_that_stops_at_once_gives_a_hook_up():
    """The client is told to come again."""
    gate = Gate()
    async with (
        serving(desk, "memory:", DIRECT, HttpOptions(authenticate=gate), timeout_graceful_shutdown=0) as served,
        served.connection() as (reader, writer),
    ):
        writer.write(post(OPEN, ONE))
        await gate.asked.wait()
        served.server.should_exit = True
        answer = await response(reader)

    assert answer.startswith(b"HTTP/1.1 503")
    assert b"\r\nretry-after: 1\r\n" in answer


async def test_a_body_is_not_taken_in_before_its_sender_is_known():
    """The server stops reading a large one, and goes on when the hook has answered."""
    gate, large = Gate(), opening("INC1", "c" * 900_000)
    async with (
        serving(desk, "memory:", DIRECT, HttpOptions(authenticate=gate)) as served,
        served.connection() as (reader, writer),
    ):
        writer.write(post(OPEN, large))
        await until(lambda: [protocol.flow.read_paused for protocol in served.protocols] == [True])
        assert len(served.protocols[0].cycle.body) < len(large)
        gate.may_go.set()
        assert b'"position":1' in await response(reader)


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("protocol", [PLAIN, DIRECT])
async def test_a_body_that_comes_after_its_refusal_is_passed_over(protocol, hook):
    """The connection goes on after all of it, however large it is."""
    request = call(b"eve", opening("INC1", "c" * 900_000))
    head, rest = request[:1_000], [request[at : at + 100_000] for at in range(1_000, len(request), 100_000)]
    async with (
        serving(desk, "memory:", protocol, HttpOptions(authenticate=hook)) as served,
        served.connection() as (reader, writer),
    ):
        writer.write(head)
        assert (await response(reader)).startswith(b"HTTP/1.1 401")
        for piece in rest:
            writer.write(piece)
            await asyncio.sleep(0.001)
        writer.write(call(b"ada"))
        assert b'"position":1' in await asyncio.wait_for(response(reader), 10)
