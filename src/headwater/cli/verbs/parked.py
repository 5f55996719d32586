"""``headwater parked list|retry|discard APP``: sequences that were set aside because an event failed.

Reads: ../applications.py, followers/parking.py. Read next: verbs/projections.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

import click
import msgspec

from headwater.cli.applications import existing_log, load_app, log_url, user
from headwater.cli.screen import Screen
from headwater.cli.verb import READ_STORE_OPTION, URL_OPTION, verb
from headwater.errors import ProjectionError
from headwater.read_store.parking import Discarded, Parked, shown
from headwater.runtime import Runtime

_APP = click.argument("app", metavar="APP")
_NAME = click.argument("name", metavar="NAME")


@click.group("parked")
def command() -> None:
    """List what projections have set aside, let it go on, or leave an event out."""


@command.command("list")
@_APP
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--discarded", is_flag=True, help="List the events that were left out, instead.")
@URL_OPTION
@READ_STORE_OPTION
@verb
async def list_parked(
    screen: Screen,
    app: str,
    name: str | None,
    discarded: bool,  # noqa: FBT001  an option of the command line
    url: str | None,
    read_store: str | None,
) -> None:
    """List the parked sequences of APP, or of its projection NAME."""
    async with _opened(app, url, read_store) as runtime:
        found = await (runtime.discarded(name) if discarded else runtime.parked(name))
    columns = _DISCARDED if discarded else _PARKED
    rows = [_facts(each) for each in found]
    screen.answer(rows, lambda: screen.table(columns, [[row[column] for column in columns] for row in rows]))


@command.command("retry")
@_APP
@_NAME
@click.argument("sequences", metavar="[SEQUENCE]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All parked sequences of the projection.")
@URL_OPTION
@READ_STORE_OPTION
@verb
async def retry(
    screen: Screen,
    app: str,
    name: str,
    sequences: tuple[str, ...],
    everything: bool,  # noqa: FBT001  an option of the command line
    url: str | None,
    read_store: str | None,
) -> int:
    """Let parked sequences of the projection NAME go on, in order. Fails if one stands still again."""
    if everything == bool(sequences):
        raise click.UsageError("name the sequences, or say --all")
    async with _opened(app, url, read_store) as runtime:
        if everything:
            sequences = tuple(each.sequence for each in await runtime.parked(name))
        return await _settle(screen, sequences, lambda each: runtime.retry_parked(name, each))


@command.command("discard")
@_APP
@_NAME
@click.argument("sequences", metavar="SEQUENCE...", nargs=-1, required=True)
@click.option("--reason", required=True, help="Why the event is left out; kept with who did it, and when.")
@click.option("--by", help="Who does it.  [default: the user of this process]")
@URL_OPTION
@READ_STORE_OPTION
@verb
async def discard(
    screen: Screen,
    app: str,
    name: str,
    sequences: tuple[str, ...],
    reason: str,
    by: str | None,
    url: str | None,
    read_store: str | None,
) -> int:
    """Leave out the event that a sequence of NAME failed on, and let the rest of it go on."""
    if not reason.strip():
        raise click.UsageError("--reason says why, in a word at least")
    actor = by or user()
    async with _opened(app, url, read_store) as runtime:
        return await _settle(
            screen, sequences, lambda each: runtime.discard_parked(name, each, reason=reason, actor=actor)
        )


@asynccontextmanager
async def _opened(app: str, url: str | None, read_store: str | None) -> AsyncIterator[Runtime]:
    loaded = load_app(app)
    log = await existing_log(log_url(loaded, url))
    async with loaded.open(log, read_store=read_store, follow=False) as runtime:
        yield runtime


async def _settle(
    screen: Screen, sequences: Sequence[str], go_on: Callable[[str], Coroutine[Any, Any, Parked | None]]
) -> int:
    """Let each go on; the exit code says whether all of them do. Of several, one that cannot holds up no other."""
    stand: dict[str, Parked | ProjectionError | None] = {}
    for sequence in sequences:
        try:
            stand[sequence] = await go_on(sequence)
        except ProjectionError as error:
            if len(sequences) == 1:
                raise
            stand[sequence] = error

    def draw() -> None:
        for sequence, found in stand.items():
            screen.line(f"{_plain(sequence)} {_told(found)}")

    screen.answer([_outcome(sequence, found) for sequence, found in stand.items()], draw)
    return int(any(found is not None for found in stand.values()))


def _outcome(sequence: str, found: Parked | ProjectionError | None) -> dict[str, Any]:
    parked = _facts(found) if isinstance(found, Parked) else None
    error = str(found) if isinstance(found, ProjectionError) else None
    return {"sequence": _plain(sequence), "goes_on": found is None, "parked": parked, "error": error}


def _told(found: Parked | ProjectionError | None) -> str:
    if found is None:
        return "goes on"
    if isinstance(found, Parked):
        return f"stands at position {found.position}: {found.error}"
    return f"cannot go on: {found}"


_PARKED = ("projection", "sequence", "position", "event", "attempts", "parked_at", "error")
_DISCARDED = ("projection", "sequence", "position", "event", "discarded_at", "discarded_by", "reason", "error")


def _facts(each: Parked | Discarded) -> dict[str, Any]:
    return {**msgspec.structs.asdict(each), "sequence": shown(each.sequence)}


def _plain(sequence: str) -> str:
    try:
        return shown(sequence)
    except msgspec.DecodeError:  # as it was given: a key without quotes
        return sequence
