"""Declared queries over HTTP: parameters and bodies, links, what is refused, and what the contract says of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

import httpx2
import jsonschema_rs
import pytest

from headwater import (
    App,
    DetailQuery,
    Event,
    Filter,
    Join,
    Key,
    ListQuery,
    Prefix,
    Projection,
    Range,
    ReadModel,
    Search,
    Searchable,
    Sort,
    Sortable,
    Tag,
    on,
)
from headwater.figure_marks import Count, Group
from headwater.http import asgi
from headwater.queries.reports import ReportQuery
from headwater.reports import ReportRow


class Opened(Event):
    code: Annotated[str, Tag("incident")]
    title: str
    caller: str
    at: datetime


class Called(Event):
    caller: Annotated[str, Tag("caller")]
    name: str


class Incident(ReadModel):
    code: Annotated[str, Key()]
    title: Annotated[str, Searchable()]
    status: Literal["open", "closed"]
    caller: str
    opened_at: datetime


class Caller(ReadModel):
    caller: Annotated[str, Key()]
    name: str


class IncidentWithCaller(Incident):
    caller_row: Annotated[Caller | None, Join("caller")] = None


class Incidents(Projection[Incident]):
    @on
    def opened(self, event: Opened) -> Incident:
        return Incident(code=event.code, title=event.title, status="open", caller=event.caller, opened_at=event.at)


class Callers(Projection[Caller]):
    @on
    def called(self, event: Called) -> Caller:
        return Caller(caller=event.caller, name=event.name)


class FindIncidents(ListQuery[IncidentWithCaller]):
    """Incidents, newest first."""

    status: list[Literal["open", "closed"]] | None = None
    opened_at: Range[datetime] | None = None
    caller_name: Annotated[str | None, Filter("caller_row.name", by=Prefix)] = None
    search: Annotated[str | None, Search(highlight=True)] = None
    sort: Annotated[Sort, Sortable("opened_at", "caller_row.name")] = "relevance,-opened_at"


class GetIncident(DetailQuery[IncidentWithCaller]):
    """One incident."""

    code: str


class PerStatus(ReportRow[Incident]):
    status: Annotated[Literal["open", "closed"], Group()]
    incidents: Annotated[int, Count()]


class CountIncidents(ReportQuery[PerStatus]):
    caller: str | None = None


app = App("desk", Opened, Called, Incidents, Callers, FindIncidents, GetIncident, CountIncidents)


@pytest.fixture(params=["memory:", "sqlite"])
async def client(request, tmp_path):
    """A client of the application, in which five incidents are open."""
    url = "memory:" if request.param == "memory:" else f"sqlite:///{tmp_path}/log.db"
    events = [
        *(
            Opened(code=f"i{n}", title=f"Paper <jam> {n}", caller=f"c{n % 2}", at=datetime(2026, 1, n + 1, tzinfo=UTC))
            for n in range(5)
        ),
        Called(caller="c1", name="Ann"),
    ]
    async with app.open(url) as runtime:
        await runtime.event_store.append([app.codec.encode_event(event) for event in events])
        await runtime.caught_up()
        transport = httpx2.ASGITransport(app=asgi(runtime))
        async with httpx2.AsyncClient(transport=transport, base_url="http://desk") as made:
            yield made


def codes(response):
    assert response.status_code == 200, response.text
    return "".join(row["code"][1] for row in response.json()["items"])


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ("", "43210"),
        ("?status=open&status=closed", "43210"),
        ("?status=closed", ""),
        ("?opened_at.ge=2026-01-02T00:00:00Z&opened_at.lt=2026-01-04T00:00:00Z", "21"),
        ("?caller_name=A&sort=opened_at", "13"),
        ("?search=jam+3", "3"),
        ("?sort=-caller_row.name,opened_at", "13024"),
    ],
)
async def test_a_query_string_says_what_is_wanted(client, parameters, found):
    """Names with a dot go inside; a name given twice is a list."""
    assert codes(await client.get(f"/queries/find-incidents{parameters}")) == found


async def test_a_body_says_the_same(client):
    """With QUERY, and with POST for those who cannot send that."""
    for method in ("QUERY", "POST"):
        body = {"opened_at": {"lt": "2026-01-03T00:00:00Z"}, "page": {"size": 1}, "fields": ["code"]}
        response = await client.request(method, "/queries/find-incidents", json=body)
        assert response.json()["items"] == [{"code": "i1"}]


async def test_links_lead_to_the_next_and_previous_page(client):
    """With everything that was asked for."""
    response = await client.get("/queries/find-incidents?search=paper&page.size=2&fields=code,title")
    seen = [codes(response)]
    while "next" in response.links:
        response = await client.get(response.links["next"]["url"])
        seen.append(codes(response))
    response = await client.get(response.links["prev"]["url"])
    assert sorted("".join(seen)) == list("01234")
    assert codes(response) == seen[1]
    assert response.json()["highlights"][0]["title"].startswith("<mark>Paper</mark> &lt;jam&gt;")


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("find-incidents?sort=title", 400, "there are: relevance, opened_at, caller_row.name"),
        ("find-incidents?fields=titel", 400, "did you mean title?"),
        ("find-incidents?opened=x", 422, "did you mean opened_at? there are:"),
        ("find-incidents?opened_at.after=x", 422, "there are: ge, gt, le, lt"),
        ("find-incidents?page.cursor=abc", 400, "start again without a cursor"),
        (f"find-incidents?search={'x' * 501}", 400, "at most 500 characters"),
        ("get-incident?code=none", 404, "there is no IncidentWithCaller of code 'none'"),
        ("get-incident", 422, "is missing"),
    ],
)
async def test_what_is_wrong_is_told_with_what_is_right(client, path, status, told):
    """As a problem document."""
    response = await client.get(f"/queries/{path}")
    assert response.status_code == status
    assert told in response.text


async def test_a_detail_is_one_row(client):
    """Whole, or in part."""
    whole = (await client.get("/queries/get-incident?code=i1")).json()
    assert whole["caller_row"] == {"caller": "c1", "name": "Ann"}
    part = (await client.get("/queries/get-incident?code=i1&fields=title,code")).json()
    assert part == {"title": "Paper <jam> 1", "code": "i1"}


async def test_the_contract_says_what_can_be_asked(client):
    """Types, enums, formats, operators, and the names to sort by and to read."""
    paths = (await client.get("/openapi.json")).json()["paths"]
    told = {each["name"]: each["schema"] for each in paths["/queries/find-incidents"]["get"]["parameters"]}
    assert told["opened_at.ge"]["anyOf"][0] == {"type": "string", "format": "date-time"}
    assert told["opened_at.ge"]["x-headwater-filter"] == {"fields": ["opened_at"], "operator": "ge"}
    assert told["status"]["anyOf"][0] == {"type": "array", "items": {"enum": ["closed", "open"]}}
    assert told["caller_name"]["x-headwater-filter"] == {"fields": ["caller_row.name"], "operator": "prefix"}
    assert told["fields"]["items"]["enum"] == ["code", "title", "status", "caller", "opened_at", "caller_row"]
    assert told["sort"]["x-headwater-sortable"] == ["relevance", "opened_at", "caller_row.name"]
    assert "pri*" in told["search"]["description"]

    told = {each["name"]: each["schema"] for each in paths["/queries/count-incidents"]["get"]["parameters"]}
    assert told["caller"]["x-headwater-filter"] == {"fields": ["caller"], "operator": "eq"}
    assert told["sort"]["x-headwater-sortable"] == ["status", "incidents"]


async def test_answers_fit_the_contract(client):
    """Whole rows, rows in part, and rows with highlights."""
    document = (await client.get("/openapi.json")).json()
    for name, parameters in (
        ("find-incidents", ""),
        ("find-incidents", "?search=paper&fields=code"),
        ("get-incident", "?code=i2&fields=title"),
    ):
        schema = document["paths"][f"/queries/{name}"]["get"]["responses"]["200"]["content"]["application/json"]
        whole = {**schema["schema"], "components": document["components"]}
        answer = (await client.get(f"/queries/{name}{parameters}")).json()
        assert list(jsonschema_rs.validator_for(whole).iter_errors(answer)) == []
