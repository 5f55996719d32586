"""Whichever way events become rows, the rows are the same: see ``campaigns/rows.py``."""

from __future__ import annotations

import os
import random
from contextlib import AsyncExitStack

import pytest
from tests.accounts import bank
from tests.campaigns.rows import APP, BROKEN, PROJECTIONS, AllRows, Part, Parts, Row, Rows, events, expected
from tests.properties.test_read_side import cut_into

SEEDS = int(os.environ.get("HEADWATER_WAYS_SEEDS", "300"))


async def project(seed, log_url, rows_url, steps):
    """Events come in bunches; the application is closed and opened, its rows built anew, its work shared."""
    chance = random.Random(seed)
    slices = chance.randint(1, 9), chance.randint(1, 9), chance.choice((0, 2, 100))
    with cut_into(*slices):
        async with APP.open(log_url, follow=False, read_store="memory:") as writer, AsyncExitStack() as stack:
            desks = [await stack.enter_async_context(APP.open(log_url, read_store=rows_url))]
            for _ in range(steps):
                new = [writer.codec.encode_event(event) for event in events(chance, chance.randint(1, 12))]
                await writer.event_store.append(new)
                step = chance.random()
                if step < 0.3:
                    await desks[0].caught_up()
                elif step < 0.45:
                    await stack.aclose()
                    openings = chance.choice((1, 1, 2))
                    desks = [
                        await stack.enter_async_context(APP.open(log_url, read_store=rows_url)) for _ in range(openings)
                    ]
                elif step < 0.55:
                    await desks[0].rebuild(chance.choice(PROJECTIONS).__name__)
            await compare(writer, desks)


async def compare(writer, desks):
    """Everything that is asked says the same as the reference."""
    log = (await writer.event_store.read()).events
    wanted, last = expected(log), len(log)
    for desk in desks:
        await desk.caught_up(last)
        assert await desk.ask(AllRows(), after=last) == wanted
        assert await desk.ask(AllRows(), as_of=last) == wanted
        assert await desk.ask(AllRows(), as_of=last // 2) == expected(log[: last // 2])


@pytest.mark.parametrize("seed", range(12))
async def test_rows_are_the_same_however_they_were_made(seed, tmp_path):
    """In batches and one by one, in one process and in two, at once and anew, then and now."""
    await project(seed, f"sqlite:///{tmp_path}/log.db", f"sqlite:///{tmp_path}/rows.db", 8)


async def test_rows_on_a_server_are_the_same(postgres_server, tmp_path):
    """The same on PostgreSQL."""
    await on_postgresql(range(2), postgres_server, tmp_path)


@pytest.mark.campaign
async def test_rows_are_the_same_for_many_seeds(tmp_path):
    """As many as ``HEADWATER_WAYS_SEEDS`` says."""
    for seed in range(1_000, 1_000 + SEEDS):
        await project(seed, f"sqlite:///{tmp_path}/{seed}.log.db", f"sqlite:///{tmp_path}/{seed}.rows.db", 12)


@pytest.mark.campaign
async def test_rows_on_a_server_are_the_same_for_many_seeds(postgres_server, tmp_path):
    """A tenth of them."""
    await on_postgresql(range(1_000, 1_000 + SEEDS // 10), postgres_server, tmp_path)


async def on_postgresql(seeds, server, place):
    """Each seed in a database of its own."""
    for seed in seeds:
        url = server.fresh_database()
        try:
            await project(seed, f"sqlite:///{place}/{seed}.log.db", url, 8)
        finally:
            server.drop_database(url)


async def park_and_retry(seed, place):
    """Some rows cannot be projected for a while; whoever restarts and retries meanwhile, they catch up in order."""
    chance = random.Random(seed)
    stores = {"events": f"sqlite:///{place}/log.db", "rows": f"sqlite:///{place}/rows.db"}
    with cut_into(chance.randint(1, 9), chance.randint(1, 9), chance.choice((0, 100))):
        for _ in range(3):
            async with bank(Rows, Parts, **stores, codec=APP.codec) as desk:
                for _ in range(chance.randint(1, 4)):
                    BROKEN.clear()
                    BROKEN.update(chance.sample("abcde", chance.randrange(3)))
                    await desk.events.append([APP.codec.encode_event(event) for event in events(chance, 8)])
                    if chance.random() < 0.7:
                        await desk.caught_up()
                    await retry(desk, chance.sample("abcde", 2))
        BROKEN.clear()
        async with bank(Rows, Parts, **stores, codec=APP.codec) as desk:
            await desk.caught_up()
            await retry(desk, "abcde")
            await desk.caught_up()
            log = (await desk.events.read()).events
            rows = [repr(row) for model in (Row, Part) for row in await desk.rows.reader(model).all()]
            assert (await desk.follower.parking.listed(), sorted(rows)) == ([], expected(log, Rows, Parts))


async def retry(desk, items):
    """Let those that are parked go on as far as they can."""
    for parked in await desk.follower.parking.listed():
        if parked.shown in items:
            await desk.follower.parking.retry(parked.projection, parked.sequence)


@pytest.mark.parametrize("seed", range(6))
async def test_what_was_parked_catches_up_in_order(seed, tmp_path):
    """Its rows are those that would be there if nothing had failed."""
    await park_and_retry(seed, tmp_path)


@pytest.mark.campaign
async def test_what_was_parked_catches_up_in_order_for_many_seeds(tmp_path):
    """As many as ``HEADWATER_WAYS_SEEDS`` says."""
    for seed in range(1_000, 1_000 + SEEDS):
        place = tmp_path / str(seed)
        place.mkdir()
        await park_and_retry(seed, place)
