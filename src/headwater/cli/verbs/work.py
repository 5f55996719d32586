"""``headwater work APP``: the projections of an app, without a door. Reads: ../applications.py, ../working.py."""

from __future__ import annotations

import click

from headwater.cli.applications import load_app, log_url
from headwater.cli.screen import Screen
from headwater.cli.verb import PATIENCE_OPTION, READ_STORE_OPTION, URL_OPTION, Seconds, verb
from headwater.cli.working import Work, supervise, work_here
from headwater.read_store.checkpoints import FORGOTTEN_SECONDS, LEASE_SECONDS


@click.command("work")
@click.argument("app", metavar="APP")
@URL_OPTION
@READ_STORE_OPTION
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, help="How many processes.")
@click.option(
    "--lease",
    type=Seconds(min=0.1, max=FORGOTTEN_SECONDS),
    default=LEASE_SECONDS,
    show_default=True,
    metavar="SECONDS",
    help="After so long without a sign of life, others take over.",
)
@click.option("--health-host", default="127.0.0.1", show_default=True, help="The address for the health check.")
@click.option(
    "--health-port",
    type=click.IntRange(0, 65535),
    help="Answer GET /health and /health/ready there; 0 picks a free port, several workers take the next ones.",
)
@PATIENCE_OPTION
@click.option("--supervised", is_flag=True, hidden=True, help="Stop when standard input ends.")
@verb
async def command(
    screen: Screen,
    app: str,
    url: str | None,
    read_store: str | None,
    workers: int,
    lease: float,
    health_host: str,
    health_port: int | None,
    patience: float,
    supervised: bool,  # noqa: FBT001  an option of the command line
) -> None:
    """Run the projections of APP (module:attribute) until it is stopped; several such processes share the work.

    A signal ends it after the batch under way: what it held is taken over by the others at once. With --json one object
    says that it works, and where its health check is.
    """
    loaded = load_app(app)
    work = Work(
        app=app,
        url=log_url(loaded, url),
        read_store=read_store,
        lease_seconds=lease,
        health_host=health_host,
        health_port=health_port,
        patience_seconds=patience,
    )
    if workers == 1:
        await work_here(screen, loaded, work, supervised=supervised)
    else:
        await supervise(screen, loaded, work, workers)
