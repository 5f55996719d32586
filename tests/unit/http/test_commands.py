"""``POST /commands/{name}``."""

from __future__ import annotations

import json

import pytest
from tests.unit.http.conftest import client_of

from headwater.errors import ProjectionBehind
from headwater.http import HttpOptions, asgi
from headwater.messages import Metadata


async def test_a_command_answers_with_its_receipt(open_incident):
    """The body is the receipt, and the headers say its position again."""
    response = await open_incident("INC1")

    assert response.status_code == 200
    assert response.json() == {"position": 1, "replayed": False}
    assert response.headers["headwater-position"] == "1"
    assert response.headers["etag"] == '"1"'
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("name", ["open-incident", "OpenIncident"])
async def test_a_command_is_found_by_its_slug_and_by_its_name(client, name):
    """Both spellings lead to the same command."""
    response = await client.post(f"/commands/{name}", json={"incident_id": "INC1", "caller": "c7"})

    assert response.status_code == 200


async def test_if_match_expects_a_position(client, open_incident):
    """The entity tag of a receipt, sent back, holds as long as nobody changed the incident."""
    etag = (await open_incident("INC1")).headers["etag"]
    await open_incident("INC2")

    resolved = await client.post("/commands/resolve-incident", json={"incident_id": "INC1"}, headers={"if-match": etag})

    assert resolved.status_code == 200


async def test_if_match_with_an_old_position_is_a_failed_precondition(client, open_incident):
    """412, with both positions."""
    await open_incident("INC1")
    stale = await client.post("/commands/resolve-incident", json={"incident_id": "INC1"}, headers={"if-match": '"7"'})

    assert stale.status_code == 412
    assert stale.json()["fields"] == {"expected": 7, "actual": 1}


_EXPECTED = [
    ("any of a list", [("if-match", '"7", "1"')], 200),
    ("any of a list in two lines", [("if-match", '"1"'), ("if-match", '"7"')], 200),
    ("empty places of a list", [("if-match", ', "1" ,,')], 200),
    ("none of a list", [("if-match", '"7","0"')], 412),
    ("whatever is there", [("if-match", "*")], 200),
    ("a weak tag", [("if-match", 'W/"1"')], 412),
    ("a weak tag of something else", [("if-match", 'W/"a,b"')], 412),
    ("a weak tag beside a strong one", [("if-match", 'W/"7", "1"')], 200),
]


@pytest.mark.parametrize(("what", "headers", "status"), _EXPECTED)
async def test_if_match_takes_what_http_has_for_it(client, open_incident, what, headers, status):
    """Lists, weak tags that never match, and the star (RFC 9110 §13.1.1)."""
    await open_incident("INC1")
    resolved = await client.post("/commands/resolve-incident", json={"incident_id": "INC1"}, headers=headers)

    assert resolved.status_code == status, what


@pytest.mark.parametrize(
    ("tag", "expected", "detail"),
    [
        ("*", "any", "expected a change, but there is none yet"),
        ('"7", "9"', [7, 9], "expected no change after position 7 or 9, but the last one of 0 events is at 0"),
        ('W/"0"', [], "expected no change after no position, but the last one of 0 events is at 0"),
    ],
)
async def test_what_was_expected_is_told(open_incident, tag, expected, detail):
    """So that the caller sees why: here of something that is not there yet."""
    failed = await open_incident("INC1", if_match=tag)

    assert (failed.status_code, failed.json()["detail"]) == (412, detail)
    assert failed.json()["fields"] == {"expected": expected, "actual": 0}


async def test_if_none_match_star_wants_something_new(open_incident):
    """The first one succeeds; the second fails its precondition before its rule is asked."""
    first = await open_incident("INC1", if_none_match="*")
    second = await open_incident("INC1", if_none_match="*")

    assert (first.status_code, second.status_code) == (200, 412)


@pytest.mark.parametrize("key", ["k-1", '"k-1"', '"with \\"quotes\\""', '"a, b"'])
async def test_an_idempotency_key_returns_the_first_receipt(open_incident, key):
    """Quoted or bare, a repeat is marked and changes nothing."""
    first = await open_incident("INC1", idempotency_key=key)
    again = await open_incident("INC1", idempotency_key=key)

    assert again.status_code == 200
    assert again.json() == {"position": first.json()["position"], "replayed": True}
    assert again.headers["idempotency-replayed"] == "true"


