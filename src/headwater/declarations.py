"""Whether a message class can be what it says: encodable, strict, tagged, every constraint one that is checked.

Reads: annotations.py, tags.py. Read next: catalogue.py, which reports these faults with its own.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import inspect as shape

from headwater.annotations import (
    UNRESOLVED,
    class_of,
    elements,
    field_faults,
    has_members,
    is_below,
    is_collection,
    is_mapping,
    members,
    options,
    peel,
)
from headwater.messages import Command, Message, Query, contract_of
from headwater.plain import is_array
from headwater.tags import tag_faults

_UNCHECKED = ("annotated_types", "pydantic")
_AS_META = {
    "Gt": "gt",
    "Ge": "ge",
    "Lt": "lt",
    "Le": "le",
    "MultipleOf": "multiple_of",
    "MinLen": "min_length",
    "MaxLen": "max_length",
}


def declaration_faults(cls: type[Message]) -> tuple[str, ...]:
    """What is wrong with a message class by itself, one line per fault."""
    try:
        fields = msgspec.structs.fields(cls)
    except UNRESOLVED:
        return tag_faults(cls)
    faults = [*_contract_faults(cls), *_settings_faults(cls), *tag_faults(cls)]
    seen: set[Any] = {cls}
    for field in fields:
        where = f"{cls.__name__}.{field.name}"
        faults.extend(f"{where}: {fault}" for fault in field_faults(field))
        faults.extend(_constraint_faults(field.type, where, seen))
    faults.extend(_form_faults(cls))
    return tuple(dict.fromkeys(faults))


@functools.cache
def may_lose_numbers(cls: type[Message]) -> bool:
    """Whether NaN or infinity could stand in a message and come back as ``None``, which is what JSON makes of them."""
    return any(
        isinstance(part, shape.AnyType | shape.CustomType)
        or (isinstance(part, shape.UnionType) and part.includes_none and _has_float(part))
        for part in _parts(shape.type_info(cls), set())
    )


def is_pydantic(found: Any) -> bool:
    """Whether it is a pydantic model class. Pydantic itself is never imported for the question."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and is_below(found, pydantic.BaseModel)


def _contract_faults(cls: type[Message]) -> Iterator[str]:
    own = contract_of(cls)
    for name in (own.name, *own.aliases):
        if not name.isprintable() or not name or set(name) & set(" \t/?#%:"):
            yield f"{cls.__name__}: {name!r} cannot be a message's name; use a plain word such as {cls.__name__!r}"
    if own.version < 1:
        yield f"{cls.__name__}: version {own.version} is below 1"


def _settings_faults(cls: type[Message]) -> Iterator[str]:
    settings = cls.__struct_config__
    if not settings.frozen:
        yield f"{cls.__name__}: messages are immutable; leave out frozen=False"
    if settings.array_like or settings.tag is not None:
        yield f"{cls.__name__}: a message is a plain JSON object; leave out array_like, tag and tag_field"
    if issubclass(cls, Command | Query) and not settings.forbid_unknown_fields:
        yield f"{cls.__name__}: commands and queries refuse unknown fields; leave out forbid_unknown_fields=False"


def _constraint_faults(hint: Any, where: str, seen: set[Any]) -> Iterator[str]:
    """Constraints of other libraries, which nothing would check, wherever they stand."""
    marks, bare = peel(hint)
    for mark in marks:
        if type(mark).__module__.partition(".")[0] in _UNCHECKED:
            yield f"{where}: {mark!r} would not be checked; write {_as_meta(mark)} instead"
    if options(bare) != (bare,):
        nested = options(bare)
    elif is_mapping(bare) or is_collection(bare):
        nested = elements(bare)
    else:
        nested = ()
    for part in nested:
        yield from _constraint_faults(part, where, seen)
    if has_members(bare) and not is_pydantic(class_of(bare)) and bare not in seen:
        seen.add(bare)
        yield from _member_faults(bare, seen)


def _member_faults(bare: Any, seen: set[Any]) -> Iterator[str]:
    try:
        listed = list(members(bare))
    except UNRESOLVED:
        return  # reported with the tags
    for name, hint in listed:
        yield from _constraint_faults(hint, f"{class_of(bare).__name__}.{name}", seen)


def _as_meta(mark: Any) -> str:
    word = _AS_META.get(type(mark).__name__)
    value = getattr(mark, word, None) if word else None
    return "Meta(...)" if word is None or value is None else f"Meta({word}={value!r})"


def _form_faults(cls: type[Message]) -> Iterator[str]:
    """Types without a JSON form, and combinations that cannot be told apart."""
    try:
        described = shape.type_info(cls)
        msgspec.json.Decoder(cls)
    except (TypeError, ValueError, NotImplementedError) as error:
        yield f"{cls.__name__}: {error}"
        return
    customs = {part.cls for part in _parts(described, set()) if isinstance(part, shape.CustomType)}
    for custom in sorted(customs, key=str):
        if not is_pydantic(custom):
            yield f"{cls.__name__}: {custom.__name__} has no JSON form; use a dataclass, a Struct or a pydantic model"


def _has_float(union: shape.UnionType) -> bool:
    return any(isinstance(part, shape.FloatType) for part in union.types)


def _parts(described: Any, seen: set[int]) -> Iterator[Any]:
    """A type description and every part of it, each once."""
    if id(described) in seen:
        return
    seen.add(id(described))
    if is_array(described):
        parts = list(described)
    elif isinstance(described, shape.Type | shape.Field):
        yield described
        parts = [getattr(described, name) for name in described.__struct_fields__]
    else:
        return
    for part in parts:
        yield from _parts(part, seen)
