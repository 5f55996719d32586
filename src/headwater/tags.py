"""What a message is about: tags, read from fields marked with ``Tag`` wherever they stand.

Reads: messages.py, annotations.py. Read next: aggregates.py (whose boundary is made of tags), codec.py (which stores
them).

A class is compiled once into a function from message to tags, so that tagging costs little more than reading fields.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from enum import Enum
from operator import attrgetter
from typing import Any, Literal, get_args, get_origin
from uuid import UUID

import msgspec

from headwater.annotations import (
    UNRESOLVED,
    class_of,
    elements,
    has_members,
    is_below,
    is_collection,
    is_fixed_tuple,
    is_mapping,
    members,
    name_of,
    options,
    peel,
    unresolved,
)
from headwater.errors import WiringError
from headwater.messages import Tag

Tags = Callable[[Any], tuple[str, ...]]
"""From a message to its tags."""

_TAGGABLE = (str, int, UUID, date, Enum)
_RESERVED = "idempotency"
_ALLOWED = "a tag is made of str, int, UUID, date, datetime or Enum, or a list of these"


class TagField(msgspec.Struct, frozen=True):
    """A top-level field that carries a tag: its name, the tag's name, and whether it holds ``many`` values."""

    field: str
    tag: str
    many: bool


@functools.cache
def tag_plan(cls: type) -> Tags:
    """The function from a message of that class to its tags, each once, in field order.

    >>> from typing import Annotated
    >>> one, others = Annotated[str, Tag("incident")], Annotated[list[str], Tag("incident")]
    >>> Merged = msgspec.defstruct("Merged", [("incident_id", one), ("others", others)])
    >>> tag_plan(Merged)(Merged("INC1", ["INC2", "INC1"]))
    ('incident:INC1', 'incident:INC2')

    Raises ``WiringError`` for a tag on a type that has no text form; ask ``tag_faults`` first to report it with others.
    """
    compiler = _Compiler()
    parts = compiler.parts(cls, cls.__name__)
    if compiler.faults:
        raise WiringError(tuple(compiler.faults))
    return _short_way(parts) or _long_way(parts)


@functools.cache
def tag_fields(cls: type) -> tuple[TagField, ...]:
    """The top-level fields with tags, in order. A class whose annotations cannot be resolved has none."""
    try:
        listed = list(members(cls))
    except UNRESOLVED:
        return ()
    found = (TagField(name, tag, many) for name, hint in listed for tag, many in _tags_on(hint))
    return tuple(dict.fromkeys(found))


@functools.cache
def tag_faults(cls: type) -> tuple[str, ...]:
    """What keeps the class from being tagged, one line per fault; empty if nothing does."""
    compiler = _Compiler()
    compiler.parts(cls, cls.__name__)
    return tuple(compiler.faults)


@functools.cache
def tag_names(cls: type) -> frozenset[str]:
    """The names of the tags that messages of the class may have, wherever in it they stand."""
    compiler = _Compiler()
    compiler.parts(cls, cls.__name__)
    return frozenset(compiler.names)


def tag_value(value: Any) -> str:
    """The text of one tag value: ``str``, ``int``, ``UUID``, ``date``, ``datetime`` (ISO, in UTC if aware), ``Enum``.

    >>> tag_value(datetime(2024, 5, 1, 12, tzinfo=UTC))
    '2024-05-01T12:00:00+00:00'
    """
    if isinstance(value, Enum):
        return tag_value(value.value)
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)


def _tags_on(hint: Any, *, many: bool = False) -> Iterator[tuple[str, bool]]:
    """The tags of a field, on the annotation itself, on a member of its union, or on the elements of its list."""
    marks, bare = peel(hint)
    found = options(bare)
    many = many or any(map(is_collection, found))
    yield from ((mark.name, many) for mark in marks if isinstance(mark, Tag))
    for option in found:
        if option is not bare:
            yield from _tags_on(option, many=many)
        elif is_collection(bare):
            for element in elements(bare):
                yield from _tags_on(element, many=True)


# -- from annotations to collectors ------------------------------------------------------------------------------------


