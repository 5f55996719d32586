"""What users declare for the read side: rows, the projections that fill them, and how pages are asked for.

Reads: messages.py. Read next: read_store/tables.py (rows as columns), projections/folding.py (events into rows).

Decorators only mark; ``projection_plan`` reads the marks once and reports every fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime
from enum import Enum
from typing import (
    Annotated,
    Any,
    ClassVar,
    Generic,
    Literal,
    TypeAlias,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
    overload,
)
from uuid import UUID

import msgspec
from msgspec import Meta

from headwater.annotations import class_of, is_below, is_optional, options, peel
from headwater.messages import Event, Recorded, contract_of
from headwater.row_marks import Indexed, Join, Key, Searchable
from headwater.signatures import Parameter, Signature, alternatives, is_kind, leaves, marked_methods, read_signature
from headwater.words import SIMPLE, stem_of

__all__ = [
    "LARGEST_PAGE",
    "RELEVANCE",
    "EventHandler",
    "Indexed",
    "Join",
    "Key",
    "KeyOf",
    "Page",
    "PageRequest",
    "Projection",
    "ProjectionPlan",
    "ReadModel",
    "RowNeed",
    "Searchable",
    "Sort",
    "field_key",
    "key_fields",
    "language_of",
    "marked_fields",
    "on",
    "projection_plan",
]

R = TypeVar("R", bound="ReadModel")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

LARGEST_PAGE = 1_000
RELEVANCE = "relevance"
"""What a searched row can be sorted by besides its fields."""
_MOST_WEIGHTS = 4
_ON = "__on__"
_KEY_TYPES = (str, int, bool, bytes, UUID, date, datetime, Enum)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class ReadModel(msgspec.Struct, frozen=True, kw_only=True):
    """One row, shaped for queries. At least one field is marked with ``Key()``."""


Sort: TypeAlias = Annotated[
    str, Meta(max_length=500, description="Fields to sort by, separated by commas; a minus sign means descending.")
]
"""How to sort: ``"-opened_at,priority"``. Rows that are equal so far follow their key. ``None`` is the lowest value.

``relevance`` puts first what a search fits best, and means nothing where nothing is searched.
"""


class PageRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which page: at most ``size`` rows (1 to 1000), from another page's ``cursor`` on, with the ``total`` or not."""

    size: Annotated[int, Meta(ge=1, le=LARGEST_PAGE)] = 50
    cursor: str | None = None
    total: bool = False


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some rows, the cursors of the ``next`` and ``previous`` page if there are any, and the ``total`` if asked for.

    ``highlights`` are there after a search that asks for them: for each item, by field, the part of the text in which
    the words were found, as safe HTML with ``<mark>`` around them.
    """

    items: list[T]
    next: str | None = None
    previous: str | None = None
    total: int | None = None
    highlights: list[dict[str, str]] | msgspec.UnsetType = msgspec.UNSET


class Projection(Generic[R]):
    """Folds events into rows of one read model. Handlers are marked with ``@on``.

    ``name`` (default: the class name) is stored with the rows. Raise ``version`` when the rows' shape or meaning
    changes: they are then built anew from the whole log.
    """

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1


KeyOf: TypeAlias = Callable[[Any], Any]
"""From an event (as the handler takes it) to the key of its row, or to a list of keys."""


@overload
def on(function: F, /) -> F: ...
@overload
def on(*, key: KeyOf) -> Callable[[F], F]: ...
def on(function: F | None = None, /, *, key: KeyOf | None = None) -> F | Callable[[F], F]:
    """Mark the method that projects an event (``E``, a union, or ``Recorded[E]``).

    ``(self, event) -> Row | list[Row] | None`` gives new rows, stored under their keys. ``(self, event, row: Row)``
    gets the row of the event's key and returns the changed row, or ``None`` to delete it; with ``row: Row | None`` it
    is also called when there is no row yet, else ``MissingRow`` is raised. The event's key is its field (or fields)
    named like the read model's key, or what ``key`` makes of it: for a list of keys the method is called once for each,
    for ``None`` not at all.
    """

    def mark(marked: F) -> F:
        setattr(marked, _ON, _Mark(key))
        return marked

    return mark if function is None else mark(function)


class _Mark(msgspec.Struct, frozen=True):
    key: KeyOf | None


RowNeed: TypeAlias = Literal["new", "required", "optional"]


class EventHandler(msgspec.Struct, frozen=True, kw_only=True):
    """How one event type is projected.

    ``needs`` says whether the method makes new rows or changes a row that must or may be there; ``key`` gives the key
    of an event, a tuple for a key of several fields, or a list of keys.
    """

    event: type[Event]
    method: Callable[..., Any]
    wants_envelope: bool
    needs: RowNeed
    key: KeyOf | None
    where: str


class ProjectionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known about a projection class. ``key_fields`` name the key of its read model."""

    cls: type[Projection[Any]]
    name: str
    version: int
    model: type[ReadModel]
    key_fields: tuple[str, ...]
    handlers: Mapping[type[Event], EventHandler]
    where: str
    faults: tuple[str, ...]

    @property
    def models(self) -> tuple[type[ReadModel], ...]:
        """The read models it fills."""
        return (self.model,)

    @property
    def events(self) -> tuple[type[Event], ...]:
        """The event types it projects."""
        return tuple(self.handlers)

    @property
    def event_types(self) -> frozenset[str]:
        """The stored names of these events, aliases included."""
        contracts = [contract_of(event) for event in self.handlers]
        return frozenset(name for each in contracts for name in (each.name, *each.aliases))