async def test_an_idempotency_key_belongs_to_one_command(open_incident):
    """The same key with another body is refused."""
    await open_incident("INC1", idempotency_key="k-1")
    other = await open_incident("INC2", idempotency_key="k-1")

    assert other.status_code == 422
    assert other.json()["type"] == "urn:headwater:problem:idempotency-mismatch"


async def test_actor_and_correlation_stand_in_the_metadata(open_incident, runtime):
    """Who sent it and what it belongs to are part of the event."""
    await open_incident("INC1", actor="alice", correlation_id="case-9")

    assert await _metadata(runtime) == ("alice", "case-9")


async def test_the_trace_is_the_correlation_where_there_is_no_other(open_incident, runtime):
    """A traceparent names the trace."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    await open_incident("INC1", traceparent=f"00-{trace}-00f067aa0ba902b7-01")

    assert await _metadata(runtime) == (None, trace)


async def test_prefer_wait_answers_once_the_read_models_include_it(open_incident, runtime):
    """200 with the preference applied, and the projections are there."""
    response = await open_incident("INC1", prefer="wait=5")
    statuses = await runtime.projections()

    assert (response.status_code, response.headers["preference-applied"]) == (200, "wait=5")
    assert [status.position for status in statuses] == [1]


async def test_prefer_wait_answers_202_if_the_read_models_stay_behind(open_incident, runtime, monkeypatch):
    """The command is durable all the same."""
    door = asgi(runtime)

    async def never(*_, **__):
        raise ProjectionBehind("not yet")

    monkeypatch.setattr(door._ready.commands, "_caught_up", never)
    async with client_of(door) as client:
        response = await client.post(
            "/commands/open-incident", json={"incident_id": "I", "caller": "c"}, headers={"prefer": "wait=0"}
        )

    assert (response.status_code, response.json()["position"]) == (202, 1)


async def test_a_refusal_carries_its_reason(open_incident):
    """422, the rule's own slug, and what the rule wants known."""
    await open_incident("INC1")
    refused = (await open_incident("INC1")).json()

    assert refused == {
        "type": "urn:headwater:problem:refused",
        "title": "A business rule refused the command",
        "status": 422,
        "detail": "INC1 is open",
        "code": "incident-exists",
        "fields": {"status": "open"},
    }


async def test_all_faults_of_a_command_come_at_once(client):
    """Each with the JSON pointer to it."""
    response = await client.post("/commands/open-incident", json={"incident_id": 7, "impact": 9, "colour": "red"})
    pointers = [fault["pointer"] for fault in response.json()["errors"]]

    assert response.status_code == 422
    assert sorted(pointers) == ["/caller", "/colour", "/impact", "/incident_id"]


_BAD = [
    ("malformed JSON", {"content": b'{"incident_id": '}, 400, "malformed-message"),
    ("no JSON object", {"content": b"[]"}, 422, "invalid-message"),
    ("an empty body", {"content": b""}, 400, "malformed-message"),
    ("bytes that are no text", {"content": b'{"caller":"\xff"}'}, 400, "malformed-message"),
    ("too long", {"content": b" " * 1001}, 413, "body-too-large"),
    ("a bad If-Match", {"headers": {"if-match": "12"}}, 400, "invalid-header"),
    ("an empty If-Match", {"headers": {"if-match": " ,"}}, 400, "invalid-header"),
    ("tags without commas", {"headers": {"if-match": '"1" "2"'}}, 400, "invalid-header"),
    ("the tag of an answer", {"headers": {"if-match": '"1", "x7"'}}, 400, "invalid-header"),
    ("a star beside a tag", {"headers": [("if-match", "*"), ("if-match", '"1"')]}, 400, "invalid-header"),
    ("much space and no tag", {"headers": {"if-match": " \t" * 20_000 + "x"}}, 400, "invalid-header"),
    ("two idempotency keys", {"headers": [("idempotency-key", "a"), ("idempotency-key", "a")]}, 400, "invalid-header"),
    ("keys joined by a proxy", {"headers": {"idempotency-key": "a, b"}}, 400, "invalid-header"),
    ("quoted keys joined by a proxy", {"headers": {"idempotency-key": '"a", "b"'}}, 400, "invalid-header"),
    ("two correlations", {"headers": [("correlation-id", "a"), ("correlation-id", "b")]}, 400, "invalid-header"),
    ("an If-None-Match with a tag", {"headers": {"if-none-match": '"12"'}}, 400, "invalid-header"),
    ("both preconditions", {"headers": {"if-none-match": "*", "if-match": '"1"'}}, 400, "invalid-header"),
    ("an empty idempotency key", {"headers": {"idempotency-key": ""}}, 400, "invalid-header"),
    ("an endless idempotency key", {"headers": {"idempotency-key": "k" * 256}}, 400, "invalid-header"),
    ("a correlation id that is no text", {"headers": {"correlation-id": b"\xff"}}, 400, "invalid-header"),
    ("a form", {"headers": {"content-type": "application/x-www-form-urlencoded"}}, 415, "unsupported-media-type"),
    ("plain text", {"headers": {"content-type": "text/plain"}}, 415, "unsupported-media-type"),
    (
        "another charset",
        {"headers": {"content-type": "application/json; charset=latin-1"}},
        415,
        "unsupported-media-type",
    ),
    ("a compressed body", {"headers": {"content-encoding": "gzip"}}, 415, "unsupported-media-type"),
    ("somebody who may not", {"headers": {"actor": "mallory"}}, 403, "forbidden"),
]


