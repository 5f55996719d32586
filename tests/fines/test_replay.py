"""The log of a real office, replayed with many commands in flight while other processes keep the read models up."""

from __future__ import annotations

import pytest
from tests.fines.app import app
from tests.fines.expected import LOG, expected_figures, published_figures
from tests.fines.figures import read_figures
from tests.fines.processes import kill_after, workers
from tests.fines.replay import feed, replay
from tests.fines.rows import read_rows

ROWS = 20_000
ALL_ROWS = 561_470
PATIENCE_SECONDS = 100.0

pytestmark = pytest.mark.skipif(
    not LOG.exists(), reason="the log of fines may not be shipped, and does not lie beside this checkout"
)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """An empty log on either backend."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/fines.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture(scope="module")
def expected():
    """The figures of the first rows."""
    return expected_figures(ROWS)


async def figures(url, timeout):
    """The figures, once the other processes have projected everything."""
    async with app.open(url, follow=False) as office:
        await office.caught_up(timeout=timeout)
        return await read_figures(office)


async def test_every_figure_of_the_first_rows_is_equal(url, expected):
    """Killed half way and resumed, each row is sent until it is in the log, and counts once."""
    with workers(url, 2):
        kill_after(url, rows=ROWS // 2, limit=ROWS)
        rest = await feed(url, ROWS)

        assert (rest.repeated, rest.known + rest.sent, rest.position) == (0, ROWS, ROWS)
        assert rest.known >= ROWS // 2
        assert await figures(url, PATIENCE_SECONDS) == expected


async def test_sent_again_it_changes_nothing(url):
    """Every command is known by its key."""
    first = await feed(url, 500)
    async with app.open(url) as office:
        again = await replay(office, read_rows(LOG, 500))
        assert (first.sent, again.repeated, await office.event_store.head()) == (500, 500, 500)


@pytest.mark.campaign
async def test_every_published_figure_is_equal(url):
    """The whole log, with four processes that project."""
    with workers(url, 4):
        done = await feed(url, None)

        assert (done.sent, done.repeated, done.position) == (ALL_ROWS, 0, ALL_ROWS)
        found = await figures(url, timeout=600)
    assert found == published_figures()


@pytest.mark.campaign
def test_counting_the_raw_rows_gives_the_published_figures():
    """What the short replay is compared with is counted rightly."""
    assert expected_figures() == published_figures()
