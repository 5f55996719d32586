"""What a person entered, and the values it stands for. Reads: inputs.py. Read next: controls.py.

A form says names with dots (``lines.0.sku``), each once or several times. Values are given to the very decoder that
reads commands and queries from elsewhere, so a form can say no more and no less than they.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

import msgspec
from msgspec import UNSET

from headwater.errors import FieldError
from headwater.foreign import encode_foreign
from headwater.plain import is_object, pointer
from headwater.ui.inputs import Input, fields_of

NONE = "~none"
"""Ends the name of the box that says: no value, where an empty input says nothing."""

_MINUTES = re.compile(r"(?:\d{4}-\d\d-\d\dT)?\d\d:\d\d")
_ZONED = re.compile(r".*(?:Z|[+-]\d\d:\d\d)", re.IGNORECASE)


class Entered:
    """Names and what was entered for them, in order; a name may stand several times."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs = tuple(pairs)
        self._found: dict[str, list[str]] = {}
        for name, text in self.pairs:
            self._found.setdefault(name, []).append(text)

    def __contains__(self, name: str) -> bool:
        return name in self._found

    def one(self, name: str) -> str:
        """The last text of that name; empty if there is none."""
        return self._found.get(name, [""])[-1]

    def all(self, name: str) -> list[str]:
        """Every text of that name."""
        return self._found.get(name, [])

    def names(self) -> Iterable[str]:
        """Every name, once."""
        return self._found.keys()

    def without(self, *names: str) -> Entered:
        """The same without some names."""
        return Entered((name, text) for name, text in self.pairs if name not in names)


class Values(msgspec.Struct, frozen=True):
    """The values that were entered, by name, ready for the decoder; and what could not even be read."""

    values: dict[str, Any]
    faults: tuple[FieldError, ...]


def values_of(inputs: Iterable[Input], entered: Entered, *, asking: bool = False) -> Values:
    """What was entered as values. When ``asking``, what stands nowhere is not said at all."""
    reading = _Reading(entered, asking=asking)
    values = reading.group(inputs, "", ())
    return Values(values, tuple(reading.faults))


class _Reading:
    def __init__(self, entered: Entered, *, asking: bool) -> None:
        self._entered = entered
        self._asking = asking
        self.faults: list[FieldError] = []

    def group(self, inputs: Iterable[Input], prefix: str, path: tuple[str | int, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for each in inputs:
            value = self._value(each, prefix + each.name, (*path, each.name))
            if value is not UNSET:
                found[each.name] = value
        return found

    def _value(self, each: Input, name: str, path: tuple[str | int, ...]) -> Any:
        """The value of one input; ``UNSET`` if it says nothing."""
        if each.clearable and self._entered.one(name + NONE):
            return None
        match each.kind:
            case "group":
                inside = self.group(each.inner, f"{name}.", path)
                said = each.required or any(self._says(inner, f"{name}.{inner.name}") for inner in each.inner)
                return inside if said else UNSET
            case "rows":
                rows = [
                    self.group(each.inner, f"{name}.{row}.", (*path, place))
                    for place, row in enumerate(self._entered.all(name))
                ]
                return self._several(each, rows)
            case "values":
                return self._several(each, [_typed(each.inner[0], text) for text in self._entered.all(name) if text])
            case "choices":
                return self._several(each, [each.values.get(text, text) for text in self._entered.all(name) if text])
            case "checkbox":
                return UNSET if self._asking and name not in self._entered else bool(self._entered.one(name))
            case _:
                return self._single(each, name, path)

    def _several(self, each: Input, values: list[Any]) -> Any:
        if values or not (self._asking or each.nullable or (each.default is UNSET and not each.required)):
            return values
        return UNSET

    def _single(self, each: Input, name: str, path: tuple[str | int, ...]) -> Any:
        if name not in self._entered:
            return UNSET
        text = self._entered.one(name)
        if each.kind == "textarea":
            text = text.replace("\r\n", "\n")
        elif each.kind != "json":
            text = text.strip()
        if not text:
            return _nothing(each)
        if each.kind == "json":
            try:
                return msgspec.json.decode(text)
            except msgspec.DecodeError as error:
                self.faults.append(FieldError(pointer(*path), f"is no JSON: {error}"))
                return UNSET
        return _typed(each, text)

    def _says(self, each: Input, name: str) -> bool:
        """Whether anything was entered in an input, or inside of it."""
        if each.kind == "group":
            return any(self._says(inner, f"{name}.{inner.name}") for inner in each.inner)
        if each.kind == "checkbox":
            return bool(self._entered.one(name)) != bool(each.default)
        return any(self._entered.all(name)) or bool(self._entered.one(name + NONE))


def _nothing(each: Input) -> Any:
    """What an empty input says, if anything: it replaces a default that would say something else."""
    if each.required or each.default is UNSET or each.default is None:
        return UNSET
    if each.nullable:
        return None
    return "" if isinstance(each.default, str) and each.kind in {"text", "textarea"} else UNSET


def _typed(each: Input, text: str) -> Any:
    """A text in the form that the decoder wants: one of the choices, a time with seconds and zone."""
    if each.kind == "select":
        return each.values.get(text, text)
    if each.kind in {"datetime", "time"}:
        whole = f"{text}:00" if _MINUTES.fullmatch(text) else text
        return whole if _ZONED.fullmatch(whole) else whole + each.zone
    return text


def entered_of(inputs: Iterable[Input], values: dict[str, Any] | None = None) -> Entered:
    """What a form holds at first: the defaults, or these values."""
    return Entered(_pairs(inputs, "", values or {}))


def _pairs(inputs: Iterable[Input], prefix: str, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for each in inputs:
        value = values.get(each.name, each.default)
        if each.kind == "group" and value is not None:
            yield from _pairs(each.inner, f"{prefix}{each.name}.", _plain(value))
        elif value is None and each.clearable:
            yield prefix + each.name + NONE, "1"
        elif value is not None and value is not UNSET:
            yield from _texts(each, prefix + each.name, value)


def _texts(each: Input, name: str, value: Any) -> Iterator[tuple[str, str]]:
    if each.kind == "rows":
        for place, row in enumerate(value):
            yield name, str(place)
            yield from _pairs(each.inner, f"{name}.{place}.", _plain(row))
    elif each.kind in {"values", "choices"}:
        inner = each.inner[0] if each.inner else each
        yield from ((name, text_of(inner, part)) for part in value)
    elif each.kind != "checkbox" or value:
        yield name, text_of(each, value)


def _plain(value: Any) -> Mapping[str, Any]:
    """The values of a struct or dataclass by their names in JSON."""
    if is_object(value):
        return value
    return {} if value is UNSET else {each.encode_name: getattr(value, each.name) for each in fields_of(type(value))}


def text_of(each: Input, value: Any) -> str:
    """A value as it stands in an input."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return (value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)).isoformat()
    if isinstance(value, str):
        return value
    if each.kind == "json" or isinstance(value, timedelta | bytes):
        text = msgspec.json.encode(value, enc_hook=encode_foreign).decode()
        return text if each.kind == "json" else text.strip('"')
    return str(value)
