"""Stable names and the classes they stand for; versions, and the steps from one to the next.

Reads: messages.py, upcasting.py, declarations.py. Read next: codec.py.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from headwater.annotations import is_below, name_of, options
from headwater.declarations import declaration_faults
from headwater.errors import UnknownMessage
from headwater.messages import Command, Event, Message, Query, contract_of
from headwater.upcasting import Upcaster, upcasters_of

M = TypeVar("M", bound=Message)
T = TypeVar("T")
Upcast = Callable[[dict[str, Any]], dict[str, Any]]

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[-_ .]+")


class Catalogue:
    """The messages of one application: ``commands``, ``queries`` and ``events`` by canonical name.

    Make it with ``Catalogue.of``. ``faults`` says everything that is wrong with them, one line each; a catalogue with
    faults answers as far as it can.
    """

    def __init__(
        self,
        commands: Mapping[str, type[Command]],
        queries: Mapping[str, type[Query[Any]]],
        events: Mapping[str, type[Event]],
        chains: Mapping[type[Event], Mapping[int, Upcast]],
        faults: tuple[str, ...],
    ) -> None:
        self.commands = commands
        self.queries = queries
        self.events = events
        self.faults = faults
        self._chains = chains
        self._commands = {**_spoken(commands), **_by_name(commands)}
        self._queries = {**_spoken(queries), **_by_name(queries)}
        self._events = _by_name(events)

    @classmethod
    def of(cls, messages: Iterable[Any], upcasters: Iterable[Upcast] = ()) -> Catalogue:
        """Collect message classes (or unions of them) and the functions marked with ``@upcast``.

        >>> class OpenIncident(Command):
        ...     pass
        >>> Catalogue.of([OpenIncident]).command_type("open-incident").__name__
        'OpenIncident'
        """
        classes = list(dict.fromkeys(option for message in messages for option in options(message)))
        known = [found for found in classes if _is_message(found)]
        faults = [f"{name_of(found)} is no command, query or event" for found in classes if not _is_message(found)]
        for found in known:
            faults.extend(declaration_faults(found))
        faults.extend(_name_faults(known))
        events = _of_kind(known, Event)
        chains, chain_faults = _chains(events, [step for part in upcasters for step in upcasters_of(part)])
        return cls(
            commands=_of_kind(known, Command),
            queries=_of_kind(known, Query),
            events=events,
            chains=chains,
            faults=tuple(dict.fromkeys((*faults, *chain_faults))),
        )

    def only(self, *, commands: bool, queries: bool) -> Catalogue:
        """The part that a door which takes no commands, or answers no queries, has to offer."""
        taken: Mapping[str, type[Command]] = self.commands if commands else {}
        answered: Mapping[str, type[Query[Any]]] = self.queries if queries else {}
        return Catalogue(taken, answered, self.events, self._chains, self.faults)

    def command_type(self, name: str) -> type[Command]:
        """The command of that name or alias, in any spelling (``open-incident``). Raises ``UnknownMessage``."""
        return _find("command", self._commands, self.commands, name)

    def query_type(self, name: str) -> type[Query[Any]]:
        """The query of that name or alias, in any spelling (``find-incidents``). Raises ``UnknownMessage``."""
        return _find("query", self._queries, self.queries, name)

    def event_type(self, name: str) -> type[Event]:
        """The event stored under that name, today or before. Raises ``UnknownMessage``."""
        return _find("event", self._events, self.events, name)

    def knows_event(self, name: str) -> bool:
        """Whether an event is, or was, stored under that name."""
        return name in self._events

    def name_of(self, cls: type[Message]) -> str:
        """The canonical name of a message class."""
        return contract_of(cls).name

    def version_of(self, cls: type[Message]) -> int:
        """The version a message class stands at."""
        return contract_of(cls).version

    def steps(self, cls: type[Event], version: int) -> tuple[Upcast, ...] | None:
        """The upcasters that bring stored fields of that version to today's, in order; ``None`` if there is no way."""
        chain = self._chains.get(cls, {})
        steps = [chain.get(step) for step in range(version, contract_of(cls).version)]
        found = tuple(step for step in steps if step is not None)
        return found if len(found) == len(steps) and 1 <= version <= contract_of(cls).version else None


