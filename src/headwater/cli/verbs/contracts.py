"""``headwater contracts freeze|check|show APP``: what messages look like, and which changes break.

Reads: headwater/contracts.py.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click
import msgspec

from headwater.app import App
from headwater.catalogue import spoken_name
from headwater.cli.applications import load_app
from headwater.cli.failures import ExitCode
from headwater.cli.screen import Screen
from headwater.cli.verb import verb
from headwater.contracts import Change, check, freeze
from headwater.errors import ContractError, UnknownMessage
from headwater.messages import Message, contract_of

_LOCK_OPTION = click.option(
    "--lock",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("contracts.lock.json"),
    show_default=True,
    help="The lock file; it belongs beside the code, under version control.",
)


@click.group("contracts")
def command() -> None:
    """Show an app's message contracts, freeze them into a lock file, or check that no change since then breaks."""


@command.command("freeze")
@click.argument("app", metavar="APP")
@_LOCK_OPTION
@verb
def freeze_contracts(screen: Screen, app: str, lock: Path) -> None:
    """Write the contracts of all messages of APP to the lock file."""
    catalogue = load_app(app).catalogue
    changes = check(catalogue, lock.read_bytes()) if lock.exists() else ()
    try:
        lock.write_bytes(freeze(catalogue))
    except OSError as error:
        why = f"{lock} cannot be written: {error.strerror}"
        raise ContractError(why, remedy="give another place: --lock FILE") from error
    count = len(catalogue.commands) + len(catalogue.queries) + len(catalogue.events)
    answer = {"lock": str(lock), "messages": count, "changes": [as_object(change) for change in changes]}
    screen.answer(answer, lambda: screen.line(f"froze {count} messages in {lock}; {_since_before(changes)}"))


@command.command("check")
@click.argument("app", metavar="APP")
@_LOCK_OPTION
@verb
def check_contracts(screen: Screen, app: str, lock: Path) -> int:
    """Compare APP with the lock file. Fails, with each reason, if a change breaks stored events or callers."""
    catalogue = load_app(app).catalogue
    try:
        frozen = lock.read_bytes()
    except OSError as error:
        hint = f"write it with: headwater contracts freeze {app} --lock {lock}"
        raise ContractError(f"{lock} cannot be read: {error.strerror}", remedy=hint) from error
    changes = check(catalogue, frozen)
    breaking = [change for change in changes if change.breaking]
    answer = {"compatible": not breaking, "changes": [as_object(change) for change in changes]}
    screen.answer(answer, lambda: _draw(screen, changes, len(breaking)))
    return ExitCode.FAILED if breaking else ExitCode.OK


@command.command("show")
@click.argument("app", metavar="APP")
@click.argument("name", metavar="[NAME]", required=False)
@verb
def show_contracts(screen: Screen, app: str, name: str | None) -> None:
    """List the messages of APP, or show the JSON Schema of the one called NAME."""
    loaded = load_app(app)
    if name is None:
        listed = _listed(loaded)
        screen.answer(
            listed, lambda: screen.table(("kind", "name", "version"), [tuple(each.values()) for each in listed])
        )
        return
    schema = loaded.codec.json_schema(_message_of(loaded, name))
    screen.answer(schema, lambda: screen.line(msgspec.json.format(msgspec.json.encode(schema), indent=2).decode()))


def as_object(change: Change) -> dict[str, Any]:
    """A change as plain values."""
    return msgspec.structs.asdict(change)


def _draw(screen: Screen, changes: tuple[Change, ...], breaking: int) -> None:
    for change in changes:
        screen.line(f"{'BREAKS' if change.breaking else 'fine  '}  {change}")
    screen.line(f"{breaking} of {len(changes)} changes break" if breaking else f"compatible, {len(changes)} changes")


def _since_before(changes: tuple[Change, ...]) -> str:
    breaking = sum(change.breaking for change in changes)
    return f"{len(changes)} changes since before" + (f", {breaking} of them break" if breaking else "")


def _listed(app: App) -> list[dict[str, Any]]:
    kinds = (("command", app.catalogue.commands), ("query", app.catalogue.queries), ("event", app.catalogue.events))
    return [
        {"kind": kind, "name": name, "version": app.catalogue.version_of(message)}
        for kind, messages in kinds
        for name, message in messages.items()
    ]


def _message_of(app: App, name: str) -> type[Message]:
    """The message of that name, whatever its kind, in any spelling. Raises ``UnknownMessage``."""
    messages: dict[str, type[Message]] = {**app.catalogue.commands, **app.catalogue.queries, **app.catalogue.events}
    by_spelling = {spoken_name(known): message for known, message in messages.items()}
    found = by_spelling.get(spoken_name(name))
    if found is None:
        nearest = get_close_matches(spoken_name(name), by_spelling, n=1)
        known = contract_of(by_spelling[nearest[0]]).name if nearest else None
        raise UnknownMessage("message", name, known, known=messages)
    return found
