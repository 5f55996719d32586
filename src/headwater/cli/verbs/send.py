"""``headwater send APP NAME ...``: one command, one receipt. Reads: ../applications.py, ../fields.py."""

from __future__ import annotations

import click

from headwater.cli.applications import load_app, log_url
from headwater.cli.fields import FIELD_OPTION, body_of
from headwater.cli.screen import Screen
from headwater.cli.verb import NO_READ_STORE, READ_STORE_OPTION, URL_OPTION, verb


@click.command("send")
@click.argument("app", metavar="APP")
@click.argument("name", metavar="NAME")
@click.argument("words", metavar="[JSON|@FILE|-|NAME=VALUE...]", nargs=-1)
@FIELD_OPTION
@URL_OPTION
@READ_STORE_OPTION
@click.option("--idempotency-key", metavar="KEY", help="A repeat with the same key changes nothing more.")
@click.option(
    "--expect", type=click.IntRange(min=0), metavar="N", help="Refuse if there was a change after position N."
)
@click.option("--actor", metavar="WHO", help="Who sends it; stands in the events' metadata.")
@verb
async def command(
    screen: Screen,
    app: str,
    name: str,
    words: tuple[str, ...],
    fields: tuple[str, ...],
    url: str | None,
    read_store: str | None,
    idempotency_key: str | None,
    expect: int | None,
    actor: str | None,
) -> None:
    """Send the command NAME to APP (module:attribute) and show its receipt.

    The body is JSON, @FILE, - for standard input, or fields: impact=2 is read by the field's type, lines:='[1, 2]' is
    JSON, and a name given twice is a list.
    """
    loaded = load_app(app)
    message, body = loaded.catalogue.command_type(name), body_of(words, fields)
    if isinstance(body, bytes):
        decoded = loaded.codec.decode_command(message, body)
    else:
        decoded = loaded.codec.decode_parameters(message, body)
    rows = read_store or NO_READ_STORE
    async with loaded.open(log_url(loaded, url), read_store=rows, follow=False) as runtime:
        receipt = await runtime.execute(decoded, idempotency_key=idempotency_key, expect=expect, actor=actor)
    shown = {"position": receipt.position, "replayed": receipt.replayed}
    screen.answer(shown, lambda: screen.facts(shown))
