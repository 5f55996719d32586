from __future__ import annotations

from contextlib import AsyncExitStack, nullcontext
from itertools import pairwise

from headwater.event_store import open_store
from headwater.integration.chain import chain_of
from headwater.integration.replicate import replicate
from headwater.servicedesk.app import app
from headwater.servicedesk.demo import DemoOptions, run_demo
from headwater.servicedesk.figures import read_figures
from headwater.testing.conformance.samples import log_of

ROWS = 1_500


class Silent:
    """A report that nobody reads."""

    def line(self, text=""):
        """Say nothing."""

    def table(self, columns, rows, *, title=""):
        """Show nothing."""

    def progress(self, what):
        """Count for nobody."""
        return nullcontext(lambda _done, _total: None)


async def moved(urls):
    """Replicate from each store to the next, all of them open; return what the first and the last hold."""
    async with AsyncExitStack() as stack:
        stores = [await stack.enter_async_context(open_store(url)) for url in urls]
        for source, target in pairwise(stores):
            await replicate(source, target)
        chains = {(await chain_of(store)).hex for store in stores}
        assert len(chains) == 1
        return (await log_of(stores[0])).events, (await log_of(stores[-1])).events


async def test_a_desk_moves_from_file_to_file(tmp_path):
    """Through memory and back."""
    await assert_a_desk_moves(tmp_path, "memory:")


async def test_a_desk_moves_to_postgresql_and_back(tmp_path, postgres_url):
    """And runs there, on the new URL."""
    figures = await assert_a_desk_moves(tmp_path, postgres_url)
    async with app.open(postgres_url) as desk:
        await desk.caught_up(timeout=60)
        assert await read_figures(desk) == figures


async def assert_a_desk_moves(tmp_path, between):
    """Its log is the same byte for byte at the end, and the application finds the same figures in it."""
    first, last = (f"sqlite:///{tmp_path / name}.db" for name in ("first", "last"))
    result = await run_demo(DemoOptions(url=first, limit=ROWS), Silent())
    assert result.figures_equal, result.differences

    before, after = await moved([first, between, last])

    assert len(after) == result.events
    assert before == after
    async with app.open(last) as desk:
        assert await desk.caught_up(timeout=60) == result.events
        assert await read_figures(desk) == result.figures
    again = await run_demo(DemoOptions(url=last, limit=ROWS, again=True), Silent())
    assert (again.events, again.figures_equal) == (0, True)
    return result.figures
