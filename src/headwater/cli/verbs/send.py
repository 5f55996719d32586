"""``headwater send APP NAME ...``: one command, one receipt. Reads: ../applications.py, ../fields.py."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from headwater.cli.applications import load_app, log_url
from headwater.cli.fields import parameters_of
from headwater.cli.screen import Screen
from headwater.cli.verb import NO_READ_STORE, READ_STORE_OPTION, URL_OPTION, verb


@click.command("send")
@click.argument("app", metavar="APP")
@click.argument("name", metavar="NAME")
@click.argument("body", metavar="[JSON|@FILE|-]", required=False)
@click.option("-f", "--field", "words", multiple=True, metavar="NAME=VALUE", help="A field of the command; repeatable.")
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
    body: str | None,
    words: tuple[str, ...],
    url: str | None,
    read_store: str | None,
    idempotency_key: str | None,
    expect: int | None,
    actor: str | None,
) -> None:
    """Send the command NAME to APP (module:attribute) and show its receipt.

    The body is JSON, @FILE, - for standard input, or --field words: impact=2 is read by the field's type,
    lines:='[1, 2]' is JSON, and a name given twice is a list.
    """
    loaded = load_app(app)
    if body is not None and words:
        raise click.UsageError("give the body as JSON or as --field words, not both")
    message = loaded.catalogue.command_type(name)
    if body is None:
        decoded = loaded.codec.decode_parameters(message, parameters_of(words))
    else:
        decoded = loaded.codec.decode_command(message, _read(body))
    rows = read_store or NO_READ_STORE
    async with loaded.open(log_url(loaded, url), read_store=rows, follow=False) as runtime:
        receipt = await runtime.execute(decoded, idempotency_key=idempotency_key, expect=expect, actor=actor)
    shown = {"position": receipt.position, "replayed": receipt.replayed}
    screen.answer(shown, lambda: screen.facts(shown))


def _read(body: str) -> bytes:
    """The text of the body: given as it stands, in a file, or on standard input."""
    if body == "-":
        return sys.stdin.buffer.read()
    if not body.startswith("@"):
        return os.fsencode(body)  # the very bytes that stand on the command line
    try:
        return Path(body[1:]).read_bytes()
    except OSError as error:
        raise click.UsageError(f"{body[1:]} cannot be read: {error.strerror}") from None
