"""Hypothesis strategies from message types: ``strategies.messages(OpenIncident)`` draws valid commands.

Reads: the messages' annotations, as msgspec describes them. Read next: conformance.py. Every constraint of ``Meta`` is
honoured, so what is drawn is valid, and comes back equal when it was encoded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeVar

from msgspec import inspect as shape

from headwater.declarations import is_pydantic
from headwater.errors import ContractError, MissingExtra

try:
    import hypothesis
    from hypothesis import strategies as st
    from hypothesis.strategies import SearchStrategy
except ImportError as error:
    raise MissingExtra("testing", "hypothesis", "drawing messages") from error

M = TypeVar("M")
Sized = shape.ListType | shape.VarTupleType | shape.SetType | shape.FrozenSetType | shape.CollectionType

_INT64 = (-(2**63), 2**63 - 1)
_LARGEST_FLOAT = 1e15
_LONGEST = 8
_LONGEST_TEXT = 40
_LONGEST_DURATION = timedelta(days=10_000)
_EARLIEST, _LATEST = datetime(1, 1, 3), datetime(9999, 12, 29)  # noqa: DTZ001  Hypothesis adds the zone itself
_ZONES = (UTC, timezone(timedelta(hours=2)), timezone(timedelta(hours=-9, minutes=-30)))


def messages(cls: type[M]) -> SearchStrategy[M]:
    """Valid messages (or rows, or any Struct or dataclass) of that class; fields with a default are sometimes left out.

    Times are aware. Raises ``ContractError`` for a field type that nothing can be drawn for.
    """
    drawn: SearchStrategy[M] = values(cls)
    return drawn


def values(annotation: Any) -> SearchStrategy[Any]:
    """Valid values of any annotation that a message's field may have."""
    return _Builder().of(shape.type_info(annotation))


class _Builder:
    """Builds the strategy of a type. Classes are built once each and deferred, so that a class may contain itself."""

    def __init__(self) -> None:
        self._classes: dict[Any, SearchStrategy[Any]] = {}

    def of(self, described: shape.Type) -> SearchStrategy[Any]:
        """The strategy of a described type."""
        simple = _SIMPLE.get(type(described))
        if simple is not None:
            return simple(described)
        match described:
            case shape.Metadata(type=inner):
                return self.of(inner)
            case shape.UnionType(types=types):
                return st.one_of([self.of(part) for part in types])
            case shape.TupleType(item_types=places):
                return st.tuples(*(self.of(place) for place in places))
            case shape.DictType():
                return self._mapping(described)
            case (
                shape.ListType()
                | shape.VarTupleType()
                | shape.SetType()
                | shape.FrozenSetType()
                | shape.CollectionType()
            ):
                return self._elements(described)
            case shape.StructType() | shape.DataclassType() | shape.TypedDictType() | shape.NamedTupleType():
                return self._class(described)
            case shape.CustomType(cls=cls) if is_pydantic(cls):
                return _models(cls)
            case _:
                raise ContractError(
                    f"nothing can be drawn for {described!r}",
                    remedy="pass a strategy of your own: hypothesis.strategies.builds(...)",
                )

    def _elements(self, described: Sized) -> SearchStrategy[Any]:
        low, high = _sizes(described.min_length, described.max_length, _LONGEST)
        is_set = isinstance(described, shape.SetType | shape.FrozenSetType)
        drawn = st.lists(self.of(described.item_type), min_size=low, max_size=high, unique=is_set)
        made: dict[type[Any], Callable[[list[Any]], Any]] = {
            shape.VarTupleType: tuple,
            shape.SetType: set,
            shape.FrozenSetType: frozenset,
        }
        return drawn.map(made.get(type(described), list))

    def _mapping(self, described: shape.DictType) -> SearchStrategy[Any]:
        low, high = _sizes(described.min_length, described.max_length, _LONGEST)
        keys, entries = self.of(described.key_type), self.of(described.value_type)
        return st.dictionaries(keys, entries, min_size=low, max_size=high)

    def _class(
        self, described: shape.StructType | shape.DataclassType | shape.TypedDictType | shape.NamedTupleType
    ) -> SearchStrategy[Any]:
        known = self._classes.get(described.cls)
        if known is None:
            known = self._classes[described.cls] = st.deferred(lambda: self._members(described))
        return known

    def _members(self, described: Any) -> SearchStrategy[Any]:
        needed = {field.name: self.of(field.type) for field in described.fields if field.required}
        spare = {field.name: self.of(field.type) for field in described.fields if not field.required}
        drawn = st.fixed_dictionaries(needed, optional=spare)
        return drawn.map(lambda members: _make(described.cls, members))


