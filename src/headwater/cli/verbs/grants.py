"""``headwater grants URL``: SQL for separate database roles. Reads: backends/postgres/grants.py, ../screen.py."""

from __future__ import annotations

import click
import msgspec

from headwater.cli.screen import Screen
from headwater.cli.verb import READ_STORE_OPTION, verb


@click.command("grants")
@click.argument("url", metavar="URL", envvar="HEADWATER_URL")
@click.option("--writer", metavar="ROLE", default="headwater_writer", show_default=True, help="Appends events.")
@click.option("--projector", metavar="ROLE", default="headwater_projector", show_default=True, help="Fills tables.")
@click.option("--reader", metavar="ROLE", default="headwater_reader", show_default=True, help="Answers queries.")
@READ_STORE_OPTION
@verb
def command(screen: Screen, url: str, writer: str, projector: str, reader: str, read_store: str | None) -> None:
    """Print the SQL that lets three database roles do their part, and nothing else, with the log at URL.

    Run it as the owner of the schemas, after `headwater migrate`: headwater grants URL | psql URL
    """
    from headwater.backends.postgres.grants import Roles, grants

    roles = Roles(writer, projector, reader)
    try:
        scripts = grants(url, roles, read_store=read_store)
    except ValueError as error:
        if hasattr(error, "code"):  # an error of a URL is told as such
            raise
        raise click.UsageError(str(error)) from None
    shown = {
        "roles": msgspec.structs.asdict(roles),
        "scripts": [{"database": each.where, "statements": each.statements} for each in scripts],
    }

    def draw() -> None:
        for each in scripts:
            screen.line(f"-- For the database {each.where}, as the owner of its schemas.\n{each.text}")

    screen.answer(shown, draw)
