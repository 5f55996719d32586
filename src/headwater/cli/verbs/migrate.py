"""``headwater migrate URL``: bring a log's schema up to this version. Reads: event_store/."""

from __future__ import annotations

import click

from headwater.cli.applications import existing
from headwater.cli.screen import Screen
from headwater.cli.verb import verb
from headwater.event_store import open_store


@click.command("migrate")
@click.argument("url", metavar="URL", envvar="HEADWATER_URL")
@verb
async def command(screen: Screen, url: str) -> None:
    """Bring the schema of the log at URL up to this version, in one transaction."""
    before = _schema_version(existing(url))
    async with open_store(url, migrate=True) as store:
        head = await store.head()
    shown = {"url": url, "schema_before": before, "schema": _schema_version(url), "head": head}
    screen.answer(shown, lambda: screen.facts(shown))


def _schema_version(url: str) -> int | None:
    if not url.startswith("sqlite:"):
        return None
    from headwater.backends.sqlite.integrity import file_facts

    return file_facts(url).schema_version
