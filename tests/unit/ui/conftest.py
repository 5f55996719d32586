"""An open shop, and browsers in it: one without scripts, and a real one where there is a Chromium."""

from __future__ import annotations

from contextlib import asynccontextmanager

import httpx2
import pytest
from tests.forms import Browser
from tests.unit.ui.shop import PlaceOrder, app, open_shop

from headwater.http import HttpOptions, asgi
from headwater.ui import TaskUi


def actor_of(scope):
    """Who calls: whatever the header says."""
    return dict(scope["headers"]).get(b"actor", b"").decode() or None


@pytest.fixture
async def runtime():
    """The shop that everybody but Mallory may enter."""
    async with app.open("memory:") as opened:
        yield opened


@pytest.fixture
async def browser(runtime):
    """A browser without scripts in that shop."""
    async with browser_of(runtime, authenticate=actor_of) as opened:
        yield opened


@pytest.fixture
async def open_runtime():
    """The shop that asks nobody."""
    async with open_shop.open("memory:") as opened:
        yield opened


@pytest.fixture
async def open_browser(open_runtime):
    """A browser without scripts in the shop that asks nobody."""
    async with browser_of(open_runtime) as opened:
        yield opened


@asynccontextmanager
async def browser_of(runtime, ui=None, **options):
    """A browser without scripts at a runtime's pages."""
    door = asgi(runtime, HttpOptions(doors=[ui or TaskUi()], **options))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=door), base_url="http://shop") as client:
        yield Browser(client)


async def place(runtime, order_id="A-1", customer="Ada", **more):
    """Place an order, and wait until it is shown."""
    receipt = await runtime.execute(PlaceOrder(order_id=order_id, customer=customer, **more))
    await runtime.caught_up()
    return receipt
