"""``headwater events URL``: what happened. Reads: ../screen.py, event_store/protocol.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import msgspec

from headwater.cli.applications import existing_log
from headwater.cli.screen import Screen, as_json_text, visible
from headwater.cli.verb import verb
from headwater.event_store import open_store
from headwater.event_store.protocol import ALL, EventQuery, EventStore, RecordedEvent

_DEFAULT_LIMIT = 100


@click.command("events")
@click.argument("url", metavar="URL", envvar="HEADWATER_URL")
@click.option(
    "--type", "types", multiple=True, metavar="TYPE", help="Only events of this type; repeatable, any of them."
)
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only events with this tag; repeatable, all of them.")
@click.option("--after", type=click.IntRange(min=0), default=0, metavar="N", help="Only events after position N.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="At most N events.  [default: 100; none if following]"
)
@click.option("--backwards", is_flag=True, help="Newest first.")
@click.option("--follow", is_flag=True, help="Stay, and show events as they come; with --json one object a line.")
@verb
async def command(
    screen: Screen,
    url: str,
    types: tuple[str, ...],
    tags: tuple[str, ...],
    after: int,
    limit: int | None,
    backwards: bool,  # noqa: FBT001  an option of the command line
    follow: bool,  # noqa: FBT001  as above
) -> None:
    """Show the events of the log at URL, in order."""
    if backwards and follow:
        raise click.UsageError("--follow goes forwards; leave out --backwards")
    query = EventQuery.of(types=types, tags=tags) if types or tags else ALL
    async with open_store(await existing_log(url)) as store:
        if follow:
            await _follow(screen, store, query, after, limit)
            return
        found = await store.read(query, after=after, limit=limit or _DEFAULT_LIMIT, backwards=backwards)
    answer = {"events": [as_object(event) for event in found.events], "head": found.head}
    screen.answer(answer, lambda: _draw(screen, found.events, found.head))


def as_object(event: RecordedEvent) -> dict[str, Any]:
    """An event as plain values; a body that is not JSON becomes text."""
    return {
        "position": event.position,
        "type": event.type,
        "version": event.version,
        "id": event.id,
        "recorded_at": event.recorded_at,
        "tags": event.tags,
        "data": _decoded(event.data),
        "metadata": _decoded(event.metadata),
    }


async def _follow(screen: Screen, store: EventStore, query: EventQuery, after: int, limit: int | None) -> None:
    shown = 0
    async for found in store.subscribe(query, after=after):
        for event in found.events:
            click.echo(as_json_text(as_object(event)) if screen.as_json else visible("  ".join(map(str, _row(event)))))
            shown += 1
            if shown == limit:
                return


def _draw(screen: Screen, events: Sequence[RecordedEvent], head: int) -> None:
    screen.table(("position", "recorded at", "type", "tags", "data"), [_row(event) for event in events])
    screen.note(f"{len(events):,} event{'' if len(events) == 1 else 's'}; the log ends at {head:,}")


def _row(event: RecordedEvent) -> tuple[int, str, str, str, str]:
    when = event.recorded_at.strftime("%Y-%m-%d %H:%M:%S")
    return event.position, when, event.type, " ".join(event.tags), event.data.decode(errors="replace")


def _decoded(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return data.decode(errors="replace")