@pytest.mark.parametrize(("request_with", "status", "code"), [row[1:] for row in _BAD], ids=[row[0] for row in _BAD])
async def test_a_bad_request_is_a_problem_and_stores_nothing(client, runtime, request_with, status, code):
    """Typed, by its code, and the log stays empty."""
    good = json.dumps({"incident_id": "INC1", "caller": "c7"}).encode()
    named = request_with.get("headers", {})
    own = {"content-type": "application/json"}
    headers = own | named if isinstance(named, dict) else [*own.items(), *named]
    response = await client.post("/commands/open-incident", content=request_with.get("content", good), headers=headers)

    assert (response.status_code, response.json()["type"]) == (status, f"urn:headwater:problem:{code}")
    assert response.headers["content-type"] == "application/problem+json"
    assert await runtime.event_store.head() == 0


async def test_json_with_its_charset_is_json(client):
    """What browsers and older clients write."""
    headers = {"content-type": 'Application/JSON; charset="UTF-8"'}
    response = await client.post("/commands/break-down", content=b"{", headers=headers)

    assert response.status_code == 400


async def test_an_unknown_command_names_the_nearest(client):
    """404, and a hint."""
    response = await client.post("/commands/open-incidnt", json={})

    assert response.status_code == 404
    assert "OpenIncident" in response.json()["remedy"]


async def test_a_command_that_is_like_none_is_told_with_all_there_are(client):
    """404, and what to choose from."""
    response = await client.post("/commands/zzz", json={})

    assert response.json()["remedy"].startswith("there are: BreakDown, ")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
async def test_only_post_carries_out_commands(client, method):
    """405 says what is allowed; a HEAD gets no body."""
    response = await client.request(method, "/commands/open-incident")

    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert bool(response.content) == (method != "HEAD")


async def test_an_unforeseen_failure_tells_nothing_of_the_inside(client, caplog):
    """500 for the caller, the trace for the log."""
    response = await client.post("/commands/break-down", json={})

    assert (response.status_code, response.json()["type"]) == (500, "urn:headwater:problem:internal-error")
    assert "hunter2" not in response.text
    assert "hunter2" in caplog.text


async def test_a_body_may_come_in_parts(runtime):
    """A chunked body is put together, and cut off as soon as it is too large."""
    door = asgi(runtime, HttpOptions(max_body_bytes=100))

    async def parts(*chunks):
        for chunk in chunks:
            yield chunk

    async with client_of(door) as client:
        json_type = {"content-type": "application/json"}
        whole = await client.post(
            "/commands/open-incident", content=parts(b'{"incident_id":"I",', b'"caller":"c"}'), headers=json_type
        )
        large = await client.post("/commands/open-incident", content=parts(b"1" * 60, b"1" * 60), headers=json_type)

    assert (whole.status_code, large.status_code) == (200, 413)


async def _metadata(runtime):
    [stored] = (await runtime.event_store.read()).events
    seen = json.loads(stored.metadata)
    return seen.get("actor"), seen.get("correlation")


def test_metadata_has_the_names_that_these_tests_read():
    """The two names above are fields of ``Metadata``."""
    assert {"actor", "correlation"} <= set(Metadata.__struct_fields__)
