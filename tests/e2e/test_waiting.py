"""Reading one's own write while another process projects it."""

from __future__ import annotations

import asyncio
import signal

import pytest
from tests.pairings import ListShelves, PutOn, projecting, shelves_app

from headwater.errors import ProjectionBehind

LISTENERS = (
    "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query ILIKE 'LISTEN%'"
)


@pytest.fixture(params=["sqlite", "postgresql"])
def stores(request, tmp_path):
    """A log and its read store. The other processes would be noticed by polling within half a minute only."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/log.db", f"sqlite:///{tmp_path}/rows.db"
    url = request.getfixturevalue("postgres_url")
    return url, f"{url}?poll=30"


async def total(runtime, receipt, **options):
    """What stands on the shelf, as the other process projected it."""
    page = await runtime.ask(ListShelves(), after=receipt, **options)
    return page.items[0].total


async def test_a_write_is_read_as_soon_as_another_process_has_projected_it(stores):
    """Each time anew, without waiting for a poll."""
    log, rows = stores
    async with shelves_app().open(log, read_store=rows, follow=False) as here:
        with projecting(log, rows):
            for number in range(1, 21):
                receipt = await here.execute(PutOn(shelf="s", amount=1))
                assert await total(here, receipt, timeout=25) == number


async def test_while_the_other_process_stands_still_the_error_says_how_far_it_is(stores):
    """It goes on, and so do the answers."""
    log, rows = stores
    async with shelves_app().open(log, read_store=rows, follow=False) as here:
        with projecting(log, rows) as other:
            first = await here.execute(PutOn(shelf="s", amount=1))
            assert await total(here, first, timeout=25) == 1
            other.send_signal(signal.SIGSTOP)
            second = await here.execute(PutOn(shelf="s", amount=1))
            with pytest.raises(ProjectionBehind) as behind:
                await total(here, second, timeout=0.3)
            assert (behind.value.wanted, behind.value.reached) == (2, 1)
            other.send_signal(signal.SIGCONT)
            assert await total(here, second, timeout=25) == 2


async def test_an_answer_knows_how_far_others_are_though_nobody_waited(stores):
    """Its position and its age are those of now, not of the last wait."""
    log, rows = stores
    async with shelves_app().open(log, read_store=rows, follow=False) as here, asyncio.timeout(60):
        with projecting(log, rows):
            receipt = await here.execute(PutOn(shelf="s", amount=1))
            while (answer := await here.answer(ListShelves())).position < receipt.position:  # noqa: ASYNC110  another process moves
                await asyncio.sleep(0.01)
            assert (answer.age_seconds, answer.value.items[0].total) == (0, 1)


@pytest.fixture
def listeners(postgres_server, postgres_url):
    """Ask something of those who listen in the test's database."""

    async def ask(what):
        sql = f"SELECT {what} {LISTENERS}"
        return await asyncio.to_thread(postgres_server.execute, sql, url=postgres_url)

    return ask


async def test_a_dropped_listener_delays_nothing_beyond_the_poll_interval(postgres_url, listeners):
    """It listens again, and looks again first."""
    rows, silent = f"{postgres_url}?poll=30", f"{postgres_url}?notify=off"
    async with shelves_app().open(postgres_url, read_store=rows, follow=False) as here, asyncio.timeout(60):
        waiting = asyncio.create_task(here.progress.wait_for(["Shelves"], 1, timeout=25))
        while await listeners("count(*)") != [(1,)]:  # noqa: ASYNC110  the server moves
            await asyncio.sleep(0.02)
        async with shelves_app().open(silent, read_store=silent) as there:
            await there.execute(PutOn(shelf="s", amount=1))
            await there.caught_up()
            await listeners("pg_terminate_backend(pid)")
            await waiting


async def test_polling_alone_is_enough(postgres_url):
    """As behind a pooler that passes no notifications on."""
    rows = f"{postgres_url}?notify=off&poll=0.05"
    async with shelves_app().open(postgres_url, read_store=rows, follow=False) as here:
        with projecting(postgres_url, rows):
            receipt = await here.execute(PutOn(shelf="s", amount=1))
            assert await total(here, receipt, timeout=25) == 1
