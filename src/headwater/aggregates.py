"""Who decides: an aggregate folds the events of its boundary into a state and decides commands on it.

Reads: messages.py, tags.py, event_store/protocol.py (queries). Read next: commands/executor.py (load, decide, append).

``decide`` is pure and synchronous: state and command in, event(s) out, or ``Refused``. ``evolve`` folds one event.
Decorators only mark; ``aggregate_plan`` reads the marks once and reports every fault.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Self, TypeVar, overload

import msgspec

from headwater.annotations import UNRESOLVED, field_faults, is_optional, name_of
from headwater.errors import HandlerContractError, Refused, WiringError
from headwater.event_store.protocol import EventQuery, QueryItem
from headwater.keyword_only import KeywordOnly
from headwater.messages import Command, Event, Recorded, contract_of
from headwater.signatures import (
    Parameter,
    Signature,
    enveloped,
    forgotten_return,
    is_kind,
    leaves,
    listed,
    marked,
    marked_methods,
    may_be_none,
    read_signature,
    unmarked_methods,
)
from headwater.tags import TagField, tag_faults, tag_fields, tag_names, tag_value

F = TypeVar("F", bound=Callable[..., Any])
When = Callable[[Any], "bool | str"]

_DECIDES = "__decides__"
_EVOLVES = "__evolves__"
_CHANGES_SELF = "evolve changes the fields of self and returns nothing"


class Aggregate(msgspec.Struct, metaclass=KeywordOnly):
    """The consistency boundary of a decision and the state folded from its events.

    Fields marked with ``Tag`` say which events it is about and are filled from the command's fields of the same name;
    all others need a default, the state before the first event. ``snapshot_every`` keeps a snapshot each so many
    events; raise ``snapshot_version`` when the meaning of the state changed.
    """

    snapshot_every: ClassVar[int | None] = None
    snapshot_version: ClassVar[int] = 1

    @classmethod
    def start(cls, command: Any) -> Self:
        """The empty state for this command: ``Tag`` fields are copied from the fields of the same name."""
        return cls(**{field.field: getattr(command, field.field) for field in tag_fields(cls)})

    def boundary(self) -> EventQuery:
        """Which events a decision looks at: one item per tag with all the types it evolves; no tag, all of the types.

        One whose tags have no values looks at none. Override it for anything else, for example both tags at once.
        """
        return default_boundary(self, tag_fields(type(self)), evolved_types(type(self)))


@overload
def decide(function: F, /) -> F: ...
@overload
def decide(*, when: When) -> Callable[[F], F]: ...
def decide(function: F | None = None, /, *, when: When | None = None) -> F | Callable[[F], F]:
    """Mark the method that decides a command, as in ``def open(self, command: OpenIncident) -> IncidentOpened``.

    It returns one event, several, or ``None`` where its annotation says so, or raises ``Refused``. It may also ask for
    ``now: Now`` and for services, by annotation. ``when`` says whether the command is on offer in this state: true, or
    the reason why not. For false the reason is its docstring; it may also raise ``Refused``, to give the refusal a code
    of its own.
    """
    given: Any = when
    if given is not None and (not callable(given) or inspect.iscoroutinefunction(given)):
        raise WiringError((f"@decide(when=...) takes a plain function of the state, not {when!r}",))

    def mark(method: F) -> F:
        return marked(method, _DECIDES, "decide", value=when)

    return mark if function is None else mark(function)


def evolve(function: F, /) -> F:
    """Mark the method that folds an event into the state: ``def opened(self, event: IncidentOpened) -> None``.

    It takes the event, a union of events, or ``Recorded[E]``; it changes ``self`` and returns nothing.
    """
    return marked(function, _EVOLVES, "evolve")


class Decider(msgspec.Struct, frozen=True):
    """How one command is decided: the method, what it is offered ``when``, and what else it asks for."""

    command: type[Command]
    method: Callable[..., Any]
    when: When | None
    extras: tuple[Parameter, ...]
    returns: tuple[type[Event], ...]
    may_be_none: bool
    where: str

    def reason_against(self, state: Aggregate) -> str | None:
        """Why the command is not on offer in this state, or ``None`` if it is."""
        if self.when is None:
            return None
        try:
            verdict = self.when(state)
        except Refused as refusal:
            return refusal.message
        return None if verdict is True else self._reason(verdict)

    def decide(
        self, state: Aggregate, command: Command, now: Callable[[], datetime], services: Any
    ) -> tuple[Event, ...]:
        """The events that follow. Raises ``Refused``, or ``HandlerContractError`` if something else came back."""
        if self.when is not None and (verdict := self.when(state)) is not True:
            raise Refused("not-available", self._reason(verdict), command=contract_of(self.command).name)
        if self.extras:
            asked = {p.name: now() if p.wants_now else services[p.annotation] for p in self.extras}
            decided = self.method(state, command, **asked)
        else:
            decided = self.method(state, command)
        if isinstance(decided, Event):
            return (decided,)
        return events_of(decided, self.where, may_be_none=self.may_be_none)

    def _reason(self, verdict: object) -> str:
        """The reason that ``when`` gave, or else what its documentation says."""
        if isinstance(verdict, str):
            return verdict
        if verdict:
            what = f"{self.where}: when= gave {verdict!r}, which is neither True nor a reason why not"
            raise HandlerContractError(what, remedy="give True, False or text", where=self.where)
        told = (getattr(self.when, "__doc__", None) or "").strip().partition("\n")[0]
        return told or f"{contract_of(self.command).name} is not possible now"


def events_of(decided: Any, where: str, *, may_be_none: bool = True) -> tuple[Event, ...]:
    """What a decider returned, as a tuple of events. Anything else is a ``HandlerContractError``."""
    if decided is None and not may_be_none:
        raise forgotten_return(where)
    events = listed(decided)
    for event in events:
        if not isinstance(event, Event):
            raise HandlerContractError(
                f"{where} returned {type(event).__name__}, which is not an event",
                remedy="return events, None, or raise Refused",
                where=where,
            )
    return events


class Evolver(msgspec.Struct, frozen=True):
    """How one event type is folded; ``wants_envelope`` if the method takes ``Recorded[E]``."""

    event: type[Event]
    method: Callable[[Any, Any], None]
    wants_envelope: bool


class AggregatePlan(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known about an aggregate class: deciders by command, evolvers by event, boundary, faults."""

    cls: type[Aggregate]
    deciders: Mapping[type[Command], Decider]
    evolvers: Mapping[type[Event], Evolver]
    tags: tuple[TagField, ...]
    faults: tuple[str, ...]

    @property
    def events(self) -> tuple[type[Event], ...]:
        """Every event type the aggregate evolves or says it may return."""
        returned = (event for decider in self.deciders.values() for event in decider.returns)
        return tuple(dict.fromkeys((*self.evolvers, *returned)))

    def evolve(self, state: Aggregate, recorded: Recorded[Event]) -> None:
        """Fold one recorded event into the state; an event it does not evolve changes nothing."""
        evolver = self.evolvers.get(type(recorded.event))
        if evolver is not None:
            evolver.method(state, recorded if evolver.wants_envelope else recorded.event)


