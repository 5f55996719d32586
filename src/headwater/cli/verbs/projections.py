"""``headwater projections list|status|rebuild|stepper|pause|resume|diff APP``: the read side.

Reads: ../applications.py, runtime.py. Read next: verbs/parked.py.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from time import monotonic
from typing import Any

import click
import msgspec

from headwater.analysis.stepper import Step, steps
from headwater.app import App
from headwater.cli.applications import existing_log, load_app, log_url, user
from headwater.cli.screen import Screen, as_text
from headwater.cli.verb import READ_STORE_OPTION, URL_OPTION, verb
from headwater.cli.watching import watched
from headwater.errors import ProjectionFailed, ProjectionPaused, StoreIOError
from headwater.event_store import open_store
from headwater.followers import ProjectionStatus
from headwater.messages import contract_of
from headwater.projections.comparing import MOST_LISTED
from headwater.read_store import Fleet
from headwater.runtime import Runtime

_SHOWN = ("state", "position", "lag_positions", "parked", "workers", "serving", "building")
_SAMPLE_SECONDS = 0.5


@click.group("projections")
def command() -> None:
    """List an app's projections, show how far they are, build one anew, let it stand still, check its rows."""


@command.command("list")
@click.argument("app", metavar="APP")
@URL_OPTION
@READ_STORE_OPTION
@verb
async def list_projections(screen: Screen, app: str, url: str | None, read_store: str | None) -> None:
    """List the projections that APP declares, with the events they read; and, where there is a log, how they are."""
    loaded = load_app(app)
    declared: list[dict[str, Any]] = [
        {
            "name": plan.name,
            "version": plan.version,
            "models": [model.__name__ for model in plan.models],
            "events": sorted(contract_of(event).name for event in plan.events),
        }
        for plan in loaded.wiring.projections
    ]
    for each, found in zip(declared, await _found(loaded, url, read_store), strict=False):
        each.update(found)
    columns = tuple(name for name in declared[0] if name != "ranges") if declared else ("name",)
    rows = [[_cell(each[name]) for name in columns] for each in declared]
    screen.answer(declared, lambda: screen.table(columns, rows))


def _cell(value: Any) -> Any:
    return " ".join(value) if value.__class__ is list else value


async def _found(app: App, url: str | None, read_store: str | None) -> list[dict[str, Any]]:
    """How each projection is, how fast it goes on if it has work, and who works on which of its slices.

    Nothing where there is no log yet.
    """
    try:
        log = await existing_log(log_url(app, url))
    except StoreIOError:
        if url is not None:
            raise
        return []
    async with app.open(log, read_store=read_store, follow=False) as runtime:
        before, began = await runtime.projections(), monotonic()
        now = before
        if any(each.lag_positions or each.building is not None for each in before):
            await asyncio.sleep(_SAMPLE_SECONDS)
            now = await runtime.projections()
        seconds = monotonic() - began
        fleet = await runtime.read_store.fleet()
        return [
            {
                **{name: getattr(each, name) for name in _SHOWN},
                **_pace(each, (_reached(each) - _reached(earlier)) / seconds),
                "ranges": _ranges(fleet, each),
            }
            for earlier, each in zip(before, now, strict=True)
        ]


def _reached(status: ProjectionStatus) -> int:
    return status.position if status.building is None else status.building


def _pace(status: ProjectionStatus, rate: float) -> dict[str, Any]:
    """How many events a second it takes, and in how many seconds it will have caught up at that rate."""
    left = status.head - _reached(status)
    if not left or rate <= 0:
        return {"events_per_second": None, "eta_seconds": None}
    return {"events_per_second": round(rate), "eta_seconds": round(left / rate, 1)}


def _ranges(fleet: Fleet, status: ProjectionStatus) -> list[dict[str, Any]]:
    """Each range of slices, how far it is, and who holds it."""
    workers = {worker.id: worker for worker in fleet.workers}
    found: list[dict[str, Any]] = []
    for share in fleet.shares:
        at = share.checkpoint
        if (share.projection, share.version) == (status.name, status.version):
            worker = workers.get(at.owner)
            who = None if worker is None else {"host": worker.host.partition("/")[0], "pid": worker.pid}
            found.append({"low": at.low, "high": at.high, "epoch": at.epoch, "position": at.position, "worker": who})
    return found


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
    """Show each projection's position and lag. Fail if one of them has stopped, or has set something aside."""
    loaded = load_app(app)
    log = await existing_log(log_url(loaded, url))
    async with loaded.open(log, read_store=read_store, follow="if-needed" if catch_up else False) as runtime:
        if catch_up:
            await _catch_up(screen, runtime)
        found = await runtime.projections()
    shown = [msgspec.structs.asdict(each) for each in found]
    columns = tuple(shown[0]) if shown else ("name",)
    screen.answer(shown, lambda: screen.table(columns, [list(each.values()) for each in shown]))
    return int(any(each.error or each.parked for each in found))


