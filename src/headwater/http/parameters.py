"""Query strings become queries: names and types come from the contract. Reads: messages.py. Read next: queries.py.

A field is a parameter of its own name; a list field may be given several times; the fields of a nested struct are
written with a dot, as in ``page.size=20``. What no query string can say (a list of structs, a mapping) needs a body.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from msgspec import inspect as shape

from headwater.errors import FieldError, InvalidMessage, MalformedMessage
from headwater.messages import Query, contract_of

_MOST_PARAMETERS = 200


class Parameter(msgspec.Struct, frozen=True):
    """One parameter: its ``name`` in the query string, its ``path`` in the message, and whether it may be repeated."""

    name: str
    path: tuple[str, ...]
    many: bool
    required: bool


class Parameters:
    """The parameters of one query, and how to read them."""

    def __init__(self, query: type[Query[Any]]) -> None:
        self.name = contract_of(query).name
        self._by_name = {parameter.name: parameter for parameter in _parameters_of(query)}

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._by_name.values())

    def read(self, query_string: bytes) -> dict[str, Any]:
        """The message's fields as plain values, still to be converted. Raises ``InvalidMessage`` for unknown names."""
        if not query_string:
            return {}
        fields: dict[str, Any] = {}
        faults: list[FieldError] = []
        for name, value in _pairs(query_string):
            parameter = self._by_name.get(name)
            if parameter is None:
                faults.append(FieldError(pointer(name.split(".")), "there is no such parameter"))
            elif not _put(fields, parameter, value):
                faults.append(FieldError(pointer(parameter.path), "is given more than once"))
        if faults:
            raise InvalidMessage(self.name, tuple(faults))
        return fields


def pointer(path: Iterable[str]) -> str:
    """The JSON pointer (RFC 6901) of a path."""
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in path)


def with_parameter(query_string: bytes, name: str, value: str) -> str:
    """The same query string with one parameter set: how a page links to the next."""
    pairs = [(key, kept) for key, kept in _pairs(query_string) if key != name]
    return urlencode([*pairs, (name, value)], quote_via=quote)


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS
        )
    except ValueError as error:  # too many, not ASCII, or escapes that are not UTF-8
        raise MalformedMessage(f"the query string cannot be read: {error}") from error


def _put(fields: dict[str, Any], parameter: Parameter, value: str) -> bool:
    """Set the value where its path says; false if it is there already and may not be repeated."""
    *outer, last = parameter.path
    for part in outer:
        fields = fields.setdefault(part, {})
    if parameter.many:
        fields.setdefault(last, []).append(value)
        return True
    return fields.setdefault(last, value) is value


def _parameters_of(struct: type[msgspec.Struct]) -> Iterator[Parameter]:
    described = shape.type_info(struct)
    if isinstance(described, shape.StructType):
        yield from _fields(described, (), required=True)


def _fields(struct: shape.StructType, outer: tuple[str, ...], *, required: bool) -> Iterator[Parameter]:
    for field in struct.fields:
        path = (*outer, field.encode_name)
        kinds = list(_alternatives(field.type))
        nested = next((kind for kind in kinds if isinstance(kind, shape.StructType)), None)
        needed = required and field.required
        if nested is not None:
            yield from _fields(nested, path, required=needed)
        elif not any(isinstance(kind, (shape.DictType, shape.TypedDictType)) for kind in kinds):
            many = any(isinstance(kind, (shape.CollectionType, shape.TupleType)) for kind in kinds)
            yield Parameter(".".join(path), path, many, needed)


def _alternatives(kind: shape.Type) -> Iterator[shape.Type]:
    """The members of a union, without annotations around them."""
    if isinstance(kind, shape.Metadata):
        yield from _alternatives(kind.type)
    elif isinstance(kind, shape.UnionType):
        for member in kind.types:
            yield from _alternatives(member)
    else:
        yield kind
