"""``GET``, ``QUERY`` and ``POST /queries/{name}``."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.unit.http.conftest import client_of
from tests.unit.http.desk import PARTS, IncidentRow, app

from headwater import App, Query, Reader, answers
from headwater.http import HttpOptions, asgi
from headwater.http.answers import cache_control
from headwater.messages import Cache
from headwater.testing import ControlledClock


@pytest.fixture
async def five(open_incident, runtime):
    """Five incidents, odd ones of impact 1, even ones of impact 2, all in the read model."""
    for number in range(1, 6):
        await open_incident(f"INC{number}", impact=2 - number % 2)
    await runtime.caught_up()


def _ids(response):
    return [row["incident_id"] for row in response.json()["items"]]


async def test_an_answer_states_its_position_and_age(client, five):
    """The rows in the body; how fresh they are in the headers."""
    response = await client.get("/queries/find-incidents")

    assert response.status_code == 200
    assert _ids(response) == ["INC1", "INC2"]
    assert response.headers["headwater-position"] == "5"
    assert float(response.headers["headwater-age"]) >= 0
    assert response.headers["cache-control"] == "private, no-cache"


async def test_parameters_have_the_types_of_the_contract(client, five):
    """A list may be repeated, a nested field has a dot, numbers and dates are read as such."""
    response = await client.get(
        "/queries/FindIncidents?impact=1&impact=3&sort=-incident_id&page.size=10&status=open&since=2026-01-31"
    )

    assert _ids(response) == ["INC5", "INC3", "INC1"]


async def test_the_link_header_walks_through_all_pages(client, five):
    """Follow ``next`` and every row comes once; the last page has none; ``prev`` leads back."""
    first = await client.get("/queries/find-incidents?sort=-incident_id")
    second = await client.get(first.links["next"]["url"])
    third = await client.get(second.links["next"]["url"])
    back = await client.get(third.links["prev"]["url"])

    assert [_ids(page) for page in (first, second, third)] == [["INC5", "INC4"], ["INC3", "INC2"], ["INC1"]]
    assert ("next" in third.links, "prev" in first.links) == (False, False)
    assert _ids(back) == ["INC3", "INC2"]


async def test_an_answer_waits_for_the_position_of_a_receipt(client, open_incident):
    """Reading one's own write: send the receipt's position back."""
    for number in range(20):
        receipt = await open_incident(f"INC{number}")
        position = receipt.headers["headwater-position"]
        row = await client.get(
            f"/queries/get-incident?incident_id=INC{number}", headers={"headwater-position": position}
        )

        assert row.json()["incident_id"] == f"INC{number}"


async def test_a_position_that_does_not_come_is_a_passing_problem(client, five):
    """503 with ``Retry-After``, once the preferred wait is over."""
    response = await client.get(
        "/queries/find-incidents", headers={"headwater-position": "99", "prefer": "respond-async, wait=0"}
    )

    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert response.json()["type"] == "urn:headwater:problem:projection-behind"


async def test_how_far_a_projection_has_come_is_told_with_the_problem(client, five):
    """The problem's fields and a header name the position it has reached, and the detail how far that is."""
    response = await client.get("/queries/find-incidents", headers={"headwater-position": "99", "prefer": "wait=0"})
    problem = response.json()

    assert problem["fields"] == {"projection": "Incidents", "wanted": 99, "reached": 5}
    assert "94 behind the wanted 99" in problem["detail"]
    assert response.headers["headwater-position"] == "5"


async def test_a_kept_wait_is_confirmed(client, five):
    """``Preference-Applied`` names the wait, within the door's limit; without a preference there is none."""
    asked = await client.get("/queries/find-incidents", headers={"prefer": "wait=7"})
    capped = await client.get("/queries/find-incidents", headers={"prefer": "wait=7000"})
    plain = await client.get("/queries/find-incidents")

    assert asked.headers["preference-applied"] == "wait=7"
    assert capped.headers["preference-applied"] == "wait=30"
    assert "preference-applied" not in plain.headers


async def test_a_cache_on_the_way_knows_what_an_answer_depends_on(client, five):
    """Its age in whole seconds, and the headers that would change it."""
    response = await client.get("/queries/find-incidents")

    assert response.headers["age"] == "0"
    assert {"authorization", "headwater-position"} <= set(response.headers["vary"].lower().split(", "))


