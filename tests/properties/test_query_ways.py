"""Whichever way rows are asked for, the answer is the same: see ``campaigns/finding.py``."""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import aclosing

import httpx2
import msgspec
import pytest
from tests.campaigns import finding as f

from headwater.http import asgi

JSON = {"content-type": "application/json"}
SEEDS = int(os.environ.get("HEADWATER_WAYS_SEEDS", "300"))


async def find(seed, rows_url, rounds):
    """Rows come and go; after each time everything is asked for in every way. What was said of words and figures."""
    chance, rows, told = random.Random(seed), {}, []
    async with f.APP.open("memory:", read_store=rows_url) as desk:
        things = desk.read_store.reader(f.Thing)
        watched = f.KeptList(sort="-exact,at")
        latest = {}
        watching = asyncio.create_task(watch(desk, watched, latest))
        for _ in range(rounds):
            await change(chance, desk, rows)
            await kept_answers(chance, desk)
            for _ in range(6):
                reader, wanted, words = f.asked(chance, things, list(rows.values()))
                await f.compare(chance, reader, wanted, words)
                told.append(await f.told_alike(chance, things))
            async with asyncio.timeout(10):
                while latest.get("value") != await desk.ask(f.Listed(sort="-exact,at")):  # noqa: ASYNC110  the comparison is ours
                    await asyncio.sleep(0.001)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    return told


async def watch(desk, query, latest):
    """Note each answer."""
    async with aclosing(desk.watch(query)) as answers:
        async for answer in answers:
            latest["value"] = answer.value


async def change(chance, desk, rows):
    """Some things are put, some taken."""
    events = []
    for _ in range(chance.randint(1, 12)):
        thing = f.thing(chance)
        key = thing.name, thing.number
        if chance.random() < 0.8:
            events.append(f.Put(thing=thing))
            rows[key] = thing
        else:
            events.append(f.Taken(name=thing.name, number=thing.number))
            rows.pop(key, None)
    await desk.event_store.append([desk.codec.encode_event(event) for event in events])
    await desk.caught_up()


async def kept_answers(chance, desk):
    """What is kept is what would be answered anew, now and the second time, and over HTTP."""
    transport = httpx2.ASGITransport(app=asgi(desk))
    async with httpx2.AsyncClient(transport=transport, base_url="http://things") as client:
        for _ in range(4):
            least, sort = chance.choice((None, 0, 7)), chance.choice(("", "-exact,at", "relevance", "text"))
            asked = {"text": chance.choice((None, "jam", "a*", "printer jam")), "least": least, "sort": sort}
            for _ in range(2):
                wanted = await desk.ask(f.Listed(**asked))
                assert await desk.ask(f.KeptList(**asked)) == wanted
                assert await desk.ask(f.KeptNumber(least=least)) == await desk.ask(f.Numbered(least=least))
                body = msgspec.json.encode(f.KeptList(**asked))
                for name in ("kept-list", "listed"):
                    answer = await client.request("QUERY", f"/queries/{name}", content=body, headers=JSON)
                    assert (answer.status_code, answer.json()) == (200, wanted)


@pytest.mark.parametrize("seed", range(5))
async def test_rows_are_found_as_in_plain_python(seed, tmp_path):
    """Filters, orders, pages, streams and counts; words and figures alike in files and in memory."""
    assert await find(seed, f"sqlite:///{tmp_path}/rows.db", 4) == await find(seed, "memory:", 4)


async def test_rows_on_a_server_are_found_as_in_plain_python(postgres_url):
    """The same on PostgreSQL."""
    assert await find(0, postgres_url, 3) == await find(0, "memory:", 3)


@pytest.mark.campaign
async def test_rows_are_found_as_in_plain_python_for_many_seeds(tmp_path, postgres_server):
    """As many as ``HEADWATER_WAYS_SEEDS`` says in files, a tenth on PostgreSQL."""
    for seed in range(1_000, 1_000 + SEEDS):
        told = await find(seed, "memory:", 6)
        assert await find(seed, f"sqlite:///{tmp_path}/{seed}.db", 6) == told
        if seed % 10 == 0:
            url = postgres_server.fresh_database()
            try:
                assert await find(seed, url, 6) == told
            finally:
                postgres_server.drop_database(url)