def aggregate_plan(cls: type[Aggregate]) -> AggregatePlan:
    """Read an aggregate class once. Faults are collected in the plan, none is raised."""
    faults: list[str] = []
    deciders: dict[type[Command], Decider] = {}
    evolvers: dict[type[Event], Evolver] = {}
    for method in marked_methods(cls, _DECIDES):
        decider = _decider(method)
        if isinstance(decider, str):
            faults.append(decider)
        elif decider.command in deciders:
            other = deciders[decider.command].where
            faults.append(f"{decider.where}: {decider.command.__name__} is already decided by {other}")
        else:
            deciders[decider.command] = decider
    for method in marked_methods(cls, _EVOLVES):
        for evolver in _evolvers(method):
            if isinstance(evolver, str):
                faults.append(evolver)
            elif evolver.event in evolvers:
                faults.append(f"{method.__qualname__}: {evolver.event.__name__} is already evolved")
            else:
                evolvers[evolver.event] = evolver
    tags = tag_fields(cls)
    faults.extend(tag_faults(cls))
    faults.extend(_state_faults(cls, tags, deciders))
    faults.extend(_unreached(cls, tags, evolvers))
    faults.extend(unmarked_methods(cls, Aggregate, {_DECIDES: "decide", _EVOLVES: "evolve"}, {*deciders, *evolvers}))
    return AggregatePlan(cls=cls, deciders=deciders, evolvers=evolvers, tags=tags, faults=tuple(faults))


def default_boundary(state: Aggregate, tags: tuple[TagField, ...], types: tuple[str, ...]) -> EventQuery:
    """One item per tag value with the given types; without tags, one item of the types."""
    values: dict[str, None] = {}
    for field in tags:
        value = getattr(state, field.field)
        if type(value) is str:
            values[f"{field.tag}:{value}"] = None
            continue
        parts = value if field.many else (value,)
        values |= {f"{field.tag}:{tag_value(part)}": None for part in parts or () if part is not None}
    if tags:
        return EventQuery(tuple(QueryItem(types, (tag,)) for tag in values))
    return EventQuery((QueryItem(types),) if types else ())


@functools.cache
def evolved_types(cls: type[Aggregate]) -> tuple[str, ...]:
    """The stored names (aliases included) of the events the class evolves, sorted."""
    names: set[str] = set()
    for method in marked_methods(cls, _EVOLVES):
        for evolver in _evolvers(method):
            if not isinstance(evolver, str):
                names |= {contract_of(evolver.event).name, *contract_of(evolver.event).aliases}
    return tuple(sorted(names))


def overrides(cls: type[Aggregate], name: str) -> bool:
    """Whether the class, or a base below ``Aggregate``, has its own method of that name."""
    return any(name in vars(base) for base in cls.__mro__[: cls.__mro__.index(Aggregate)])