async def test_an_answer_that_misses_events_says_how_old_it_is():
    """Nobody follows here, so the age is that of the first event that is missing."""
    clock = ControlledClock()
    async with app.open("memory:", follow=False, clock=clock) as still, client_of(asgi(still)) as asking:
        await asking.post("/commands/open-incident", json={"incident_id": "INC1", "caller": "c7"})
        clock.advance(timedelta(seconds=12.3))
        old = await asking.get("/queries/find-incidents")
        fresh = await asking.get(
            "/queries/find-incidents", headers={"headwater-max-staleness": "12", "prefer": "wait=0"}
        )

    assert (old.headers["headwater-position"], old.headers["headwater-age"], old.headers["age"]) == (
        "0",
        "12.300",
        "13",
    )
    assert (fresh.status_code, fresh.json()["fields"]["wanted"]) == (503, 1)


async def test_an_answer_may_be_asked_to_be_fresh(client, five):
    """A bound on its age is met when nothing more is coming."""
    response = await client.get("/queries/find-incidents", headers={"headwater-max-staleness": "0.5"})

    assert response.status_code == 200


async def test_an_answer_may_be_asked_for_as_it_was(client, five):
    """At a position or a time; it says where it stands, and a place that there is not is a problem."""
    then = await client.get("/queries/find-incidents", headers={"headwater-as-of": "2"})
    before = await client.get("/queries/find-incidents", headers={"headwater-as-of": "2001-01-01T00:00:00Z"})
    beyond = await client.get("/queries/find-incidents", headers={"headwater-as-of": "99"})

    assert (len(then.json()["items"]), then.headers["headwater-position"]) == (2, "2")
    assert (before.json()["items"], before.headers["headwater-position"]) == ([], "0")
    assert (beyond.status_code, beyond.json()["type"]) == (400, "urn:headwater:problem:invalid-as-of")


async def test_an_unchanged_answer_is_304(client, five, open_incident, runtime):
    """The entity tag names the content: the same again is not sent, another one is."""
    first = await client.get("/queries/find-incidents?impact=1&page.size=9")
    tag = first.headers["etag"]
    same = await client.get("/queries/find-incidents?impact=1&page.size=9", headers={"if-none-match": f"W/{tag}"})
    await open_incident("INC9", impact=1)
    await runtime.caught_up()
    other = await client.get("/queries/find-incidents?impact=1&page.size=9", headers={"if-none-match": tag})

    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    assert (other.status_code, _ids(other)) == (200, ["INC1", "INC3", "INC5", "INC9"])


async def test_head_is_get_without_the_body(client, five):
    """The same headers, nothing after them."""
    get = await client.get("/queries/find-incidents")
    head = await client.head("/queries/find-incidents")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(get.content))
    assert head.headers["etag"] == get.headers["etag"]


@pytest.mark.parametrize("method", ["QUERY", "POST"])
async def test_a_query_may_be_a_body(client, five, method):
    """What no query string can say comes as JSON, with the method QUERY or POST."""
    response = await client.request(method, "/queries/find-incidents", json={"impact": [2], "page": {"size": 10}})

    assert _ids(response) == ["INC2", "INC4"]


async def test_nothing_found_is_null(client):
    """A query that may answer with nothing does so."""
    response = await client.get("/queries/get-incident?incident_id=none")

    assert (response.status_code, response.json()) == (200, None)


_BAD = [
    ("an unknown parameter", "colour=red", 422, "invalid-message", ["/colour"]),
    ("an unknown nested parameter", "page.colour=red", 422, "invalid-message", ["/page/colour"]),
    ("a parameter that is given twice", "status=a&status=b", 422, "invalid-message", ["/status"]),
    ("a value of the wrong type", "impact=high", 422, "invalid-message", ["/impact/0"]),
    ("two values of the wrong type", "impact=high&since=monday", 422, "invalid-message", ["/impact/0", "/since"]),
    ("a cursor nobody made", "page.cursor=abc", 400, "invalid-cursor", None),
    ("a sort nobody offers", "sort=colour", 400, "unknown-field", None),
    ("escapes that are no text", "status=%ff", 400, "malformed-message", None),
    ("endless parameters", "impact=1&" * 201, 400, "malformed-message", None),
]


@pytest.mark.parametrize(("query", "status", "code", "pointers"), [r[1:] for r in _BAD], ids=[r[0] for r in _BAD])
async def test_bad_parameters_are_problems(client, query, status, code, pointers):
    """Typed, with pointers where a field is at fault."""
    response = await client.get(f"/queries/find-incidents?{query}")
    problem = response.json()

    assert (response.status_code, problem["type"]) == (status, f"urn:headwater:problem:{code}")
    assert pointers is None or sorted(fault["pointer"] for fault in problem["errors"]) == pointers


