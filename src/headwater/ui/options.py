"""What can be said about how an application is shown. Reads: nothing of the UI. Read next: names.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from headwater.annotations import is_below
from headwater.catalogue import Catalogue
from headwater.messages import Command, Message


class Show(msgspec.Struct, frozen=True, kw_only=True):
    """How one command or query is shown. What is left out follows from its names and docstrings.

    ``labels`` are words for its fields, by their names. ``fields`` are those that its form offers, in this order;
    ``columns`` what a list shows unless the reader chooses otherwise.
    """

    title: str | None = None
    help: str | None = None
    labels: Mapping[str, str] = {}
    fields: Sequence[str] = ()
    columns: Sequence[str] = ()


class UiOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How an application is shown: see ``TaskUi``, which takes these."""

    title: str | None = None
    path: str = "/ui"
    show: Mapping[type[Message], Show] = {}
    hide: Sequence[type[Message]] = ()
    labels: Mapping[str, str] = {}
    templates: str | Path | None = None
    wait_seconds: float = 2.0

    def of(self, cls: type[Message]) -> Show:
        """What is said about a message."""
        return self.show.get(cls, _NOTHING_SAID)


_NOTHING_SAID = Show()


def option_faults(options: UiOptions, catalogue: Catalogue) -> Iterator[str]:
    """What the options say of messages and fields that are not there."""
    if not options.path.startswith("/") or options.path.endswith("/"):
        yield f"path is where the pages begin, such as /ui, not {options.path!r}"
    if options.templates is not None and not Path(options.templates).is_dir():
        yield f"templates is a folder, and {str(options.templates)!r} is none"
    known: set[Any] = {*catalogue.commands.values(), *catalogue.queries.values()}
    for cls in (*options.show, *options.hide):
        if cls not in known:
            yield f"{getattr(cls, '__name__', cls)} is no command or query of the application"
    for cls, show in options.show.items():
        if cls in known:
            yield from _show_faults(cls, show)


def _show_faults(cls: Any, show: Show) -> Iterator[str]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(cls)}
    if show.columns and is_below(cls, Command):
        yield f"{cls.__name__}: columns are for lists, and it is a command"
    for name in show.fields:
        if name not in fields:
            yield f"{cls.__name__} has no field {name!r}; there are: {', '.join(fields)}"
    for name, field in fields.items():
        if show.fields and field.required and name not in show.fields:
            yield f"{cls.__name__}.{name} must be among the fields, because there is no default for it"
