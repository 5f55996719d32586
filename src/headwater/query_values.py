"""From flat parameters to the shape of a query: ``page.size`` goes inside ``page``, one value of a list is a list.

Reads: annotations.py, plain.py. Read next: codec.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from headwater.annotations import class_of, is_below, is_collection, options
from headwater.errors import FieldError, InvalidMessage
from headwater.messages import Message, contract_of
from headwater.plain import is_mapping_value, is_object, pointer

_PART = re.compile(r"[^.\[\]]+")


def nested_values(cls: type[Message], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, dotted (``page.size``) and bracketed (``page[size]``) names put inside, lists made of lone values.

    Raises ``InvalidMessage`` if a name stands both for a value and for what has values inside.
    """
    nested: dict[str, Any] = {}
    faults: list[FieldError] = []
    for name, value in values.items():
        path = _PART.findall(name) or [name]
        if not _put(nested, path, value):
            faults.append(FieldError(pointer(*path), "is given twice, as a value and with values inside"))
    if faults:
        raise InvalidMessage(contract_of(cls).name, tuple(faults))
    return _listed(cls, nested)


def dotted(name: str) -> str:
    """A parameter's name in the one of its spellings that links use: ``page.size`` for ``page[size]``."""
    return ".".join(_PART.findall(name)) or name


def _put(into: dict[str, Any], path: list[str], value: Any) -> bool:
    *outer, last = path
    for part in outer:
        inside: Any = into.setdefault(part, {})
        if not is_object(inside):
            return False
        into = inside
    if last in into:
        return False
    into[last] = dict(value) if is_mapping_value(value) else value
    return True


def _listed(cls: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Lone values of list fields as lists, also in nested structs."""
    fields = _fields(cls)
    return {name: _shaped(fields[name], value) if name in fields else value for name, value in values.items()}


@lru_cache(maxsize=1_024)
def _fields(cls: Any) -> Mapping[str, Any]:
    """The types of a class's fields by their names in JSON; looking at annotations takes longer than the rest."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(cls)}


def _shaped(hint: Any, value: Any) -> Any:
    if is_object(value):
        return next((_listed(struct, value) for struct in _structs(hint)), value)
    if isinstance(value, str) and all(map(is_collection, options(hint))):
        return [value]
    return value


def _structs(hint: Any) -> Iterator[Any]:
    return (option for option in map(class_of, options(hint)) if is_below(option, msgspec.Struct))