def _decider(method: Callable[..., Any]) -> Decider | str:
    signature = read_signature(method, method=True)
    if isinstance(signature, str):
        return signature
    if not signature.parameters or not is_kind(signature.parameters[0].annotation, Command):
        return f"{signature.where}: the first parameter after self must be annotated with a Command"
    wrong = _wrong_returns(signature)
    if wrong:
        return f"{signature.where}: a decider returns events or None, not {wrong}"
    return Decider(
        signature.parameters[0].annotation,
        method,
        getattr(method, _DECIDES, None),
        tuple(p for p in signature.parameters[1:]),
        tuple(leaf for leaf in leaves(signature.returns) if is_kind(leaf, Event)),
        may_be_none(signature.returns),
        signature.where,
    )


def _wrong_returns(signature: Signature) -> str:
    wrong = (leaf for leaf in leaves(signature.returns) if not (is_kind(leaf, Event) or leaf is Event))
    return ", ".join(getattr(leaf, "__name__", str(leaf)) for leaf in wrong)


def _evolvers(method: Callable[..., Any]) -> list[Evolver | str]:
    signature = read_signature(method, method=True)
    if isinstance(signature, str):
        return [signature]
    if len(signature.parameters) != 1:
        return [f"{signature.where}: evolve takes exactly one event"]
    if signature.returns is inspect.Parameter.empty:
        method = _returning_nothing(method, signature.where)
    elif signature.returns is not type(None):
        return [f"{signature.where}: {_CHANGES_SELF}, not {name_of(signature.returns)}"]
    found: list[Evolver | str] = []
    for envelope, event in enveloped(signature.parameters[0].annotation):
        if is_kind(event, Event):
            found.append(Evolver(event, method, envelope))
        else:
            found.append(f"{signature.where}: {getattr(event, '__name__', event)} is not an event class")
    return found


def _returning_nothing(method: Callable[..., Any], where: str) -> Callable[..., None]:
    """The method, which does not say what it returns: a new state would be lost. Who says ``-> None`` is trusted."""

    @functools.wraps(method)
    def evolving(state: Any, event: Any) -> None:
        returned = method(state, event)
        if returned is not None:
            raise HandlerContractError(f"{where} returned {type(returned).__name__}: {_CHANGES_SELF}", where=where)

    return evolving


def _state_faults(
    cls: type[Aggregate], tags: tuple[TagField, ...], deciders: Mapping[type[Command], Decider]
) -> Iterable[str]:
    try:
        listed = msgspec.structs.fields(cls)
        known = {command: {field.name: field.type for field in msgspec.structs.fields(command)} for command in deciders}
    except UNRESOLVED:  # told with the tags, and with the command
        return
    for field in listed:
        yield from (f"{cls.__name__}.{field.name}: {fault}" for fault in field_faults(field))
    yield from _settings_faults(cls, {field.name for field in listed})
    if overrides(cls, "start"):
        return
    named = {field.field for field in tags}
    for field in listed:
        if field.required and field.name not in named:
            yield f"{cls.__name__}.{field.name}: needs a default, or a Tag, or an own start()"
    for command, fields in known.items():
        for name in sorted(named - fields.keys()):
            yield f"{cls.__name__}: {command.__name__} has no field {name!r} to start from; add it or override start()"
        for field in listed:
            if field.name in named and is_optional(fields.get(field.name)) and not is_optional(field.type):
                where = f"{cls.__name__}.{field.name}"
                yield f"{where} is never None, but {command.__name__} may leave it out, and would be about nothing"


def _settings_faults(cls: type[Aggregate], fields: set[str]) -> Iterable[str]:
    """Fields that hide what every aggregate has, and settings that are none."""
    hidden = sorted(name for name in vars(Aggregate) if name in fields)
    for name in hidden:
        hint = "; as a setting it stands without annotation" if name.startswith("snapshot_") else ""
        yield f"{cls.__name__}.{name}: every aggregate has a {name!r}; call the field otherwise{hint}"
    if hidden:
        return
    every: Any = cls.snapshot_every
    version: Any = cls.snapshot_version
    if every is not None and (type(every) is not int or every < 1):
        yield f"{cls.__name__}.snapshot_every is a whole number from 1, or None, not {every!r}"
    if type(version) is not int:
        yield f"{cls.__name__}.snapshot_version is a whole number, not {version!r}"


def _unreached(cls: type[Aggregate], tags: tuple[TagField, ...], evolvers: Iterable[type[Event]]) -> Iterable[str]:
    """Events that the aggregate evolves and would never see, because they are about something else."""
    if not tags or overrides(cls, "boundary"):
        return
    wanted = {field.tag for field in tags}
    for event in evolvers:
        if not tag_faults(event) and wanted.isdisjoint(tag_names(event)):
            names = " or ".join(f"Tag({name!r})" for name in sorted(wanted))
            yield f"{cls.__name__} would never see {event.__name__}, which has no {names}; mark the field that holds it"