async def _catch_up(screen: Screen, runtime: Runtime) -> None:
    """Run every projection until it has reached the end of the log or stopped; the status tells which."""
    head = await runtime.event_store.head()
    names = [each.name for each in await runtime.projections()]
    async with watched(screen, "catching up", runtime, names, head):
        for name in names:
            with suppress(ProjectionFailed, ProjectionPaused):
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


@command.command("pause")
@click.argument("app", metavar="APP")
@click.argument("name", metavar="NAME")
@URL_OPTION
@READ_STORE_OPTION
@verb
async def pause(screen: Screen, app: str, name: str, url: str | None, read_store: str | None) -> None:
    """Let the projection NAME stand still, in all processes, until it is resumed. Queries still answer."""
    await _order(screen, app, name, url, read_store, paused=True)


@command.command("resume")
@click.argument("app", metavar="APP")
@click.argument("name", metavar="NAME")
@URL_OPTION
@READ_STORE_OPTION
@verb
async def resume(screen: Screen, app: str, name: str, url: str | None, read_store: str | None) -> None:
    """Let the paused projection NAME go on, in all processes."""
    await _order(screen, app, name, url, read_store, paused=False)


async def _order(screen: Screen, app: str, name: str, url: str | None, read_store: str | None, *, paused: bool) -> None:
    loaded = load_app(app)
    log = await existing_log(log_url(loaded, url))
    async with loaded.open(log, read_store=read_store, follow=False) as runtime:
        await (runtime.pause(name, actor=user()) if paused else runtime.resume(name))
        found = next(each for each in await runtime.projections() if each.name == name)
    shown = {"name": name, "paused": paused, "position": found.position, "lag_positions": found.lag_positions}
    screen.answer(shown, lambda: screen.facts(shown))


@command.command("diff")
@click.argument("app", metavar="APP")
@click.argument("name", metavar="NAME")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(0, MOST_LISTED), help="How many to show.")
@URL_OPTION
@READ_STORE_OPTION
@verb
async def diff(screen: Screen, app: str, name: str, limit: int, url: str | None, read_store: str | None) -> int:
    """Fold the log anew beside the projection NAME, and show each row that differs. Fail if there is one."""
    loaded = load_app(app)
    log = await existing_log(log_url(loaded, url))
    async with loaded.open(log, read_store=read_store, follow=False) as runtime:
        found = await runtime.diff(name)
    shown = msgspec.structs.replace(found, differences=found.differences[:limit])

    def draw() -> None:
        rows = [
            (each.kind, each.key, field, values.get("stored"), values.get("expected"))
            for each in shown.differences
            for field, values in (each.fields or {"": {}}).items()
        ]
        if rows:
            screen.table(("kind", "key", "field", "stored", "expected"), rows)
        screen.line(
            f"{found.rows:,} rows up to position {found.position:,}: "
            f"{found.missing:,} missing, {found.extra:,} extra, {found.changed:,} changed."
        )

    screen.answer(shown, draw)
    return int(not found.is_equal)


@command.command("stepper")
@click.argument("app", metavar="APP")
@click.argument("name", metavar="NAME")
@URL_OPTION
@click.option("--from", "first", type=click.IntRange(min=1), default=1, metavar="N", help="The first position to show.")
@click.option("--to", "last", type=click.IntRange(min=1), metavar="N", help="The last position to show.")
@click.option("--key", metavar="KEY", help="Only the row of that key.")
@verb
async def stepper(
    screen: Screen, app: str, name: str, url: str | None, first: int, last: int | None, key: str | None
) -> None:
    """Step through the events of the projection NAME, and show which rows each of them changes.

    The rows are folded from the log alone; nothing live is touched. In a terminal, any key goes on, and q ends it.
    """
    loaded = load_app(app)
    plan = loaded.projection(name)
    async with open_store(await existing_log(log_url(loaded, url)), migrate=False) as events:
        found: list[Step] = []
        waits = sys.stdin.isatty() and sys.stdout.isatty() and not screen.as_json
        async for step in steps(plan, events, loaded.codec, first=first, last=last, key=key):
            if screen.as_json:
                found.append(step)
                continue
            _draw_step(screen, step)
            if waits and click.getchar() in {"q", "Q", "\x03", "\x1b"}:
                break
    if screen.as_json:
        screen.answer(found, lambda: None)


def _draw_step(screen: Screen, step: Step) -> None:
    screen.line(f"{step.position:,}  {step.recorded_at.isoformat(sep=' ', timespec='seconds')}  {step.type}")
    for change in step.changes:
        before: dict[str, Any] = {} if change.before is None else msgspec.to_builtins(change.before, enc_hook=str)
        after: dict[str, Any] = {} if change.after is None else msgspec.to_builtins(change.after, enc_hook=str)
        what = "new" if not before else "gone" if not after else "changed"
        screen.line(f"    {change.model} {change.key}: {what}")
        for field in after or before:
            if before.get(field) != after.get(field):
                screen.line(f"        {field}: {as_text(before.get(field))} -> {as_text(after.get(field))}")