class Collector(msgspec.Struct, frozen=True):
    """Adds the tags in a value to a list."""

    def __call__(self, value: Any, found: list[str]) -> None:
        """Collect from one value."""
        raise NotImplementedError


Parts = list[tuple[str, Collector]]


class _Compiler:
    """Compiles annotations into collectors; ``None`` where there is nothing to collect."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.names: set[str] = set()
        self._known: dict[Any, Parts] = {}

    def parts(self, cls: Any, where: str) -> Parts:
        """The members of a class that hold tags. The list of a class that contains itself is still being filled."""
        if cls in self._known:
            return self._known[cls]
        parts = self._known[cls] = []
        try:
            for name, hint in members(cls):
                collector = self.collector(hint, f"{where}.{name}")
                if collector is not None:
                    parts.append((name, collector))
        except UNRESOLVED as error:
            fault = unresolved(error)
            self.faults.append(f"{where}: {fault}")
        return parts

    def collector(self, hint: Any, where: str) -> Collector | None:
        """Collect from a value of that annotation: the tags that stand on it, and what is nested in it."""
        marks, bare = peel(hint)
        found = [self._tagged(mark.name, bare, where) for mark in marks if isinstance(mark, Tag)]
        found.append(self._nested(bare, where))
        collectors = tuple(collector for collector in found if collector is not None)
        return _InTurn(collectors) if len(collectors) > 1 else collectors[0] if collectors else None

    def _tagged(self, tag: str, bare: Any, where: str) -> Collector | None:
        self.names.add(tag)
        if tag == _RESERVED:
            self.faults.append(f"{where}: the tag {tag!r} is Headwater's own, for idempotency keys; use another word")
            return None
        alternatives = options(bare)
        leaves = [leaf for part in alternatives for leaf in (elements(part) if is_collection(part) else (part,))]
        wrong = [leaf for leaf in leaves if not _is_taggable(leaf)]
        if wrong or not leaves:
            names = ", ".join(map(name_of, wrong or [bare]))
            self.faults.append(f"{where}: Tag({tag!r}) cannot stand on {names}; {_ALLOWED}")
            return None
        if bare is str:
            return _PlainText(f"{tag}:")
        return _Values(f"{tag}:") if any(map(is_collection, alternatives)) else _Value(f"{tag}:")

    def _nested(self, bare: Any, where: str) -> Collector | None:
        alternatives = options(bare)
        if alternatives != (bare,):
            return self._union(alternatives, where)
        if is_mapping(bare):
            keys, values = (*(self.collector(part, where) for part in elements(bare)), None, None)[:2]
            return _Entries(keys, values) if keys or values else None
        if is_fixed_tuple(bare):
            places = tuple(self.collector(part, f"{where}[]") for part in elements(bare))
            return _Places(places) if any(places) else None
        if is_collection(bare):
            inner = self.collector(elements(bare)[0], f"{where}[]") if elements(bare) else None
            return _Elements(inner) if inner else None
        if not has_members(bare):
            return None
        keyed = typing.is_typeddict(class_of(bare))
        recursive = bare in self._known
        parts = self.parts(bare, where)
        return _Members(parts, keyed) if parts or recursive else None

    def _union(self, alternatives: tuple[Any, ...], where: str) -> Collector | None:
        found = [(_runtime_type(option), self.collector(option, where)) for option in alternatives]
        tagged = tuple((expected, collector) for expected, collector in found if collector is not None)
        return _ByType(tagged) if tagged else None


def _is_taggable(leaf: Any) -> bool:
    if len(options(leaf)) > 1 or options(leaf)[0] is not leaf:
        return all(map(_is_taggable, options(leaf)))
    found = peel(leaf)[1]
    if get_origin(found) is Literal:
        return all(isinstance(value, str | int | None) and not isinstance(value, bool) for value in get_args(found))
    return is_below(found, *_TAGGABLE) and not is_below(found, bool)


def _runtime_type(option: Any) -> tuple[type, ...]:
    """What ``isinstance`` can ask for, for a member of a union."""
    bare, found = peel(option)[1], class_of(option)
    if found is Literal:
        values: tuple[object, ...] = get_args(bare)
        return tuple({value.__class__ for value in values})
    if typing.is_typeddict(found):
        return (dict,)
    return (found if is_below(found, object) else object,)


# -- collectors --------------------------------------------------------------------------------------------------------


class _PlainText(Collector, frozen=True):
    """A field that is exactly ``str``: what ``_short_way`` looks for."""

    prefix: str

    def __call__(self, value: Any, found: list[str]) -> None:
        found.append(self.prefix + value)


class _Value(Collector, frozen=True):
    """One value, or none."""

    prefix: str

    def __call__(self, value: Any, found: list[str]) -> None:
        if _is_present(value):
            found.append(self.prefix + tag_value(value))


class _Values(Collector, frozen=True):
    """A tag per element."""

    prefix: str

    def __call__(self, value: Any, found: list[str]) -> None:
        if not _is_present(value):
            return
        many = value if is_collection(type(value)) else (value,)
        found.extend(self.prefix + tag_value(element) for element in many if element is not None)


class _InTurn(Collector, frozen=True):
    collectors: tuple[Collector, ...]

    def __call__(self, value: Any, found: list[str]) -> None:
        for collect in self.collectors:
            collect(value, found)


class _Members(Collector, frozen=True):
    parts: Parts
    keyed: bool

    def __call__(self, value: Any, found: list[str]) -> None:
        if not _is_present(value):
            return
        for name, collect in self.parts:
            if not self.keyed:
                collect(getattr(value, name), found)
            elif name in value:
                collect(value[name], found)


class _Elements(Collector, frozen=True):
    collect: Collector

    def __call__(self, value: Any, found: list[str]) -> None:
        for element in value if _is_present(value) else ():
            self.collect(element, found)


class _Places(Collector, frozen=True):
    places: tuple[Collector | None, ...]

    def __call__(self, value: Any, found: list[str]) -> None:
        for element, collect in zip(value if _is_present(value) else (), self.places, strict=False):
            if collect is not None:
                collect(element, found)


class _Entries(Collector, frozen=True):
    keys: Collector | None
    values: Collector | None

    def __call__(self, value: Any, found: list[str]) -> None:
        for key, entry in value.items() if _is_present(value) else ():
            if self.keys is not None:
                self.keys(key, found)
            if self.values is not None:
                self.values(entry, found)


class _ByType(Collector, frozen=True):
    """A union: the first member that the value belongs to."""

    members: tuple[tuple[tuple[type, ...], Collector], ...]

    def __call__(self, value: Any, found: list[str]) -> None:
        for expected, collect in self.members:
            if isinstance(value, expected):
                collect(value, found)
                return


def _is_present(value: Any) -> bool:
    return value is not None and value is not msgspec.UNSET


# -- from collectors to one function -----------------------------------------------------------------------------------


def _short_way(parts: Parts) -> Tags | None:
    """A function of its own for no tag, and for one or two plain ``str`` fields, which is what most messages have."""
    match parts:
        case []:
            return lambda _message: ()
        case [(name, _PlainText(prefix=prefix))]:
            return _one_tag(attrgetter(name), prefix)
        case [(first, _PlainText(prefix=before)), (second, _PlainText(prefix=after))] if before != after:
            return _two_tags(attrgetter(first, second), before, after)
        case _:
            return None


def _one_tag(get: Callable[[Any], str], prefix: str) -> Tags:
    def tags(message: Any) -> tuple[str, ...]:
        return (prefix + get(message),)

    return tags


def _two_tags(get: Callable[[Any], tuple[str, str]], before: str, after: str) -> Tags:
    def tags(message: Any) -> tuple[str, ...]:
        first, second = get(message)
        return before + first, after + second

    return tags


def _long_way(parts: Parts) -> Tags:
    collect = _Members(parts, keyed=False)

    def tags(message: Any) -> tuple[str, ...]:
        found: list[str] = []
        collect(message, found)
        return tuple(dict.fromkeys(found))

    return tags
