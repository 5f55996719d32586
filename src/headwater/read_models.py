"""What users declare for the read side: rows, the projections that fill them, and how pages are asked for.

Reads: messages.py. Read next: read_store/tables.py (rows as columns), projections/folding.py (events into rows).

Decorators only mark; ``projection_plan`` reads the marks once and reports every fault.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
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

from headwater.annotations import UNRESOLVED, class_of, field_faults, is_below, is_optional, options, peel, unresolved
from headwater.errors import WiringError
from headwater.figure_marks import ADDED, MARKS, Count, Sum
from headwater.keyword_only import KeywordOnly
from headwater.messages import Event, contract_of
from headwater.row_handlers import EventHandler, Filled, KeyOf, handlers_of
from headwater.row_marks import Indexed, Join, Key, Searchable
from headwater.signatures import alternatives, is_kind, marked, marked_methods, unmarked_methods
from headwater.words import SIMPLE, stem_of

__all__ = [
    "LARGEST_PAGE",
    "RELEVANCE",
    "AggregateProjection",
    "Indexed",
    "Join",
    "Key",
    "Page",
    "PageRequest",
    "Projection",
    "ProjectionPlan",
    "ReadModel",
    "Searchable",
    "Sort",
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
_TAKEN, _TAKEN_ENDS = ("row__number", "search__vector"), ("__order", "__search")
_ON = "__on__"
_ADDABLE = (int, float, Decimal, timedelta)
_KEY_TYPES = (str, int, bool, bytes, UUID, date, datetime, Enum)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class ReadModel(msgspec.Struct, metaclass=KeywordOnly, frozen=True, gc=False):
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
    """Folds events into rows of a read model, or of several: ``Projection[IncidentRow | CallerRow]``.

    Handlers are marked with ``@on``. All rows of an event are stored together, with the checkpoint. A model whose
    fields are marked ``Count``, ``Sum``, ``Min`` or ``Max`` is added up, see ``AggregateProjection``.

    ``name`` (default: the class name) is stored with the rows. Raise ``version`` when the rows' shape or meaning
    changes: they are then built anew from the whole log.
    """

    name: ClassVar[str] = ""
    version: ClassVar[int] = 1


class AggregateProjection(Projection[R]):
    """Keeps figures up to date: a row for each group, to which handlers add.

    Each field of its read model is a ``Key()``, or marked ``Count``, ``Sum``, ``Min`` or ``Max``. A handler returns
    what an event adds: rows of the groups that it touches, such as ``VolumeRow(month=..., incidents=1, cost=cost)``.
    Their figures are added to those that stand there; less is added as a negative number. A group whose counts are
    all 0 goes.
    To move a row from one group to another, keep the row in the same projection and look it up (see ``Lookup``).
    """


@overload
def on(function: F, /) -> F: ...
@overload
def on(*, key: KeyOf) -> Callable[[F], F]: ...
def on(function: F | None = None, /, *, key: KeyOf | None = None) -> F | Callable[[F], F]:
    """Mark the method that projects an event (``E``, a union, or ``Recorded[E]``).

    ``(self, event) -> Row | list[Row] | None`` gives new rows, stored under their keys. ``(self, event, row: Row)``
    gets the row of the event's key and returns the changed row, or ``None`` to delete it, where ``-> Row | None`` or
    ``-> None`` says so; with ``row: Row | None`` it is also called when there is no row yet, else ``MissingRow`` is
    raised. The event's key is its field (or fields) named like the read model's key, or what ``key`` makes of it: for a
    list of keys the method is called once for each, for ``None`` not at all. Further parameters may be marked with
    ``Lookup``. All handlers of an event see the rows as they were before it.
    """
    given: Any = key
    if given is not None and not callable(given):
        raise WiringError((f"@on(key=...) takes a function of the event, not {key!r}",))

    def mark(method: F) -> F:
        return marked(method, _ON, "on", value=_Mark(key))

    return mark if function is None else mark(function)


class _Mark(msgspec.Struct, frozen=True):
    key: KeyOf | None


class ProjectionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known about a projection class: the read models it fills, and the handlers of each event.

    ``sums`` are the models to which handlers add.
    """

    cls: type[Projection[Any]]
    name: str
    version: int
    models: tuple[type[ReadModel], ...]
    sums: frozenset[type[ReadModel]]
    handlers: Mapping[type[Event], tuple[EventHandler, ...]]
    where: str
    faults: tuple[str, ...]

    @property
    def is_plain(self) -> bool:
        """Whether it fills one model, row by row: without look-ups, and without sums."""
        handlers = [handler for each in self.handlers.values() for handler in each]
        return len(self.models) == 1 and not self.sums and not any(handler.lookups for handler in handlers)

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
    models = _models_of(cls)
    if not models:
        return f"{cls.__name__}: say which rows it fills: class {cls.__name__}(Projection[SomeReadModel])"
    faults = [fault for model in models for fault in _model_faults(model)]
    try:
        filled = Filled({model: key_fields(model) for model in models}, frozenset(filter(_is_sum, models)))
    except UNRESOLVED:  # told already
        filled = Filled({})
    handlers: dict[type[Event], tuple[EventHandler, ...]] = {}
    for method in marked_methods(cls, _ON) if filled.keys else ():
        for handler in handlers_of(method, getattr(method, _ON).key, filled):
            if isinstance(handler, str):
                faults.append(handler)
                continue
            others = handlers.get(handler.event, ())
            faults.extend(_twice(handler, others, filled))
            handlers[handler.event] = (*others, handler)
    faults.extend(_class_faults(cls, models))
    if handlers:
        faults.extend(unmarked_methods(cls, Projection, {_ON: "on"}, handlers))
    return ProjectionPlan(
        cls=cls,
        name=cls.name or cls.__name__,
        version=cls.version,
        models=models,
        sums=filled.sums,
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


def _models_of(cls: type[Projection[Any]]) -> tuple[type[ReadModel], ...]:
    for base in cls.__mro__:
        for generic in getattr(base, "__orig_bases__", ()):
            arguments = get_args(generic)
            if arguments and is_below(get_origin(generic), Projection):
                models = alternatives(arguments[0])
                if all(is_kind(model, ReadModel) for model in models):
                    return models
    return ()


def _twice(handler: EventHandler, others: Iterable[EventHandler], filled: Filled) -> Iterator[str]:
    """Two handlers of one event that would return rows of the same model, which are not added up."""
    for other in others:
        if any(model in other.models and model not in filled.sums for model in handler.models):
            yield f"{handler.where}: {handler.event.__name__} is already projected by {other.where}"


def _is_sum(model: type[ReadModel]) -> bool:
    return any(isinstance(mark, MARKS) for _, marks, _ in marked_fields(model) for mark in marks)


def _sum_faults(model: str, listed: list[tuple[str, tuple[Any, ...], Any]]) -> Iterator[str]:
    if not any(isinstance(mark, MARKS) for _, marks, _ in listed for mark in marks):
        return
    for field, marks, hint in listed:
        found = [mark for mark in marks if isinstance(mark, MARKS)]
        if Key() not in marks and (len(found) != 1 or not isinstance(found[0], ADDED)):
            yield f"{model}.{field}: in rows that are added up, each field is a Key(), a Count, Sum, Min or Max"
        elif found and isinstance(mark := found[0], Count | Sum):
            if is_optional(hint) or class_of(hint) not in _ADDABLE:
                yield f"{model}.{field}: what is added is an int, float, Decimal or timedelta, and never None"
            elif isinstance(mark, Count) and mark.distinct:
                yield f"{model}.{field}: how many different values there are cannot be kept by adding"


def _model_faults(model: type[ReadModel]) -> Iterator[str]:
    name = model.__name__
    try:
        listed = list(marked_fields(model))
    except (NameError, TypeError) as error:
        yield f"{name}: {unresolved(error)}"
        return
    if not any(Key() in marks for _, marks, _ in listed):
        yield f"{name}: no field is the key; mark one: Annotated[str, Key()]"
    for field, marks, hint in listed:
        if Key() in marks and (is_optional(hint) or not all(map(_may_be_key, options(hint)))):
            yield f"{name}.{field}: a key is a str, int, bytes, UUID, date, datetime, Enum or Literal, and never None"
    for info in msgspec.structs.fields(model):
        yield from (f"{name}.{info.name}: {fault}" for fault in field_faults(info))
    for field, marks, _ in listed:
        for mark in marks:
            unknown = set(mark.then) - {known for known, _, _ in listed} if isinstance(mark, Indexed) else ()
            yield from (f"{name}.{field}: {mark!r} names {each!r}, which is no field" for each in sorted(unknown))
    yield from _search_faults(name, listed)
    yield from _sum_faults(name, listed)
    if len({field.lower() for field, _, _ in listed}) < len(listed):
        yield f"{name}: two fields differ only in upper and lower case, which SQL columns cannot"


def _search_faults(model: str, listed: list[tuple[str, tuple[Any, ...], Any]]) -> Iterator[str]:
    found = {field: mark for field, marks, _ in listed for mark in marks if isinstance(mark, Searchable)}
    for field, _, _ in listed:
        if field in _TAKEN or field.endswith(_TAKEN_ENDS):
            yield f"{model}.{field}: read stores keep a column of that name for themselves; call the field otherwise"
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


def _class_faults(cls: type[Projection[Any]], models: tuple[type[ReadModel], ...]) -> Iterator[str]:
    version: Any = cls.version
    called: Any = cls.name
    if not isinstance(called, str):
        yield f"{cls.__name__}.name is text, not {called!r}"
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        yield f"{cls.__name__}.version is a whole number from 1, not {version!r}"
    if not marked_methods(cls, _ON):
        yield f"{cls.__name__} projects no event; mark a method with @on"
    try:
        inspect.signature(cls).bind()
    except TypeError as error:
        yield f"{cls.__name__} is made without arguments, but {error}; what it remembers stands in its rows"
    if is_below(cls, AggregateProjection):
        for model in models:
            if not _is_sum(model):
                yield f"{cls.__name__}: {model.__name__} has no Count, Sum, Min or Max to add to; say Projection[...]"