def projection_plan(cls: type[Projection[Any]]) -> ProjectionPlan | str:
    """Read a projection class once. Faults are collected in the plan; a string means there is no plan at all."""
    model = _model_of(cls)
    if model is None:
        return f"{cls.__name__}: say which rows it fills: class {cls.__name__}(Projection[SomeReadModel])"
    faults = list(_model_faults(model))
    fields = key_fields(model)
    handlers: dict[type[Event], EventHandler] = {}
    for method in marked_methods(cls, _ON):
        for handler in _handlers(method, model, fields):
            if isinstance(handler, str):
                faults.append(handler)
            elif handler.event in handlers:
                other = handlers[handler.event].where
                faults.append(f"{handler.where}: {handler.event.__name__} is already projected by {other}")
            else:
                handlers[handler.event] = handler
    faults.extend(_class_faults(cls, handlers))
    return ProjectionPlan(
        cls=cls,
        name=cls.name or cls.__name__,
        version=cls.version,
        model=model,
        key_fields=fields,
        handlers=handlers,
        where=cls.__qualname__,
        faults=tuple(dict.fromkeys(faults)),
    )


def key_fields(model: type[ReadModel]) -> tuple[str, ...]:
    """The fields marked with ``Key()``, in order."""
    return tuple(name for name, marks, _ in marked_fields(model) if Key() in marks)


def language_of(model: type[ReadModel]) -> str:
    """The language its texts are searched in."""
    marks = (mark for _, marks, _ in marked_fields(model) for mark in marks)
    return next((mark.language for mark in marks if isinstance(mark, Searchable)), SIMPLE)


def marked_fields(model: type[ReadModel]) -> Iterator[tuple[str, tuple[Any, ...], Any]]:
    """Each field of a read model: its name, its marks, its type."""
    for field in msgspec.structs.fields(model):
        marks, _ = peel(field.type)
        yield field.name, marks, field.type


def _model_of(cls: type[Projection[Any]]) -> type[ReadModel] | None:
    for base in cls.__mro__:
        for generic in getattr(base, "__orig_bases__", ()):
            arguments = get_args(generic)
            if arguments and is_below(get_origin(generic), Projection) and is_kind(arguments[0], ReadModel):
                model: type[ReadModel] = arguments[0]
                return model
    return None


def _model_faults(model: type[ReadModel]) -> Iterator[str]:
    name = model.__name__
    try:
        listed = list(marked_fields(model))
    except (NameError, TypeError) as error:
        yield f"{name}: its annotations cannot be resolved ({error}); define the named types at module level"
        return
    if not any(Key() in marks for _, marks, _ in listed):
        yield f"{name}: no field is the key; mark one: Annotated[str, Key()]"
    for field, marks, hint in listed:
        if Key() in marks and (is_optional(hint) or not all(map(_may_be_key, options(hint)))):
            yield f"{name}.{field}: a key is a str, int, bytes, UUID, date, datetime, Enum or Literal, and never None"
    for field, marks, _ in listed:
        for mark in marks:
            unknown = set(mark.then) - {known for known, _, _ in listed} if isinstance(mark, Indexed) else ()
            yield from (f"{name}.{field}: {mark!r} names {each!r}, which is no field" for each in sorted(unknown))
    yield from _search_faults(name, listed)
    if len({field.lower() for field, _, _ in listed}) < len(listed):
        yield f"{name}: two fields differ only in upper and lower case, which SQL columns cannot"


