"""``headwater serve APP``: the app over HTTP. Reads: ../applications.py, ../serving.py."""

from __future__ import annotations

from typing import Literal

import click

from headwater.cli.applications import load_app, log_url
from headwater.cli.screen import Screen
from headwater.cli.verb import NO_READ_STORE, PATIENCE_OPTION, READ_STORE_OPTION, URL_OPTION, run_to_end, verb

HOST_OPTION = click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
PORT_OPTION = click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="The port; 0 picks a free one."
)


@click.command("serve")
@click.argument("app", metavar="APP")
@URL_OPTION
@READ_STORE_OPTION
@HOST_OPTION
@PORT_OPTION
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="How many processes.")
@click.option(
    "--role",
    type=click.Choice(("command", "query", "all")),
    default="all",
    show_default=True,
    help="What to serve: commands, queries, or both and run the projections.",
)
@PATIENCE_OPTION
@click.option(
    "--shared-cache",
    metavar="URL",
    envvar="HEADWATER_SHARED_CACHE",
    help="A Valkey or Redis for answers that are kept.",
)
@click.option(
    "--ui",
    metavar="UI",
    default="",
    help="The user interface at /ui/, as module:attribute of a TaskUi.  [default: one made from the catalogue]",
)
@click.option("--no-ui", is_flag=True, help="Serve no user interface.")
@click.option("--access-log", is_flag=True, help="Write a line for each request.")
@verb
def command(  # noqa: PLR0913, PLR0917  each is an option of the command line
    screen: Screen,
    app: str,
    url: str | None,
    read_store: str | None,
    host: str,
    port: int,
    workers: int,
    role: Literal["command", "query", "all"],
    patience: float,
    shared_cache: str | None,
    ui: str,
    no_ui: bool,  # noqa: FBT001  an option of the command line
    access_log: bool,  # noqa: FBT001  an option of the command line
) -> None:
    """Serve APP (module:attribute) over HTTP until it is stopped.

    POST /commands/NAME, GET /queries/NAME, /openapi.json, and pages for people at /ui/. With --json one object says
    where. The roles command and query have no pages and run no projections: other processes do, with `headwater work`
    or the role all.
    """
    from headwater.cli.serving import Served, serve_here, serve_in_processes

    loaded = load_app(app)
    rows = read_store or (NO_READ_STORE if role == "command" else None)
    served = Served(log_url(loaded, url), rows, role, patience, shared_cache, None if no_ui else ui)
    if workers > 1 and served.url.startswith("memory:"):
        raise click.UsageError("several processes cannot share a log in memory: leave out --workers")
    if workers == 1:
        run_to_end(serve_here(screen, loaded, served, host=host, port=port, access_log=access_log))
    else:
        serve_in_processes(screen, app, served, host=host, port=port, workers=workers, access_log=access_log)
