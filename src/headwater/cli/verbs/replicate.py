"""``headwater replicate FROM TO``: the same log in another store. Reads: integration/replicate.py, ../screen.py."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import click

from headwater.cli.applications import existing_log
from headwater.cli.screen import Screen
from headwater.cli.stopping import stop_signal
from headwater.cli.verb import verb
from headwater.event_store import open_store
from headwater.event_store.opening import url_to_show
from headwater.integration.replicate import BATCH, Replication, replicate


@click.command("replicate")
@click.argument("source_url", metavar="FROM")
@click.argument("target_url", metavar="TO")
@click.option("--follow", is_flag=True, help="Stay, and copy events as they come, until SIGINT or SIGTERM.")
@click.option(
    "--batch",
    type=click.IntRange(1, 100_000),
    default=BATCH,
    show_default=True,
    metavar="N",
    help="Events in one transaction at most; fewer if they are large.",
)
@verb
async def command(
    screen: Screen,
    source_url: str,
    target_url: str,
    follow: bool,  # noqa: FBT001  an option of the command line
    batch: int,
) -> None:
    """Copy the log at FROM to TO: the same positions, ids, times and bytes.

    What TO has already must be the beginning of FROM, and is compared before anything is written. Stopped at any
    moment, even by kill -9, it goes on where it was. At the end both logs' hash chains are the same.
    """
    async with open_store(await existing_log(source_url), migrate=False) as source, open_store(target_url) as target:
        with screen.progress("replicating") as moved, ExitStack() as stack:
            stop = stack.enter_context(stop_signal()) if follow else None
            if stop:
                screen.note(f"following {url_to_show(source_url)} (stop with Ctrl+C)")
            outcome = await replicate(source, target, batch=batch, follow=stop, moved=moved)
    screen.answer(as_object(source_url, target_url, outcome), lambda: _draw(screen, outcome))


def as_object(source_url: str, target_url: str, outcome: Replication) -> dict[str, Any]:
    """The outcome as plain values."""
    return {
        "from": url_to_show(source_url),
        "to": url_to_show(target_url),
        "head": outcome.head,
        "compared": outcome.compared,
        "copied": outcome.copied,
        "chain": outcome.chain.hex,
    }


def _draw(screen: Screen, outcome: Replication) -> None:
    screen.line(f"{outcome.copied:,} events copied, {outcome.compared:,} were there; both logs end at {outcome.head:,}")
    screen.line(f"chain {outcome.chain}")