_BAD_HEADERS = [
    ("headwater-position", "-1"),
    ("headwater-position", "soon"),
    ("headwater-position", "9" * 30),
    ("headwater-max-staleness", "nan"),
    ("headwater-as-of", "yesterday"),
]


@pytest.mark.parametrize(("name", "value"), _BAD_HEADERS)
async def test_bad_headers_are_problems(client, name, value):
    """400, and the detail names the header."""
    response = await client.get("/queries/find-incidents", headers={name: value})

    assert (response.status_code, response.json()["type"]) == (400, "urn:headwater:problem:invalid-header")
    assert name in response.json()["detail"].lower()


async def test_a_missing_parameter_is_named(client):
    """422 with its pointer."""
    response = await client.get("/queries/get-incident")

    assert [fault["pointer"] for fault in response.json()["errors"]] == ["/incident_id"]


async def test_an_unknown_query_names_the_nearest(client):
    """404, and a hint."""
    response = await client.get("/queries/find-incident")

    assert response.status_code == 404
    assert "FindIncidents" in response.json()["remedy"]


async def test_a_query_cannot_be_deleted(client):
    """405 says what is allowed."""
    response = await client.delete("/queries/find-incidents")

    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, POST, QUERY")


async def test_a_body_must_be_json(client):
    """415 for a form, 413 for too much, 400 for what is not JSON."""
    sent = [
        await client.request("QUERY", "/queries/find-incidents", content=content, headers={"content-type": media})
        for media, content in (
            ("text/plain", b"{}"),
            ("application/json", b" " * 1001),
            ("application/json", b"{"),
        )
    ]

    assert [response.status_code for response in sent] == [415, 413, 400]


async def test_who_may_not_ask_is_forbidden(client):
    """The same rule as for commands."""
    response = await client.get("/queries/find-incidents", headers={"actor": "mallory"})

    assert response.status_code == 403


async def test_a_wait_is_bounded_by_the_door(runtime):
    """However long a caller prefers to wait, the door has its own limit."""
    door = asgi(runtime, HttpOptions(longest_wait_seconds=0.01))
    async with client_of(door) as client:
        response = await client.get(
            "/queries/find-incidents", headers={"headwater-position": "99", "prefer": "wait=3600"}
        )

    assert response.status_code == 503


_RULES = [
    (None, "private, no-cache", "private, no-cache"),
    (Cache(), "public, no-cache", "private, no-cache"),
    (Cache(ttl=60), "public, no-cache", "private, no-cache"),
    (Cache(max_staleness=5.9), "public, max-age=5", "private, max-age=5"),
    (Cache(ttl=3, max_staleness=5), "public, max-age=3", "private, max-age=3"),
    (
        Cache(max_staleness=float("inf"), stale_while_revalidate=7),
        "public, max-age=31536000, stale-while-revalidate=7",
        "private, max-age=31536000, stale-while-revalidate=7",
    ),
]


@pytest.mark.parametrize(("rules", "for_all", "for_one"), _RULES)
def test_others_may_keep_an_answer_as_long_as_a_change_may_be_late(rules, for_all, for_one):
    """Not for its ttl: within that it may change at any time."""
    assert cache_control(rules, is_public=True).decode() == for_all
    assert cache_control(rules, is_public=False).decode() == for_one


class CountIncidents(Query[int], cache=Cache(max_staleness=10)):
    """How many there are, perhaps as of a while ago."""


@answers
async def count_incidents(query: CountIncidents, incidents: Reader[IncidentRow]) -> int:
    """All of them."""
    return await incidents.count()


async def test_a_kept_answer_says_how_it_may_be_kept():
    """Its entity tag stays, and a caller who must see more gets it."""
    counting = App("counting", *PARTS, count_incidents)
    async with counting.open("memory:") as runtime, client_of(asgi(runtime)) as client:
        first = await client.get("/queries/count-incidents")
        receipt = await client.post("/commands/open-incident", json={"incident_id": "INC1", "caller": "c7"})
        await runtime.caught_up()
        kept = await client.get("/queries/count-incidents", headers={"if-none-match": first.headers["etag"]})
        position = {"headwater-position": receipt.headers["headwater-position"]}
        fresh = await client.get("/queries/count-incidents", headers=position)

    assert (first.text, first.headers["cache-control"]) == ("0", "public, max-age=10")
    assert (kept.status_code, kept.headers["headwater-position"]) == (304, "0")
    assert (fresh.text, fresh.headers["headwater-position"]) == ("1", "1")
