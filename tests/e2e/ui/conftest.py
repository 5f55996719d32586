"""The service desk behind a real server, and a real browser in front of it."""

from __future__ import annotations

import asyncio
import shutil
import socket
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
import uvicorn
from playwright.async_api import async_playwright, expect

from headwater.http import HttpOptions, asgi
from headwater.servicedesk.app import app
from headwater.servicedesk.incident_messages import AskUser, OpenIncident, ResolveIncident
from headwater.servicedesk.ui import ui

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_OPENED = datetime.fromisoformat("2026-03-01T08:00")
PHONE = {"width": 390, "height": 844}
_PATIENCE_MS = 30_000  # a busy machine is slow, not wrong
expect.set_options(timeout=_PATIENCE_MS)


@pytest.fixture
async def desk(tmp_path):
    """A desk with thirty incidents: the third waits for its caller, the fifth is resolved."""
    async with app.open(f"sqlite:///{tmp_path}/desk.db") as runtime:
        for number in range(1, 31):
            at = _OPENED + timedelta(hours=number)
            caller, group = f"caller {number % 7}", f"group {number % 3}"
            await runtime.execute(
                OpenIncident(incident_id=f"INC{number:03}", caller=caller, group=group, occurred_at=at, opened_at=at)
            )
        await runtime.execute(AskUser(incident_id="INC003"))
        await runtime.execute(ResolveIncident(incident_id="INC005"))
        await runtime.caught_up()
        yield runtime


@asynccontextmanager
async def serving(runtime, pages):
    """Serve these pages, and say where. The socket listens before the server starts, so nobody has to wait for it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        door = asgi(runtime, HttpOptions(doors=[pages]))
        server = uvicorn.Server(uvicorn.Config(door, log_level="error", lifespan="off"))
        running = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/ui"
        runtime.end_watches()
        server.should_exit = True
        await running


@pytest.fixture
async def address(desk):
    """Where the desk's pages are."""
    async with serving(desk, ui) as found:
        yield found


@pytest.fixture
async def chromium():
    """A Chromium of this machine's, without a window."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.skip(f"there is no Chromium on this machine (looked for {', '.join(_NAMES)})")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
def open_page(chromium, address):
    """Open pages in a browser of one's own, with scripts or without; it complains of nothing but what is expected."""

    @asynccontextmanager
    async def opened(path="/", expected=(), **options):
        context = await chromium.new_context(**options)
        page = await context.new_page()
        page.set_default_timeout(_PATIENCE_MS)
        complaints = []
        page.on("console", lambda message: complaints.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await page.goto(f"{address}{path}")
        yield page
        await context.close()
        assert [text for text in complaints if not any(each in text for each in ("status of 4", *expected))] == []

    return opened
