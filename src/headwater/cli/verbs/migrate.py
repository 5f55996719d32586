"""``headwater migrate URL``: bring schemas up to this version. Reads: ../applications.py, event_store/, read_store/."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import click

from headwater.cli.applications import existing, load_app
from headwater.cli.screen import Screen
from headwater.cli.verb import READ_STORE_OPTION, verb
from headwater.event_store import open_store
from headwater.event_store.opening import url_to_show
from headwater.read_store import open_read_store, read_store_url

_POSTGRES = ("postgresql:", "postgres:")


@click.command("migrate")
@click.argument("url", metavar="URL", envvar="HEADWATER_URL")
@READ_STORE_OPTION
@click.option("--app", metavar="APP", help="Also make the tables of this app's read models (module:attribute).")
@verb
async def command(screen: Screen, url: str, read_store: str | None, app: str | None) -> None:
    """Bring the schemas of the log at URL and of its read store up to this version, each in one transaction.

    In PostgreSQL they are made if they are missing, so that processes whose role may make nothing find everything.
    """
    loaded = load_app(app) if app else None
    before = await _log_version(existing(url))
    rows_url = read_store or await _rows_beside(url, wanted=app is not None)
    rows_before = await _rows_version(rows_url) if rows_url else None
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(open_store(url, migrate=True))
        head = await log.head()
        if rows_url:
            await stack.enter_async_context(open_read_store(rows_url, migrate=True))
        if loaded:
            await stack.enter_async_context(loaded.open(url, read_store=rows_url, follow=False))
    shown: dict[str, Any] = {
        "url": url_to_show(url),
        "schema_before": before,
        "schema": await _log_version(url),
        "head": head,
    }
    if rows_url:
        shown |= {
            "read_store": url_to_show(rows_url),
            "read_store_schema_before": rows_before,
            "read_store_schema": await _rows_version(rows_url),
        }
    screen.answer(shown, lambda: screen.facts(shown))


async def _rows_beside(url: str, *, wanted: bool) -> str | None:
    """The read store beside the log; one that is a file only if it is there, or wanted."""
    beside = read_store_url(url)
    if wanted or url.startswith(_POSTGRES):
        return beside
    return beside if url.startswith("sqlite:") and await _rows_version(beside) else None


async def _log_version(url: str) -> int | None:
    """The log's schema version; ``None`` where there is nothing to ask."""
    if url.startswith(_POSTGRES):
        from headwater.backends.postgres.integrity import log_version

        return await log_version(url)
    if not url.startswith("sqlite:"):
        return None
    from headwater.backends.sqlite.integrity import version_of_file

    return version_of_file(url)


async def _rows_version(url: str) -> int | None:
    """The same of a read store."""
    if url.startswith(_POSTGRES):
        from headwater.backends.postgres.integrity import read_store_version

        return await read_store_version(url)
    if not url.startswith("sqlite:"):
        return None
    from headwater.backends.sqlite.connection import READ_STORE
    from headwater.backends.sqlite.integrity import version_of_file

    return version_of_file(url, READ_STORE)
