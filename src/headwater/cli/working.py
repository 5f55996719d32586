"""Runs an app's projections, in this process or in several that are watched over. Reads: stopping.py, followers/.

Read next: verbs/work.py.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from time import monotonic

import click
import msgspec

from headwater.app import App
from headwater.cli.screen import Screen, as_json_text
from headwater.cli.stopping import stop_signal
from headwater.event_store.opening import url_to_show

_LONGEST_PAUSE_SECONDS = 30.0
_STEADY_SECONDS = 60.0
_FAREWELL_SECONDS = 30.0


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What to work on, and how: the app's reference, its stores, the lease, and where to answer for health."""

    app: str
    url: str
    read_store: str | None
    lease_seconds: float
    health_host: str
    health_port: int | None
    patience_seconds: float


async def work_here(screen: Screen, app: App, work: Work, *, supervised: bool) -> None:
    """Work until SIGINT or SIGTERM, or until who watches over this process is gone. Raises ``StoreError``."""
    with stop_signal() as stop:
        opened = app.open(work.url, read_store=work.read_store, lease_seconds=work.lease_seconds)
        async with AsyncExitStack() as stack:
            runtime = await stack.enter_async_context(opened)
            health = None
            if work.health_port is not None:
                from headwater.cli.serving import serving_health
                from headwater.http import HttpOptions

                options = HttpOptions(patience_seconds=work.patience_seconds)
                answering = serving_health(runtime, options, work.health_host, work.health_port)
                health = await stack.enter_async_context(answering)
            _announce(screen, app.name, work.url, health)
            if supervised:
                await stack.enter_async_context(_stopping_with_input(stop))
            await stop.wait()
    screen.note("stopped")


async def supervise(screen: Screen, app: App, work: Work, workers: int) -> None:
    """Keep so many processes at work until SIGINT or SIGTERM; one that ends is replaced, after a pause that grows.

    What is wrong with the stores is told here, before any process is started. Raises ``StoreError``.
    """
    async with app.open(work.url, read_store=work.read_store, follow=False):
        pass
    with stop_signal() as stop:
        async with asyncio.TaskGroup() as keeping:
            for number in range(workers):
                keeping.create_task(_keep(screen, _words(work, number), stop))
            _announce(screen, app.name, work.url, None, workers)
    screen.note("stopped")


async def _keep(screen: Screen, words: Sequence[str], stop: asyncio.Event) -> None:
    """One process after the other, until it is time to stop."""
    pause = 0.0
    while not stop.is_set():
        began = monotonic()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "headwater", *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
        )
        ended, asked = asyncio.create_task(process.wait()), asyncio.create_task(stop.wait())
        await asyncio.wait((ended, asked), return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            await _end(process, ended)
            return
        asked.cancel()
        pause = 1.0 if monotonic() - began > _STEADY_SECONDS else min(_LONGEST_PAUSE_SECONDS, pause * 2 or 0.5)
        screen.note(f"worker {process.pid} ended with code {process.returncode}; another one begins in {pause:g} s")
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)


async def _end(process: asyncio.subprocess.Process, ended: asyncio.Task[int]) -> None:
    """Ask a process to stop, and wait until it has handed over; who does not come to an end is killed."""
    with suppress(ProcessLookupError):
        process.terminate()
    _, late = await asyncio.wait((ended,), timeout=_FAREWELL_SECONDS)
    if late:
        with suppress(ProcessLookupError):
            process.kill()
        await ended


def _words(work: Work, number: int) -> list[str]:
    """The command line of one of several workers."""
    words = ["work", work.app, "--url", work.url, "--supervised", "--json"]
    words += ["--lease", str(work.lease_seconds), "--patience", str(work.patience_seconds)]
    if work.read_store is not None:
        words += ["--read-store", work.read_store]
    if work.health_port is not None:
        port = work.health_port + number if work.health_port else 0
        words += ["--health-host", work.health_host, "--health-port", str(port)]
    return words


@asynccontextmanager
async def _stopping_with_input(stop: asyncio.Event) -> AsyncIterator[None]:
    """Set ``stop`` when standard input ends: who holds its other end is gone then."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )

    async def watch() -> None:
        await reader.read()
        stop.set()

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        transport.close()


def _announce(screen: Screen, name: str, url: str, health: str | None, workers: int = 1) -> None:
    url = url_to_show(url)
    if screen.as_json:
        click.echo(as_json_text({"working": name, "url": url, "workers": workers, "health": health}))
        return
    many = f" in {workers} processes" if workers > 1 else ""
    screen.line(f"working on the projections of {name}{many}, log {url} (stop with Ctrl+C)")
    if health:
        screen.line(f"health: {health}/health/ready")