def named(kind: str, name: str, known: Mapping[str, T]) -> T:
    """What has exactly that name. Raises ``UnknownMessage``, with the nearest name and all there are."""
    given: Any = name
    if not isinstance(given, str):
        raise UnknownMessage(kind, repr(given), known=known)
    if name not in known:
        raise UnknownMessage(kind, name, *difflib.get_close_matches(name, known, n=1), known=known)
    return known[name]


def spoken_name(name: str) -> str:
    """A name as it stands in a path or on a command line.

    >>> spoken_name("OpenIncident"), spoken_name("SLAMissed"), spoken_name("open_incident")
    ('open-incident', 'sla-missed', 'open-incident')
    """
    return _WORD.sub("-", name).strip("-").lower()


def _is_message(found: Any) -> bool:
    return is_below(found, Command, Query, Event) and found not in (Command, Query, Event)


def _of_kind(messages: Iterable[type[Message]], kind: type[M]) -> dict[str, type[M]]:
    """The classes of a kind by name, sorted; of two with one name the first, since the other is a fault."""
    found: dict[str, type[M]] = {}
    for message in messages:
        if issubclass(message, kind):
            found.setdefault(contract_of(message).name, message)
    return dict(sorted(found.items()))


def _by_name(messages: Mapping[str, type[M]]) -> dict[str, type[M]]:
    aliases = {alias: cls for cls in messages.values() for alias in contract_of(cls).aliases}
    return {**aliases, **messages}


def _spoken(messages: Mapping[str, type[M]]) -> dict[str, type[M]]:
    return {spoken_name(name): cls for name, cls in _by_name(messages).items()}


def _find(kind: str, known: Mapping[str, type[M]], canonical: Mapping[str, type[M]], name: str) -> type[M]:
    found = known.get(name) or (known.get(spoken_name(name)) if kind != "event" else None)
    if found is None:
        raise UnknownMessage(kind, name, _nearest(name, canonical), known=canonical)
    return found


def _nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is meant, as far as spelling tells."""
    spoken = {spoken_name(candidate): candidate for candidate in known}
    close = difflib.get_close_matches(spoken_name(name), list(spoken), n=1)
    return spoken[close[0]] if close else None


def _name_faults(messages: Iterable[type[Message]]) -> Iterator[str]:
    """A name, or an alias, that stands for two classes. Spelling does not tell names apart."""
    owners: dict[str, type[Message]] = {}
    for message in messages:
        own = contract_of(message)
        for name in dict.fromkeys((own.name, *own.aliases)):
            owner = owners.setdefault(spoken_name(name), message)
            if owner is not message:
                yield f"the name {name!r} is used twice: by {_where(owner)} and by {_where(message)}"


def _where(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _chains(
    events: Mapping[str, type[Event]], upcasters: Iterable[Upcaster]
) -> tuple[dict[type[Event], dict[int, Upcast]], list[str]]:
    """The steps of each event by version, and what is wrong with them."""
    faults: list[str] = []
    known = _by_name(events)
    steps: dict[type[Event], dict[int, Upcaster]] = {}
    for step in upcasters:
        cls = known.get(step.name)
        if cls is None:
            nearest = _nearest(step.name, known)
            hint = f"; did you mean {nearest}?" if nearest else ""
            faults.append(f"{step.where}: no event is called {step.name!r}{hint}")
            continue
        taken = steps.setdefault(cls, {}).setdefault(step.from_version, step)
        if taken is not step:
            faults.append(f"{step.where}: {step.name} version {step.from_version} is already upcast by {taken.where}")
    for cls in events.values():
        faults.extend(_gaps(cls, steps.get(cls, {})))
    return {cls: {version: step.function for version, step in found.items()} for cls, found in steps.items()}, faults


def _gaps(cls: type[Event], steps: Mapping[int, Upcaster]) -> Iterator[str]:
    own = contract_of(cls)
    for version in range(1, own.version):
        if version not in steps:
            yield (
                f"{own.name} is at version {own.version}, but nothing upcasts version {version}; "
                f"add a function marked @upcast({own.name!r}, from_version={version})"
            )
    for version, step in steps.items():
        if not 1 <= version < own.version:
            yield (
                f"{step.where}: upcasts version {version} of {own.name}, which is at version {own.version}; "
                f"raise it with @contract({own.name!r}, version={version + 1})"
            )
