"""``headwater ask APP NAME ...``: one query, one answer. Reads: ../applications.py, ../fields.py."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeGuard

import click
import msgspec

from headwater.cli.applications import existing_log, load_app, log_url
from headwater.cli.fields import FIELD_OPTION, body_of
from headwater.cli.screen import Screen
from headwater.cli.verb import READ_STORE_OPTION, URL_OPTION, Seconds, verb
from headwater.cli.watching import watched
from headwater.plain import is_object
from headwater.queries.past import as_of_text
from headwater.read_models import Page


@click.command("ask")
@click.argument("app", metavar="APP")
@click.argument("name", metavar="NAME")
@click.argument("words", metavar="[JSON|@FILE|-|NAME=VALUE...]", nargs=-1)
@FIELD_OPTION
@URL_OPTION
@READ_STORE_OPTION
@click.option("--after", type=click.IntRange(min=0), metavar="N", help="Wait only until position N is included.")
@click.option("--eventual", is_flag=True, help="Answer at once, from whatever the read models hold.")
@click.option("--timeout", type=Seconds(min=0), default=60.0, show_default=True, help="Seconds to wait at most.")
@click.option("--actor", metavar="WHO", help="Who asks.")
@click.option("--as-of", metavar="PLACE", help="As it was: at a position, or at a time such as 2012-03-01T00:00Z.")
@verb
async def command(  # noqa: PLR0913, PLR0917  each is an argument or an option of the command line
    screen: Screen,
    app: str,
    name: str,
    words: tuple[str, ...],
    fields: tuple[str, ...],
    url: str | None,
    read_store: str | None,
    after: int | None,
    eventual: bool,  # noqa: FBT001  an option of the command line
    timeout: float,
    actor: str | None,
    as_of: str | None,
) -> None:
    """Ask APP (module:attribute) the query NAME and show the answer.

    The query is JSON, @FILE, - for standard input, or fields: status=open page.size=10 sort=-opened_at. The answer
    includes everything in the log, unless --after or --eventual say that less is enough. With --as-of it is the answer
    as it was then, from the log alone.
    """
    loaded = load_app(app)
    query = loaded.codec.decode_query(name, body_of(words, fields))
    place = None if as_of is None else _place(as_of)
    log = await existing_log(log_url(loaded, url))
    async with loaded.open(log, read_store=read_store, follow="if-needed" if place is None else False) as runtime:
        if place is not None:
            after = None
        elif after is None and not eventual:
            after = await runtime.event_store.head()
        names = [plan.name for plan in loaded.wiring.projections if place is None]
        async with watched(screen, "reading the log", runtime, names, after or 0):
            answer = await runtime.answer(query, after=after, timeout=timeout, actor=actor, as_of=place)
    shown = {"value": answer.value, "position": answer.position, "age_seconds": answer.age_seconds}
    screen.answer(shown, lambda: _draw(screen, answer.value, answer.position))


def _place(text: str) -> int | datetime:
    try:
        return as_of_text(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} is no position and no time", param_hint="--as-of") from error


def _draw(screen: Screen, value: Any, position: int) -> None:
    if _is_page(value):
        _draw_rows(screen, value.items)
        total = "" if value.total is None else f" of {value.total:,}"
        rows = "1 row" if len(value.items) == 1 else f"{len(value.items):,} rows"
        screen.note(f"{rows}{total}, as of position {position:,}")
        if value.next:
            screen.note(f"next: page.cursor={value.next}")
        return
    plain: Any = msgspec.to_builtins(value, enc_hook=str)
    if isinstance(plain, list | tuple):
        _draw_rows(screen, plain)
    else:
        screen.facts(plain if is_object(plain) else {"value": plain})
    screen.note(f"as of position {position:,}")


def _is_page(value: object) -> TypeGuard[Page[Any]]:
    return isinstance(value, Page)


def _draw_rows(screen: Screen, rows: Any) -> None:
    plain: list[dict[str, Any]] = [
        row if isinstance(row, dict) else {"value": row} for row in msgspec.to_builtins(rows, enc_hook=str)
    ]
    names = list(dict.fromkeys(name for row in plain for name in row))
    screen.table(names, [[row.get(name) for name in names] for row in plain])
