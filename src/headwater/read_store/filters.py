"""What ``Reader.where`` understands. Reads: columns.py. Read next: selection.py.

    where(status="open", opened_at=Range(monday, sunday), title=Contains("mail"), closed_at=IsNull())
    where(priority=AnyOf(1, Range(ge=4)), caller=Ne("robot"))

A plain value means "equal". ``None`` (also inside ``Range``, ``In``, ...) means that the filter is not applied, because
that is what a query's optional field holds when nobody filled it in; ask for missing values with ``IsNull()``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import msgspec

from headwater.errors import InvalidFilter
from headwater.read_store.columns import Column, Stored

T = TypeVar("T")
Operator: TypeAlias = Literal["eq", "ne", "in", "ge", "gt", "le", "lt", "contains", "null", "not null"]

_MOST_VALUES = 1_000
_MOST_OPTIONS = 32
_LAST_CHARACTER = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
_ASCII_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


class Range(msgspec.Struct, Generic[T], frozen=True, forbid_unknown_fields=True):
    """Values from ``ge`` to ``le``, both included: ``Range(a, b)``; ``gt`` and ``lt`` leave the bound itself out."""

    ge: T | None = None
    le: T | None = None
    gt: T | None = None
    lt: T | None = None


class Ne(msgspec.Struct, frozen=True):
    """Any other value than this one, or no value at all."""

    value: Any


class In(msgspec.Struct, frozen=True):
    """One of these values (at most 1,000). An empty collection matches no row."""

    values: Collection[Any] | None


class Prefix(msgspec.Struct, frozen=True):
    """Text that begins so, upper and lower case told apart; uses an index."""

    text: str | None


class Contains(msgspec.Struct, frozen=True):
    """Text that has this in it; ASCII letters match in upper and lower case. Looks at every row that is left."""

    text: str | None


class IsNull(msgspec.Struct, frozen=True):
    """Rows without a value; ``IsNull(False)`` means rows that have one."""

    wanted: bool | None = True


class AnyOf:
    """At least one of these filters: ``priority=AnyOf(1, Range(ge=4), IsNull())``. Those that are ``None`` are none."""

    __slots__ = ("filters",)

    def __init__(self, *filters: Any) -> None:
        self.filters = filters

    def __repr__(self) -> str:
        return f"AnyOf({', '.join(map(repr, self.filters))})"


class Condition(msgspec.Struct, frozen=True):
    """One comparison of a column with values as they are stored."""

    column: Column
    operator: Operator
    values: tuple[Stored, ...] = ()

    def holds(self, values: Mapping[str, Stored]) -> bool:
        """Whether a row, given by its stored columns, meets it. The reference for what a backend's SQL does."""
        value = values[self.column.order_name]
        if self.operator in ("null", "not null"):
            return (value is None) == (self.operator == "null")
        if value is None:
            return self.operator == "ne"
        return _TESTS[self.operator](value, self.values)


class Alternatives(msgspec.Struct, frozen=True):
    """At least one of the alternatives holds, each of which is several conditions that hold together."""

    options: tuple[tuple[Requirement, ...], ...]

    def holds(self, values: Mapping[str, Stored]) -> bool:
        """Whether a row, given by its stored columns, meets one."""
        return any(all(each.holds(values) for each in option) for option in self.options)


Requirement: TypeAlias = "Condition | Alternatives"
"""What rows are asked to meet."""


def conditions_of(column: Column, wanted: Any) -> Iterator[Requirement]:
    """The conditions of one filter. Raises ``InvalidFilter``."""
    if wanted is None or wanted is msgspec.UNSET:
        return
    make = _MAKERS.get(wanted.__class__)
    if make is None:
        yield Condition(column, "eq", (column.bind(wanted),))
    else:
        yield from make(column, wanted)


