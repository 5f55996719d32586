"""How the fields of a row stand in columns: types that every store can compare, and the way there and back.

Reads: read_models.py, foreign.py. Read next: tables.py.

What SQL knows (whole numbers, text, bytes, floats) is stored as it is. The others become text or numbers that sort as
their values do: an aware datetime is UTC in ISO 8601 with microseconds, a Decimal has a hidden second column to sort
by. Everything else is JSON, which can be stored and read, but not filtered or sorted.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import Any, Literal, TypeAlias, get_args
from uuid import UUID

import msgspec

from headwater.annotations import class_of, is_below, is_optional, options, peel, values_of
from headwater.errors import InvalidFilter, ProjectionError
from headwater.foreign import decode_foreign, encode_foreign
from headwater.read_models import Indexed, Key, ReadModel, Searchable, marked_fields
from headwater.words import indexed_words

Kind: TypeAlias = Literal["integer", "real", "text", "blob"]
Stored: TypeAlias = int | float | str | bytes | None
Way: TypeAlias = Callable[[Any], Any]

ORDER_SUFFIX = "__order"
SEARCH_SUFFIX = "__search"
_MICROSECOND = timedelta(microseconds=1)
_LARGEST_INTEGER = (1 << 63) - 1
_EXPONENT_BIAS = 5_000_000_000
_COMPLEMENT = str.maketrans("0123456789", "9876543210")
_AFTER_DIGITS = "~"


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One field of a row: its type without ``None``, how it is stored, and the ways there and back if it is changed.

    ``settle`` makes of a value what it will be when it is read, where that may be something else; ``copy`` makes
    another of it, where it can be changed. ``order`` makes what the value is compared by, where that is not what is
    stored. Each of the ``indexes`` goes on with the named fields. ``search`` makes the words of a searched text, which
    weighs as much as ``weight`` says.
    """

    name: str
    type: Any
    kind: Kind
    nullable: bool
    is_key: bool = False
    indexes: tuple[tuple[str, ...], ...] = ()
    is_json: bool = False
    store: Way | None = None
    load: Way | None = None
    settle: Way | None = None
    copy: Way | None = None
    order: Way | None = None
    weight: float = 0.0
    search: Way | None = None

    @property
    def search_name(self) -> str:
        """The hidden column that holds the words of a searched text."""
        return self.name + SEARCH_SUFFIX

    @property
    def order_name(self) -> str:
        """The column that the field is filtered and sorted by."""
        return self.name + ORDER_SUFFIX if self.order else self.name

    @property
    def is_text(self) -> bool:
        """Whether it holds any text, so that parts of it can be searched."""
        return self.type is str

    def comparable(self, value: Any) -> Stored:
        """A field's value as it is compared in the store; ``None`` stays ``None``."""
        if value is None:
            return None
        way = self.order or self.store
        made: Stored = way(value) if way else value
        return made

    def bind(self, value: Any) -> Stored:
        """A filter's value as it is compared in the store. Raises ``InvalidFilter`` if it does not fit the field."""
        if type(value) is str and self.type is str and value.isascii():
            return value
        if self.is_json:
            raise InvalidFilter(
                f"{self.name} holds nested data, which cannot be compared",
                remedy="keep what is compared in a field of its own, which the projection fills",
                field=self.name,
            )
        try:
            made = self.comparable(_converted(value, self.type))
        except (msgspec.ValidationError, ProjectionError, ValueError) as error:
            raise _misfit(value, self, error) from error
        if isinstance(made, int) and not -_LARGEST_INTEGER - 1 <= made <= _LARGEST_INTEGER:
            raise InvalidFilter(f"{self.name} never has so large a number", field=self.name)
        if isinstance(made, str) and not _is_utf8(made):
            raise InvalidFilter(f"{value!r} is no valid text for {self.name}", field=self.name)
        return made


def _misfit(value: Any, column: Column, error: Exception) -> InvalidFilter:
    told, values = f"{value!r} does not fit {column.name}: {error}", values_of(column.type)
    if not values:
        return InvalidFilter(told, field=column.name)
    remedy = f"there are: {', '.join(map(str, values))}"
    return InvalidFilter(told, remedy=remedy, field=column.name, allowed=values)


def columns_of(model: type[ReadModel]) -> tuple[Column, ...]:
    """The columns of a read model, in the order of its fields."""
    return tuple(_column(name, marks, hint) for name, marks, hint in marked_fields(model))


