"""What a query may cost: bounds of time, pages, rows looked at and the planner's estimate, and what happens beyond."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Annotated

import httpx2
import pytest

from headwater import (
    App,
    Contains,
    Event,
    Key,
    ListQuery,
    PageRequest,
    Projection,
    Query,
    ReadModel,
    Runtime,
    Tag,
    answers,
    on,
)
from headwater.errors import ContractError, QueryTooExpensive, QueryTooSlow
from headwater.http import asgi
from headwater.limits import Allowance, Limits, begin_query, current_allowance, end_query
from headwater.testing.conformance.read_samples import SEATS, Seat, put

DAY = date(2026, 1, 1)
ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n WHERE x < 0"


class Noted(Event):
    key: Annotated[str, Tag("note")]


class Note(ReadModel):
    key: Annotated[str, Key()]
    text: str = ""


class Notes(Projection[Note]):
    @on
    def noted(self, event: Noted) -> Note:
        return Note(key=event.key)


class FindNotes(ListQuery[Note]):
    """Under the limits of the application."""


class FindFewNotes(ListQuery[Note], limits=Limits(page_size=2)):
    """Under limits of its own."""


class Endless(Query[int]):
    """Something that never ends by itself."""

    sql: str


@answers
async def endless(query: Endless, runtime: Runtime) -> int:
    return len(await runtime.read_store.query(query.sql))


def app(**limits):
    return App("notes", Noted, Notes, FindNotes, FindFewNotes, endless, limits=Limits(**limits))


async def until(check):
    async with asyncio.timeout(20):
        while not check():  # noqa: ASYNC110  what is waited for happens in a thread, or on a server
            await asyncio.sleep(0.005)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def url(request, tmp_path):
    """A place for an application."""
    if request.param == "postgres":
        return request.getfixturevalue("postgres_url")
    return "memory:" if request.param == "memory" else f"sqlite:///{tmp_path}/log.db"


async def test_a_page_may_be_limited(url):
    """By the query, or else by the application."""
    async with app(page_size=3).open(url) as runtime:
        for query, allowed in ((FindNotes, 3), (FindFewNotes, 2)):
            assert (await runtime.ask(query(page=PageRequest(size=allowed)))).items == []
            with pytest.raises(QueryTooExpensive, match=f"at most {allowed} rows") as caught:
                await runtime.ask(query(page=PageRequest(size=allowed + 1)))
            assert caught.value.fields == {"limit": "page_size", "allowed": allowed}


async def test_outside_a_query_there_is_no_limit(url):
    """What goes on in the application itself is not asked by anybody."""
    async with app(page_size=1).open(url) as runtime:
        await runtime.ask(FindNotes(page=PageRequest(size=1)))
        assert current_allowance() is None
        await runtime.read_store.reader(Note).page(PageRequest(size=1_000))


@pytest.mark.parametrize("limits", [{"seconds": 0}, {"page_size": -1}, {"cost": 0.0}, {"seconds": "x"}])
def test_a_limit_is_above_nothing(limits):
    """Without one, it is None."""
    with pytest.raises(ContractError):
        Limits(**limits)
    Limits(**dict.fromkeys(limits))


async def test_rows_looked_at_are_counted(tmp_path):
    """In memory one by one, in SQLite by its steps; what is asked for by key is not."""
    for url in ("memory:", f"sqlite:///{tmp_path}/log.db"):
        async with app().open(url) as runtime:
            store = runtime.read_store
            await store.prepare([SEATS])
            await put(store, SEATS, *[Seat(day=DAY, number=number, guest="x" * 20) for number in range(60_000)])
            before = begin_query(Allowance(Limits(rows_scanned=10_000)))
            try:
                assert await store.reader(Seat).get((DAY, 7)) is not None
                with pytest.raises(QueryTooExpensive, match="more than 10,000 rows"):
                    await store.reader(Seat).where(guest=Contains("y")).all()
            finally:
                end_query(before)
            assert await store.reader(Seat).where(guest=Contains("y")).all() == []


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
async def test_what_takes_too_long_is_broken_off(store, request, tmp_path):
    """And the store goes on with the next query."""
    url = f"sqlite:///{tmp_path}/log.db" if store == "sqlite" else request.getfixturevalue("postgres_url")
    async with app(seconds=0.1, rows_scanned=None, cost=None).open(url) as runtime:
        with pytest.raises(QueryTooSlow, match=r"longer than 0.1 s") as caught:
            await runtime.ask(Endless(sql=ENDLESS))
        assert caught.value.fields == {"limit": "seconds", "allowed": 0.1}
        assert await runtime.ask(Endless(sql="SELECT 1")) == 1


async def test_the_planner_is_asked_first(postgres_url):
    """What it finds too dear is not begun, for queries of the framework's own making and for others."""
    async with app(cost=50).open(postgres_url) as runtime:
        store = runtime.read_store
        await store.prepare([SEATS])
        await put(store, SEATS, *[Seat(day=DAY, number=number) for number in range(20_000)])
        await asyncio.gather(*[runtime.ask(Endless(sql="SELECT 1")) for _ in range(3)])
        with pytest.raises(QueryTooExpensive, match="planner") as caught:
            await runtime.ask(Endless(sql="SELECT * FROM generate_series(1, 100000) a, generate_series(1, 100000) b"))
        assert caught.value.fields["limit"] == "cost"
        assert caught.value.fields["estimate"] > caught.value.fields["allowed"] == 50
        before = begin_query(Allowance(Limits(cost=1), is_own=True))
        try:
            with pytest.raises(QueryTooExpensive):
                await store.reader(Seat).sort("-guest").page()
        finally:
            end_query(before)


