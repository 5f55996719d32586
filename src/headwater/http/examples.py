"""An example of any message, made from its types and proven by decoding it. Reads: nothing. Read next: openapi.py."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import inspect as shape

_BY_KIND: dict[type[shape.Type], Any] = {
    shape.AnyType: "anything",
    shape.BoolType: True,
    shape.BytesType: "aGVsbG8=",
    shape.DateType: "2026-01-31",
    shape.DateTimeType: "2026-01-31T09:00:00Z",
    shape.DecimalType: "12.50",
    shape.DictType: {},
    shape.NoneType: None,
    shape.TimeDeltaType: "PT1H",
    shape.TimeType: "09:00:00Z",
    shape.UUIDType: "01890a5d-ac96-774b-bcce-b302099a8057",
}


def example_of(message: type[Any]) -> Any:
    """A JSON value that the message accepts, with its required fields; ``None`` if its types alone do not give one."""
    try:
        made = _value(shape.type_info(message), "")
        msgspec.convert(made, message)
    except (msgspec.ValidationError, KeyError, ValueError):
        return None
    return made


def _value(kind: shape.Type, name: str) -> Any:
    if isinstance(kind, shape.Metadata):
        return _value(kind.type, name)
    if isinstance(kind, shape.UnionType):
        return _value(next(member for member in kind.types if not isinstance(member, shape.NoneType)), name)
    if isinstance(kind, shape.StructType | shape.DataclassType | shape.TypedDictType):
        return {field.encode_name: _value(field.type, field.name) for field in kind.fields if field.required}
    if isinstance(kind, shape.CollectionType):
        return [_value(kind.item_type, name.removesuffix("s"))]
    if isinstance(kind, shape.TupleType):
        return [_value(item, name) for item in kind.item_types]
    return _plain(kind, name)


def _plain(kind: shape.Type, name: str) -> Any:
    if isinstance(kind, shape.StrType):
        wanted = name.replace("_", "-") or "text"
        return wanted.ljust(kind.min_length or 0, "x")[: kind.max_length]
    if isinstance(kind, shape.IntType):
        return _number(kind, 1)
    if isinstance(kind, shape.FloatType):
        return _number(kind, 1.5)
    if isinstance(kind, shape.LiteralType):
        return kind.values[0]
    if isinstance(kind, shape.EnumType):
        return next(iter(kind.cls)).value
    return _BY_KIND[type(kind)]


def _number(kind: shape.IntType | shape.FloatType, usual: float) -> float:
    low = kind.ge if kind.ge is not None else None if kind.gt is None else kind.gt + 1
    high = kind.le if kind.le is not None else None if kind.lt is None else kind.lt - 1
    number = max(usual, low) if low is not None else usual
    return min(number, high) if high is not None else number