def either(options: Iterable[Iterable[Requirement]]) -> Iterator[Requirement]:
    """One requirement that any of the options meets; none if one of them asks for nothing."""
    listed = tuple(tuple(option) for option in options)
    if len(listed) > _MOST_OPTIONS:
        raise InvalidFilter(f"at most {_MOST_OPTIONS} alternatives, not {len(listed)}")
    if all(listed):
        yield listed[0][0] if len(listed) == len(listed[0]) == 1 else Alternatives(listed)


def _any_of(column: Column, wanted: AnyOf) -> Iterator[Requirement]:
    given = [each for each in wanted.filters if each is not None]
    if given:
        yield from either(conditions_of(column, each) for each in given)
    elif not wanted.filters:
        yield Condition(column, "in")


def _ne(column: Column, wanted: Ne) -> Iterator[Condition]:
    if wanted.value is not None:
        yield Condition(column, "ne", (column.bind(wanted.value),))


def _range(column: Column, wanted: Range[Any]) -> Iterator[Condition]:
    bounds: tuple[tuple[Operator, Any], ...] = (
        ("ge", wanted.ge),
        ("le", wanted.le),
        ("gt", wanted.gt),
        ("lt", wanted.lt),
    )
    for name, bound in bounds:
        if bound is not None:
            yield Condition(column, name, (column.bind(bound),))


def _in(column: Column, wanted: In) -> Iterator[Condition]:
    if wanted.values is None:
        return
    given: Any = wanted.values
    if isinstance(given, str | bytes) or not isinstance(given, Collection):
        what = "one text" if isinstance(given, str | bytes) else repr(given)
        raise InvalidFilter(f"In for {column.name} takes several values, not {what}", field=column.name)
    if len(wanted.values) > _MOST_VALUES:
        raise InvalidFilter(f"In for {column.name} takes at most {_MOST_VALUES} values", field=column.name)
    yield Condition(column, "in", tuple(dict.fromkeys(column.bind(value) for value in wanted.values)))


def _prefix(column: Column, wanted: Prefix) -> Iterator[Condition]:
    if wanted.text is None:
        return
    text = _text(column, wanted.text, "Prefix")
    yield Condition(column, "ge", (text,))
    after = _after_all_with(text)
    if after is not None:
        yield Condition(column, "lt", (after,))


def _contains(column: Column, wanted: Contains) -> Iterator[Condition]:
    if wanted.text is not None:
        yield Condition(column, "contains", (_text(column, wanted.text, "Contains").translate(_ASCII_LOWER),))


def _is_null(column: Column, wanted: IsNull) -> Iterator[Condition]:
    if wanted.wanted is not None:
        yield Condition(column, "null" if wanted.wanted else "not null")


def _text(column: Column, text: Any, name: str) -> str:
    if not column.is_text:
        raise InvalidFilter(f"{name} works on text, and {column.name} is none", field=column.name)
    bound = column.bind(text)
    return bound if isinstance(bound, str) else ""


def _after_all_with(prefix: str) -> str | None:
    """The least text that comes after every text with that prefix, if there is one."""
    kept = prefix.rstrip(chr(_LAST_CHARACTER))
    if not kept:
        return None
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(_SURROGATES.stop if following in _SURROGATES else following)


_MAKERS: dict[type, Callable[[Column, Any], Iterator[Requirement]]] = {
    AnyOf: _any_of,
    Ne: _ne,
    Range: _range,
    In: _in,
    Prefix: _prefix,
    Contains: _contains,
    IsNull: _is_null,
}
_TESTS: dict[str, Callable[[Any, tuple[Any, ...]], bool]] = {
    "eq": lambda value, wanted: value == wanted[0],
    "ne": lambda value, wanted: value != wanted[0],
    "in": lambda value, wanted: value in wanted,
    "ge": lambda value, wanted: value >= wanted[0],
    "gt": lambda value, wanted: value > wanted[0],
    "le": lambda value, wanted: value <= wanted[0],
    "lt": lambda value, wanted: value < wanted[0],
    "contains": lambda value, wanted: wanted[0] in value.translate(_ASCII_LOWER),
}
