"""Every pairing of event store and read store keeps its word, also when who projects is killed."""

from __future__ import annotations

import random

import pytest
from tests.pairings import Empty, ListShelves, PutOn, fill, folded, projected, projecting, shelves_app

from headwater.event_store import open_store
from headwater.read_models import PageRequest
from headwater.read_store import read_store_url

_PAIRS = ["sqlite+sqlite", "sqlite+postgres", "postgres+sqlite", "postgres+beside", "postgres+postgres"]
_EVENTS = 8_000
_ROUNDS = 3


@pytest.fixture(params=_PAIRS)
def pair(request, tmp_path):
    """The URLs of a log and of a read store, both empty."""
    server = request.getfixturevalue("postgres_server") if "postgres" in request.param else None
    made = [server.fresh_database() for _ in range(request.param.count("postgres"))] if server else []
    urls = iter(made)
    log, _, rows = request.param.partition("+")
    log_url = next(urls) if log == "postgres" else f"sqlite:///{tmp_path / 'log.db'}"
    rows_url = f"sqlite:///{tmp_path / 'rows.db'}" if rows == "sqlite" else next(urls, read_store_url(log_url))
    yield log_url, rows_url
    for url in made:
        server.drop_database(url)


async def test_an_application_runs_on_every_pairing(pair):
    """Commands, their answers at once, pages both ways, and a rebuild."""
    log, rows = pair
    async with shelves_app().open(log, read_store=rows) as runtime:
        for number in range(30):
            receipt = await runtime.execute(PutOn(shelf=f"s{number % 7}", amount=number))
        receipt = await runtime.execute(Empty(shelf="s3"))
        first = await runtime.ask(ListShelves(page=PageRequest(size=4, total=True)), after=receipt)
        second = await runtime.ask(ListShelves(page=PageRequest(size=4, cursor=first.next)))
        assert [row.shelf for row in (*first.items, *second.items)] == ["s1", "s0", "s6", "s5", "s4", "s2"]
        assert first.total == 6
        before = await projected(runtime.read_store)
        await runtime.rebuild("Shelves")
        assert await projected(runtime.read_store) == before == await folded(runtime.event_store)
    async with shelves_app().open(log, read_store=rows, follow=False, migrate=False) as again:
        assert await projected(again.read_store) == before


async def test_killed_projectors_leave_what_the_log_says(pair):
    """Two at a time, each killed at some moment: no event counts twice and none is missing."""
    log, rows = pair
    async with open_store(log) as store:
        await fill(store, _EVENTS)
    async with shelves_app().open(log, read_store=rows, follow=False):
        pass
    chance = random.Random(4)
    for _ in range(_ROUNDS):
        with projecting(log, rows) as one, projecting(log, rows) as other:
            for process in (one, other):
                steps = chance.randint(2, 4)
                while steps and int(process.stdout.readline()) < _EVENTS:
                    steps -= 1
                process.kill()
    async with shelves_app().open(log, read_store=rows) as runtime:
        await runtime.caught_up(timeout=60)
        assert await projected(runtime.read_store) == await folded(runtime.event_store)