def _make(cls: Callable[..., Any], members: Mapping[str, Any]) -> Any:
    """Make the value, unless the class has rules of its own that say no."""
    try:
        return cls(**members)
    except ValueError:
        hypothesis.reject()


def _models(cls: type[Any]) -> SearchStrategy[Any]:
    """Valid pydantic models, as far as their signature tells."""

    def valid(model: Any) -> bool:
        try:
            cls.model_validate_json(model.model_dump_json())
        except ValueError:
            return False
        return True

    return st.from_type(cls).filter(valid)


def _sizes(low: int | None, high: int | None, longest: int) -> tuple[int, int]:
    least = low or 0
    return least, min(high if high is not None else least + longest, least + longest)


# -- values without parts ----------------------------------------------------------------------------------------------

_CHARACTERS = st.characters(codec="utf-8")


def _integers(described: Any) -> SearchStrategy[Any]:
    step = described.multiple_of or 1
    low = max(bound for bound in (_INT64[0], described.ge, _next(described.gt, 1)) if bound is not None)
    high = min(bound for bound in (_INT64[1], described.le, _next(described.lt, -1)) if bound is not None)
    return st.integers(-(-low // step), high // step).map(lambda times: times * step)


def _next(bound: int | None, by: int) -> int | None:
    return None if bound is None else bound + by


def _floats(described: Any) -> SearchStrategy[Any]:
    low, no_low = (described.gt, True) if described.gt is not None else (described.ge, False)
    high, no_high = (described.lt, True) if described.lt is not None else (described.le, False)
    step = described.multiple_of
    if step is None:
        return st.floats(low, high, exclude_min=no_low, exclude_max=no_high, allow_nan=False, allow_infinity=False)
    least = math.ceil((-_LARGEST_FLOAT if low is None else low) / step)
    most = math.floor((_LARGEST_FLOAT if high is None else high) / step)
    least += no_low and least * step <= low
    most -= no_high and most * step >= high
    return st.integers(least, most).map(lambda times: times * step)


def _text(described: Any) -> SearchStrategy[Any]:
    low, high = _sizes(described.min_length, described.max_length, _LONGEST_TEXT)
    if described.pattern is None:
        return st.text(_CHARACTERS, min_size=low, max_size=high)
    drawn = st.from_regex(described.pattern, alphabet=_CHARACTERS)
    return drawn.filter(lambda text: low <= len(text) <= (described.max_length or len(text)))


def _bytes(described: Any) -> SearchStrategy[bytes]:
    low, high = _sizes(described.min_length, described.max_length, _LONGEST_TEXT)
    return st.binary(min_size=low, max_size=high)


def _moments(described: Any) -> SearchStrategy[datetime]:
    zones = st.none() if described.tz is False else st.sampled_from(_ZONES)
    return st.datetimes(_EARLIEST, _LATEST, timezones=zones)


def _anything(_described: Any) -> SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers(*_INT64) | st.floats(allow_nan=False, allow_infinity=False)
    text = st.text(_CHARACTERS, max_size=_LONGEST_TEXT)
    return st.recursive(
        leaves | text,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
        max_leaves=6,
    )


_SIMPLE: Mapping[type[Any], Callable[[Any], SearchStrategy[Any]]] = {
    shape.AnyType: _anything,
    shape.NoneType: lambda _described: st.none(),
    shape.BoolType: lambda _described: st.booleans(),
    shape.IntType: _integers,
    shape.FloatType: _floats,
    shape.StrType: _text,
    shape.BytesType: _bytes,
    shape.ByteArrayType: lambda described: _bytes(described).map(bytearray),
    shape.DateTimeType: _moments,
    shape.DateType: lambda _described: st.dates(),
    shape.TimeType: lambda described: st.times(timezones=st.sampled_from(_ZONES) if described.tz else st.none()),
    shape.TimeDeltaType: lambda _described: st.timedeltas(-_LONGEST_DURATION, _LONGEST_DURATION),
    shape.UUIDType: lambda _described: st.uuids(),
    shape.DecimalType: lambda _described: st.decimals(allow_nan=False, allow_infinity=False),
    shape.EnumType: lambda described: st.sampled_from(list(described.cls)),
    shape.LiteralType: lambda described: st.sampled_from(list(described.values)),
}
