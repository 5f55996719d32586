"""``headwater export SOURCE FOLDER``: a log and its read models as files. Reads: analysis/export.py."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from headwater.analysis.export import Exported, export_log, export_rows
from headwater.analysis.files import FORMATS, Format
from headwater.cli.applications import existing_log, load_app, log_url
from headwater.cli.screen import Screen
from headwater.cli.verb import READ_STORE_OPTION, URL_OPTION, verb
from headwater.cli.watching import watched
from headwater.event_store import open_store


@click.command("export")
@click.argument("source", metavar="SOURCE")
@click.argument("folder", metavar="FOLDER", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="parquet", show_default=True, help="Of the files."
)
@URL_OPTION
@READ_STORE_OPTION
@verb
async def command(
    screen: Screen, source: str, folder: Path, form: Format, url: str | None, read_store: str | None
) -> None:
    """Write the log of SOURCE to FOLDER, and for an app its read models as of then.

    SOURCE is the URL of a log, or an app (module:attribute). The log's files hold a range of positions each; a further
    run goes on where the last one ended. Read models are written anew.
    """
    exported = await export(screen, source, folder, form, url, read_store)
    screen.answer(exported, lambda: screen.facts(msgspec.structs.asdict(exported)))


async def export(
    screen: Screen, source: str, folder: Path, form: Format, url: str | None, read_store: str | None
) -> Exported:
    """Write everything there is to know of a source."""
    if "://" in source:
        async with open_store(await existing_log(source), migrate=False) as events:
            return await export_log(events, folder, form)
    loaded = load_app(source)
    log = await existing_log(log_url(loaded, url))
    async with loaded.open(log, read_store=read_store, follow="if-needed") as runtime:
        exported = await export_log(runtime.event_store, folder, form)
        names = [plan.name for plan in loaded.wiring.projections]
        async with watched(screen, "reading the log", runtime, names, exported.position):
            await runtime.caught_up(exported.position, timeout=3_600)
        models = [model for plan in loaded.wiring.projections for model in plan.models]
        rows = await export_rows(runtime.read_store, models, folder, form)
    return msgspec.structs.replace(exported, rows=rows)
