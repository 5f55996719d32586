"""What a projection's handlers ask for, read from their annotations once: events, rows, look-ups.

Reads: signatures.py, messages.py. Read next: read_models.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from operator import attrgetter
from typing import Any, Literal, TypeAlias

import msgspec

from headwater.annotations import is_optional, name_of, peel
from headwater.messages import Event
from headwater.signatures import (
    Parameter,
    Signature,
    alternatives,
    enveloped,
    is_kind,
    leaves,
    may_be_none,
    read_signature,
)

KeyOf: TypeAlias = Callable[[Any], Any]
"""From an event (as the handler takes it) to the key of its row, or to a list of keys."""

RowNeed: TypeAlias = Literal["new", "required", "optional"]


class Lookup:
    """Marks a handler's parameter: a row of another model of the same projection, only to look at.

    ``caller: Annotated[CallerRow | None, Lookup("caller_id")]`` is the row of the key that the event's field holds (or
    several fields, or what a function makes of the event) as it was before the event. Without ``| None`` it must be
    there. All rows that a batch of events looks up are read at once.
    """

    __slots__ = ("key",)

    def __init__(self, *key: str | KeyOf) -> None:
        self.key = key


class LookupPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A look-up that a handler asks for: its ``parameter``, the ``model``, the ``key``, whether it must be there."""

    parameter: str
    model: type[Any]
    key: KeyOf
    required: bool


class EventHandler(msgspec.Struct, frozen=True, kw_only=True):
    """How one event type is projected.

    ``needs`` says whether the method makes new rows or changes a row that must or may be there; ``key`` gives the key
    of an event, a tuple for a key of several fields, or a list of keys. ``models`` are those whose rows it returns.
    """

    event: type[Event]
    method: Callable[..., Any]
    wants_envelope: bool
    needs: RowNeed
    key: KeyOf | None
    models: tuple[type[Any], ...]
    lookups: tuple[LookupPlan, ...] = ()
    may_be_none: bool
    where: str


class Filled(msgspec.Struct, frozen=True):
    """The read models that a projection fills, with their keys, and which of them are sums that handlers add to."""

    keys: Mapping[type[Any], tuple[str, ...]]
    sums: frozenset[type[Any]] = frozenset()

    @property
    def names(self) -> str:
        """Their names."""
        return " or ".join(model.__name__ for model in self.keys)


def handlers_of(method: Callable[..., Any], key_of: KeyOf | None, filled: Filled) -> Iterator[EventHandler | str]:
    """The handlers that a marked method is, one for each event; a string is a fault."""
    signature = read_signature(method, method=True)
    if isinstance(signature, str):
        yield signature
        return
    where = signature.where
    rest = [each for each in signature.parameters[1:] if _lookup_mark(each) is None]
    if not signature.parameters or len(rest) > 1:
        yield f"{where}: a handler takes (self, event) or (self, event, row)"
        return
    found = _row_need(rest, filled)
    if found is None:
        wanted = filled.names if len(filled.keys) > 1 else f"{filled.names} or {filled.names} | None"
        yield f"{where}: the second parameter is the row: {wanted}"
        return
    needs, model = found
    if needs == "new" and key_of is not None:
        yield f"{where}: key= is for handlers that take the row; new rows carry their key"
    if needs != "new" and model in filled.sums:
        yield f"{where}: rows of {model.__name__} are added up; return what is to be added, and take no row"
    models = (model,) if needs != "new" else _made(signature, filled)
    yield from _wrong_returns(signature, filled if needs == "new" else Filled({model: filled.keys[model]}))
    for envelope, event in enveloped(signature.parameters[0].annotation):
        if not is_kind(event, Event):
            yield f"{where}: {getattr(event, '__name__', event)} is not an event class"
            continue
        fields = filled.keys[model]
        if needs != "new" and key_of is None and (missing := _missing(event, fields)):
            yield f"{where}: {event.__name__} has no field {missing!r} to find the row by; add it or say @on(key=...)"
            continue
        lookups = [_lookup(where, each, event, filled, envelope=envelope) for each in signature.parameters[1:]]
        yield from (each for each in lookups if isinstance(each, str))
        yield EventHandler(
            event=event,
            method=method,
            wants_envelope=envelope,
            needs=needs,
            key=None if needs == "new" else key_of or field_key(fields, envelope=envelope),
            models=models,
            lookups=tuple(each for each in lookups if isinstance(each, LookupPlan)),
            may_be_none=may_be_none(signature.returns),
            where=where,
        )


def _row_need(parameters: list[Parameter], filled: Filled) -> tuple[RowNeed, type[Any]] | None:
    """Which row a handler takes, and how much it needs it; with ``new`` the model is any."""
    if not parameters:
        return "new", next(iter(filled.keys))
    found = set(alternatives(parameters[0].annotation))
    model = next((each for each in filled.keys if each in found), None)
    if model is None or found - {model, type(None)}:
        return None
    return ("required" if found == {model} else "optional"), model


def _made(signature: Signature, filled: Filled) -> tuple[type[Any], ...]:
    named = {leaf for leaf in leaves(signature.returns) if leaf in filled.keys}
    return tuple(model for model in filled.keys if model in named) or tuple(filled.keys)


def _wrong_returns(signature: Signature, filled: Filled) -> Iterator[str]:
    for leaf in leaves(signature.returns):
        if leaf not in filled.keys:
            name = getattr(leaf, "__name__", str(leaf))
            yield f"{signature.where}: a handler of {filled.names} returns its rows or None, not {name}"


def _missing(event: type[Event], fields: Iterable[str]) -> str | None:
    there = event.__struct_fields__
    return next((field for field in fields if field not in there), None)


def _lookup_mark(parameter: Parameter) -> Lookup | None:
    return next((mark for mark in peel(parameter.annotation)[0] if isinstance(mark, Lookup)), None)


def _lookup(
    where: str, parameter: Parameter, event: type[Event], filled: Filled, *, envelope: bool
) -> LookupPlan | str | None:
    mark = _lookup_mark(parameter)
    if mark is None:
        return None
    hint = peel(parameter.annotation)[1]
    (model, *others) = [each for each in alternatives(hint) if each is not type(None)]
    if others or model not in filled.keys or model in filled.sums:
        return f"{where}: {parameter.name} looks up {name_of(hint)}, which is no row that it fills"
    fields = [each for each in mark.key if isinstance(each, str)] if mark.key else list(filled.keys[model])
    if len(fields) == len(mark.key or fields):
        if len(fields) != len(filled.keys[model]):
            return f"{where}: {parameter.name} names as many fields as the key of {model.__name__} has"
        if missing := _missing(event, fields):
            return f"{where}: {event.__name__} has no field {missing!r} to look up {parameter.name} by"
        key = field_key(tuple(fields), envelope=envelope)
    elif len(mark.key) == 1 and callable(mark.key[0]):
        key = mark.key[0]
    else:
        return f"{where}: {parameter.name} is looked up by fields of the event, or by one function of it"
    return LookupPlan(parameter=parameter.name, model=model, key=key, required=not is_optional(hint))


def field_key(fields: tuple[str, ...], *, envelope: bool) -> KeyOf:
    """Takes the key from an event's fields of these names."""
    return attrgetter(*(f"event.{field}" if envelope else field for field in fields))
