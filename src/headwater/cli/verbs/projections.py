"""``headwater projections list|status|rebuild APP``: the read side. Reads: ../applications.py, runtime.py."""

from __future__ import annotations

from contextlib import suppress
from time import monotonic
from typing import Any

import click
import msgspec

from headwater.cli.applications import existing_log, load_app, log_url
from headwater.cli.screen import Screen
from headwater.cli.verb import READ_STORE_OPTION, URL_OPTION, verb
from headwater.cli.watching import watched
from headwater.errors import ProjectionFailed
from headwater.messages import contract_of
from headwater.runtime import Runtime


@click.group("projections")
def command() -> None:
    """List an app's projections, show how far they are, or build one anew."""


@command.command("list")
@click.argument("app", metavar="APP")
@verb
def list_projections(screen: Screen, app: str) -> None:
    """List the projections that APP declares, with the events they read."""
    declared: list[dict[str, Any]] = [
        {
            "name": plan.name,
            "version": plan.version,
            "models": [model.__name__ for model in plan.models],
            "events": sorted(contract_of(event).name for event in plan.events),
        }
        for plan in load_app(app).wiring.projections
    ]
    rows = [(each["name"], each["version"], *map(" ".join, (each["models"], each["events"]))) for each in declared]
    screen.answer(declared, lambda: screen.table(("name", "version", "models", "events"), rows))


@command.command("status")
@click.argument("app", metavar="APP")
@URL_OPTION
@READ_STORE_OPTION
@click.option("--catch-up", is_flag=True, help="Run them here up to the end of the log first.")
@verb
async def status(
    screen: Screen,
    app: str,
    url: str | None,
    read_store: str | None,
    catch_up: bool,  # noqa: FBT001  an option of the command line
) -> int:
    """Show each projection's position and lag. With --catch-up, fail if one of them stops on an event."""
    loaded = load_app(app)
    log = await existing_log(log_url(loaded, url))
    async with loaded.open(log, read_store=read_store, follow="if-needed" if catch_up else False) as runtime:
        if catch_up:
            await _catch_up(screen, runtime)
        found = await runtime.projections()
    shown = [msgspec.structs.asdict(each) for each in found]
    columns = tuple(shown[0]) if shown else ("name",)
    screen.answer(shown, lambda: screen.table(columns, [list(each.values()) for each in shown]))
    return int(any(each.error for each in found))


async def _catch_up(screen: Screen, runtime: Runtime) -> None:
    """Run every projection until it has reached the end of the log or stopped; the status tells which."""
    head = await runtime.event_store.head()
    names = [each.name for each in await runtime.projections()]
    async with watched(screen, "catching up", runtime, names, head):
        for name in names:
            with suppress(ProjectionFailed):
                await runtime.progress.wait_for([name], head)


@command.command("rebuild")
@click.argument("app", metavar="APP")
@click.argument("name", metavar="NAME")
@URL_OPTION
@READ_STORE_OPTION
@verb
async def rebuild(screen: Screen, app: str, name: str, url: str | None, read_store: str | None) -> None:
    """Build the rows of the projection NAME anew from the whole log, and wait until it is there."""
    loaded = load_app(app)
    started = monotonic()
    log = await existing_log(log_url(loaded, url))
    async with loaded.open(log, read_store=read_store, follow=False) as runtime:
        head = await runtime.event_store.head()
        async with watched(screen, f"rebuilding {name}", runtime, [name], head):
            await runtime.rebuild(name)
    seconds = monotonic() - started
    shown = {"name": name, "position": head, "seconds": round(seconds, 3), "events_per_second": round(head / seconds)}
    screen.answer(shown, lambda: screen.facts(shown))
