"""From the type of a field to what a person fills in. Reads: names.py. Read next: entered.py.

What a browser can check by itself (lengths, bounds, patterns) it is told; the decoder stays the authority.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, NamedTuple, TypeAlias, get_args, get_origin
from uuid import UUID

import msgspec
from msgspec import NODEFAULT, UNSET, Meta, UnsetType

from headwater.annotations import (
    class_of,
    elements,
    is_below,
    is_collection,
    is_fixed_tuple,
    is_optional,
    members,
    options,
    peel,
)
from headwater.ui.names import Labels

Kind: TypeAlias = Literal[
    "checkbox", "choices", "date", "datetime", "group", "json", "number", "rows", "select", "text", "textarea", "time",
    "values",
]  # fmt: skip
"""What an input is: ``choices`` are several of some, ``rows`` several groups, ``values`` several single inputs."""

_DEEPEST = 5
_LONG_TEXT = 200
_LONG_WORDS = frozenset({"body", "comment", "description", "message", "note", "notes", "reason", "remarks", "text"})
_SCALARS = (str, int, float, Decimal, UUID, date, time, timedelta, bytes)
_YES_NO = (("true", "Yes"), ("false", "No"))
_SEVERAL: dict[Kind, Kind] = {"select": "choices", "group": "rows"}
_NOT_SEVERAL = frozenset({"json", "rows", "values", "choices"})
_OTHERS: dict[Any, tuple[Kind, str, Mapping[str, str]]] = {
    date: ("date", "", {}),
    time: ("time", "", {}),
    Decimal: ("text", "", {"inputmode": "decimal"}),
    timedelta: ("text", "A duration, such as PT90M for 90 minutes or P2D for 2 days.", {}),
    UUID: ("text", "", {"pattern": "[0-9a-fA-F-]{32,36}", "spellcheck": "false"}),
    bytes: ("text", "In Base64.", {"spellcheck": "false"}),
}


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """One field to fill in: its ``name`` in JSON, how it is labelled, and what may be entered.

    ``required`` says that there is no value without it, ``nullable`` that ``None`` is one, ``clearable`` that to say
    nothing and to say ``None`` differ. ``default`` is what it holds at first. ``choices`` are texts and their labels,
    ``inner`` the fields of a group or of each row. ``zone`` is ``Z`` for times in UTC.
    """

    name: str
    label: str
    kind: Kind
    help: str = ""
    required: bool = False
    nullable: bool = False
    clearable: bool = False
    default: Any = UNSET
    attributes: Mapping[str, str] = {}
    choices: tuple[tuple[str, str], ...] = ()
    values: Mapping[str, Any] = {}
    inner: tuple[Input, ...] = ()
    zone: str = ""


class Field(NamedTuple):
    """A field of a struct or dataclass: both names, its type, and its default (``UNSET`` for none)."""

    name: str
    encode_name: str
    type: Any
    required: bool
    default: Any


def fields_of(cls: Any) -> list[Field]:
    """The fields of a struct or dataclass, in order."""
    found: Iterable[Any] = (
        msgspec.structs.fields(cls) if is_below(class_of(cls), msgspec.Struct) else _plain_fields(cls)
    )
    return [
        Field(each.name, each.encode_name, each.type, each.required, _default_of(each.default, each.default_factory))
        for each in found
    ]


def _plain_fields(cls: Any) -> Iterator[msgspec.structs.FieldInfo]:
    hints = dict(members(cls))
    for each in dataclasses.fields(cls):
        default = NODEFAULT if each.default is dataclasses.MISSING else each.default
        factory = NODEFAULT if each.default_factory is dataclasses.MISSING else each.default_factory
        yield msgspec.structs.FieldInfo(each.name, each.name, hints[each.name], default, factory)


def _default_of(default: Any, factory: Any) -> Any:
    if factory is not NODEFAULT:
        return factory()
    return UNSET if default is NODEFAULT else default


def inputs_of(cls: type[Any], labels: Labels, *, asking: bool = False, zoned: bool = True) -> tuple[Input, ...]:
    """The inputs of a message class in the order of its fields. ``asking`` is for queries.

    ``zoned`` says that times are in UTC where their type does not say. Those that rows are compared with are not: they
    compare with both kinds.
    """
    return _Reader(labels, asking=asking, zoned=zoned).of(cls, 0)


class _Reader:
    def __init__(self, labels: Labels, *, asking: bool, zoned: bool) -> None:
        self._labels = labels
        self._asking = asking
        self._zoned = zoned

    def of(self, cls: Any, depth: int) -> tuple[Input, ...]:
        return tuple(self._input(field, depth) for field in fields_of(cls))

    def _input(self, field: Field, depth: int) -> Input:
        hint = field.type
        marks = [mark for mark in _marks(hint) if isinstance(mark, Meta)]
        found = self._shape(field.encode_name, hint, marks, depth, has_default=not field.required)
        told = next((mark.description for mark in marks if mark.description), "")
        return msgspec.structs.replace(
            found,
            label=next((mark.title for mark in marks if mark.title), None) or self._labels.of(field.name),
            help=told or found.help,
            required=field.required,
            nullable=is_optional(hint),
            clearable=is_optional(hint) and _may_be_unset(hint),
            default=field.default,
        )

    def _shape(self, name: str, hint: Any, marks: list[Meta], depth: int, *, has_default: bool) -> Input:
        """What kind of input it is, and what may be entered; its label and the rest follow."""
        alternatives = options(hint)
        if len(alternatives) != 1:
            plain = all(is_below(class_of(each), *_SCALARS) for each in alternatives)
            return _bare(name, "text" if plain else "json")
        bare = peel(alternatives[0])[1]
        own = class_of(bare)
        if len(options(bare)) != 1:  # a union under another name
            return self._shape(name, bare, marks, depth, has_default=has_default)
        if own is bool and has_default and not (self._asking or is_optional(hint) or _may_be_unset(hint)):
            return _bare(name, "checkbox")
        if own in {bool, Literal} or is_below(own, Enum):
            return _chosen(name, bare)
        if is_collection(bare):
            return self._listed(name, bare, depth)
        if _is_group(own) and depth < _DEEPEST:
            return Input(name=name, label="", kind="group", inner=self.of(bare, depth + 1))
        return self._scalar(name, own, marks)

    def _listed(self, name: str, bare: Any, depth: int) -> Input:
        parts = elements(bare)
        if len(parts) != 1 or is_fixed_tuple(bare):
            return _bare(name, "json")
        marks = [mark for mark in _marks(parts[0]) if isinstance(mark, Meta)]
        each = self._shape(name, parts[0], marks, depth, has_default=False)
        if each.kind in _SEVERAL:
            return msgspec.structs.replace(each, kind=_SEVERAL[each.kind])
        return (
            _bare(name, "json")
            if each.kind in _NOT_SEVERAL
            else Input(name=name, label="", kind="values", inner=(each,))
        )

    def _scalar(self, name: str, own: Any, marks: list[Meta]) -> Input:
        if is_below(own, int, float):
            bounds = _bounds(own, marks)
            told = f"{bounds['min']} to {bounds['max']}" if {"min", "max"} <= bounds.keys() else ""
            return Input(name=name, label="", kind="number", help=told, attributes=bounds)
        if is_below(own, datetime):
            said = next((mark.tz for mark in marks if mark.tz is not None), None)
            zoned = self._zoned if said is None else said
            return Input(name=name, label="", kind="datetime", zone="Z" if zoned else "")
        if is_below(own, str) or own in {Any, object}:
            lengths = _lengths(marks)
            long = not self._asking and _is_long(name, lengths)
            return Input(name=name, label="", kind="textarea" if long else "text", attributes=lengths)
        kind, told, attributes = _OTHERS.get(own, ("json", "", {}))
        return Input(name=name, label="", kind=kind, help=told, attributes=attributes)


def _bare(name: str, kind: Kind) -> Input:
    return Input(name=name, label="", kind=kind)


def _marks(hint: Any) -> Iterator[Any]:
    yield from peel(hint)[0]
    alternatives = options(hint)
    if len(alternatives) == 1 and alternatives[0] is not hint:
        yield from _marks(alternatives[0])


def _chosen(name: str, bare: Any) -> Input:
    """One of the options of a Literal, an Enum or a bool, each with the value that it stands for."""
    if bare is bool:
        return Input(name=name, label="", kind="select", choices=_YES_NO, values={"true": True, "false": False})
    given: Iterable[Any] = get_args(bare) if get_origin(bare) is Literal else [member.value for member in bare]
    values = {str(value): value for value in given if value is not None}
    return Input(name=name, label="", kind="select", choices=tuple((text, text) for text in values), values=values)


def _is_group(own: Any) -> bool:
    """Whether a class can be filled in field by field: a dataclass, or a struct that does not say which one it is.

    In the place of one that does say so, there may be others.
    """
    if is_below(own, msgspec.Struct):
        return own.__struct_config__.tag is None
    return dataclasses.is_dataclass(own)


def _may_be_unset(hint: Any) -> bool:
    return UnsetType in get_args(peel(hint)[1])


def _is_long(name: str, attributes: Mapping[str, str]) -> bool:
    longest = attributes.get("maxlength")
    return name.rpartition("_")[2] in _LONG_WORDS if longest is None else int(longest) > _LONG_TEXT


def _lengths(marks: Iterable[Meta]) -> dict[str, str]:
    found: dict[str, str] = {}
    for mark in marks:
        if mark.min_length:
            found["minlength"] = str(mark.min_length)
        if mark.max_length is not None:
            found["maxlength"] = str(mark.max_length)
        if mark.pattern is not None:
            found["pattern"] = whole_pattern(mark.pattern)
    return found


def whole_pattern(pattern: str) -> str:
    """A pattern that is looked for anywhere in a text, as one for the whole of it, which is what browsers check.

    >>> whole_pattern("^[A-Z]+$"), whole_pattern("x")
    ('^[A-Z]+$', '.*(?:x).*')
    """
    return pattern if pattern.startswith("^") and pattern.endswith("$") else f".*(?:{pattern}).*"


def _bounds(own: Any, marks: Iterable[Meta]) -> dict[str, str]:
    whole = is_below(own, int)
    found = {"step": "1" if whole else "any"}
    beyond = 1 if whole else 0
    for mark in marks:
        if mark.ge is not None or mark.gt is not None:
            found["min"] = str(mark.ge if mark.ge is not None else (mark.gt or 0) + beyond)
        if mark.le is not None or mark.lt is not None:
            found["max"] = str(mark.le if mark.le is not None else (mark.lt or 0) - beyond)
        if mark.multiple_of is not None:
            found["step"] = str(mark.multiple_of)
    return found