def _column(name: str, marks: tuple[Any, ...], hint: Any) -> Column:
    alternatives = options(hint)
    bare = peel(alternatives[0])[1] if len(alternatives) == 1 else peel(hint)[1]
    nullable = is_optional(hint)
    if class_of(bare) is Literal:
        nullable = nullable or None in get_args(bare)
    shape: dict[str, Any] = _shape(bare)
    for mark in marks:
        if isinstance(mark, Searchable):
            shape |= {"weight": mark.weight, "search": partial(indexed_words, language=mark.language)}
    return Column(
        name=name,
        type=bare,
        nullable=nullable,
        is_key=Key() in marks,
        indexes=() if "is_json" in shape else tuple(mark.then for mark in marks if isinstance(mark, Indexed)),
        **shape,
    )


def _shape(bare: Any) -> dict[str, Any]:
    """How a type is stored."""
    if class_of(bare) is Literal:
        return _of_values([value for value in get_args(bare) if value is not None], bare)
    if is_below(bare, Enum):
        shape = _of_values([member.value for member in bare], bare)
        return shape if "is_json" in shape else {**shape, "store": operator.attrgetter("value"), "load": bare}
    found = _SHAPES.get(bare)
    return dict(found) if found is not None else _json(bare)


def _of_values(values: list[Any], bare: Any) -> dict[str, Any]:
    if all(type(value) is str for value in values):
        return {"kind": "text"}
    if all(type(value) is int for value in values):
        return {"kind": "integer"}
    return _json(bare)


def _json(bare: Any) -> dict[str, Any]:
    decode = msgspec.json.Decoder(bare, dec_hook=decode_foreign).decode

    def settle(value: Any) -> Any:
        return decode(_ENCODER.encode(value))

    kind: Any = class_of(bare)
    copy: Way | None = settle
    if _is_flat(bare) and kind in (list, dict, set, tuple, frozenset):
        copy = kind if kind in (list, dict, set) else None
    return {"kind": "text", "is_json": True, "store": _json_text, "load": decode, "settle": settle, "copy": copy}


def _is_flat(bare: Any) -> bool:
    """Whether it consists of values that cannot be changed."""
    parts = get_args(bare)
    return bool(parts) and all(part in _SHAPES or part is ... for part in parts)


_ENCODER = msgspec.json.Encoder(enc_hook=encode_foreign)


def _json_text(value: Any) -> str:
    return _ENCODER.encode(value).decode()


def _real(value: Any) -> float:
    made = float(value) + 0.0  # not every database tells -0.0 from 0.0
    if made != made:  # noqa: PLR0124  only NaN differs from itself
        raise ProjectionError("NaN cannot be stored, because it has no place in any order", remedy="use None")
    return made


def _in_utc(value: datetime) -> datetime:
    return value if value.tzinfo is None or value.tzinfo is UTC else value.astimezone(UTC)


def _datetime_text(value: datetime) -> str:
    text = _in_utc(value).isoformat(timespec="microseconds")
    return text if value.tzinfo is None else text[:26] + "Z"


def _time_text(value: time) -> str:
    return value.isoformat(timespec="microseconds")


def _microseconds(value: timedelta) -> int:
    return value // _MICROSECOND


def _duration(value: int) -> timedelta:
    return timedelta(microseconds=value)


def decimal_order(value: Decimal) -> str:
    """A text that sorts as the number does, equal for equal numbers (``1.5`` and ``1.50``).

    Sign, exponent, digits; for negative numbers each digit's complement, closed by what is greater than any digit.
    """
    if not value.is_finite():
        raise ProjectionError(f"{value} cannot be stored, because it has no place in any order", remedy="use None")
    digits = "".join(map(str, value.as_tuple().digits)).rstrip("0").lstrip("0")
    if not digits:
        return "1"
    text = f"{value.adjusted() + _EXPONENT_BIAS:010d}{digits}"
    return f"0{text.translate(_COMPLEMENT)}{_AFTER_DIGITS}" if value.is_signed() else f"2{text}"


_SHAPES: dict[Any, dict[str, Any]] = {
    str: {"kind": "text"},
    int: {"kind": "integer"},
    bytes: {"kind": "blob"},
    bool: {"kind": "integer", "store": int, "load": bool},
    float: {"kind": "real", "store": _real},
    datetime: {"kind": "text", "store": _datetime_text, "load": datetime.fromisoformat, "settle": _in_utc},
    date: {"kind": "text", "store": date.isoformat, "load": date.fromisoformat},
    time: {"kind": "text", "store": _time_text, "load": time.fromisoformat},
    timedelta: {"kind": "integer", "store": _microseconds, "load": _duration},
    UUID: {"kind": "text", "store": str, "load": UUID},
    Decimal: {"kind": "text", "store": str, "load": Decimal, "order": decimal_order},
}


def _converted(value: Any, wanted: Any) -> Any:
    if wanted is Decimal and isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return value if isinstance(value, Enum) and type(value) is wanted else msgspec.convert(value, wanted)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