async def test_cancelling_stops_sqlite(tmp_path):
    """The thread that worked for the query is free again, and its connection no longer in use."""
    async with app().open(f"sqlite:///{tmp_path}/log.db") as runtime:
        store = runtime.read_store
        for read in (lambda: store.query(ENDLESS), lambda: anext(store._reader.stream(ENDLESS, (), tuple))):
            allowance = Allowance(Limits(rows_scanned=None, seconds=None))

            async def ask(read=read, allowance=allowance):
                begin_query(allowance)
                await read()

            task = asyncio.create_task(ask())
            await until(lambda allowance=allowance: allowance.scanned)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await store.query("SELECT 1") == [(1,)]


async def hang_up(door, path):
    """Ask over HTTP and go away; says what was sent back."""
    gone, sent = asyncio.Event(), []

    async def receive():
        if not sent and not gone.is_set():
            await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    name, _, scope["query_string"] = path.partition("?")
    scope |= {"path": name, "query_string": scope["query_string"].encode()}
    return gone, sent, asyncio.create_task(door(scope, receive, send))


async def test_a_client_that_hangs_up_stops_the_database(postgres_url, postgres_server):
    """Nothing works for somebody who is not there any more."""
    running = "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(62)'"
    async with app(cost=None).open(postgres_url) as runtime:
        gone, sent, task = await hang_up(asgi(runtime), "/queries/endless?sql=SELECT+pg_sleep(62)")
        await until(lambda: postgres_server.execute(running))
        gone.set()
        await task
        assert sent == []
        await until(lambda: not postgres_server.execute(running))


@pytest.mark.parametrize(
    ("limits", "parameters", "status", "code"),
    [
        ({"page_size": 5}, "find-notes?page.size=6", 422, "query-too-expensive"),
        ({"rows_scanned": 20_000}, f"endless?sql={ENDLESS.replace('+', '%2B')}", 422, "query-too-expensive"),
        ({"seconds": 0.05, "rows_scanned": None}, f"endless?sql={ENDLESS.replace('+', '%2B')}", 503, "query-too-slow"),
    ],
)
async def test_a_caller_is_told(tmp_path, limits, parameters, status, code):
    """What asks for too much, and what may be tried again."""
    async with app(**limits).open(f"sqlite:///{tmp_path}/log.db") as runtime:
        transport = httpx2.ASGITransport(app=asgi(runtime))
        async with httpx2.AsyncClient(transport=transport, base_url="http://notes") as client:
            response = await client.get(f"/queries/{parameters}")
    assert response.status_code == status
    assert response.json()["type"].endswith(code)
    assert ("retry-after" in response.headers) == (status == 503)