def _search_faults(model: str, listed: list[tuple[str, tuple[Any, ...], Any]]) -> Iterator[str]:
    found = {field: mark for field, marks, _ in listed for mark in marks if isinstance(mark, Searchable)}
    for field, _, hint in listed:
        if field in found and [class_of(option) for option in options(hint)] != [str]:
            yield f"{model}.{field}: only text is searched by its words: Annotated[str, Searchable()]"
        if found and field.lower() == RELEVANCE:
            yield f"{model}.{field}: a searched row has a {RELEVANCE} already; call the field something else"
    if len({mark.language for mark in found.values()}) > 1:
        yield f"{model}: all its fields are searched in one language, because a search is"
    if len({mark.weight for mark in found.values()}) > _MOST_WEIGHTS:
        yield f"{model}: at most {_MOST_WEIGHTS} different weights can be told apart"
    for field, mark in found.items():
        if not mark.weight > 0:
            yield f"{model}.{field}: a weight is greater than 0"
        try:
            stem_of(mark.language)
        except ValueError as error:
            yield f"{model}.{field}: {error}"


def _may_be_key(hint: Any) -> bool:
    found = class_of(hint)
    return found is Literal or is_below(found, *_KEY_TYPES)


def _class_faults(cls: type[Projection[Any]], handlers: Mapping[type[Event], EventHandler]) -> Iterator[str]:
    version: Any = cls.version
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        yield f"{cls.__name__}.version is a whole number from 1, not {version!r}"
    if not handlers:
        yield f"{cls.__name__} projects no event; mark a method with @on"


def _handlers(
    method: Callable[..., Any], model: type[ReadModel], fields: tuple[str, ...]
) -> Iterator[EventHandler | str]:
    signature = read_signature(method, method=True)
    if isinstance(signature, str):
        yield signature
        return
    where, mark = signature.where, getattr(method, _ON)
    if len(signature.parameters) not in (1, 2):
        yield f"{where}: a handler takes (self, event) or (self, event, row)"
        return
    needs = _row_need(signature.parameters[1:], model)
    if needs is None:
        yield f"{where}: the second parameter is the row: {model.__name__} or {model.__name__} | None"
        return
    if needs == "new" and mark.key is not None:
        yield f"{where}: key= is for handlers that take the row; new rows carry their key"
    yield from _wrong_returns(signature, model)
    for envelope, event in _events(signature.parameters[0].annotation):
        if not is_kind(event, Event):
            yield f"{where}: {getattr(event, '__name__', event)} is not an event class"
        elif needs != "new" and mark.key is None and (missing := _missing(event, fields)):
            yield f"{where}: {event.__name__} has no field {missing!r} to find the row by; add it or say @on(key=...)"
        else:
            key = None if needs == "new" else mark.key or field_key(fields, envelope=envelope)
            yield EventHandler(event=event, method=method, wants_envelope=envelope, needs=needs, key=key, where=where)


def _events(annotation: Any) -> Iterator[tuple[bool, Any]]:
    for part in alternatives(annotation):
        if get_origin(part) is Recorded:
            yield from ((True, event) for event in alternatives(get_args(part)[0]))
        else:
            yield False, part


def _row_need(parameters: tuple[Parameter, ...], model: type[ReadModel]) -> RowNeed | None:
    if not parameters:
        return "new"
    found = set(alternatives(parameters[0].annotation))
    if found == {model}:
        return "required"
    return "optional" if found == {model, type(None)} else None


def _wrong_returns(signature: Signature, model: type[ReadModel]) -> Iterator[str]:
    for leaf in leaves(signature.returns):
        if leaf is not model:
            name = getattr(leaf, "__name__", str(leaf))
            yield f"{signature.where}: a handler of {model.__name__} returns its rows or None, not {name}"


def _missing(event: type[Event], fields: Iterable[str]) -> str | None:
    there = event.__struct_fields__
    return next((field for field in fields if field not in there), None)


def field_key(fields: tuple[str, ...], *, envelope: bool) -> KeyOf:
    """Takes the key from an event's fields of these names."""
    from operator import attrgetter

    return attrgetter(*(f"event.{field}" if envelope else field for field in fields))
