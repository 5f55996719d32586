"""Shows two lists of messages or rows side by side, so that the one field that differs stands out. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec


def difference(expected: Iterable[object], actual: Iterable[object]) -> str:
    """A line per field; ``-`` stands before what was expected, ``+`` before what came."""
    lines = difflib.Differ().compare(_lines(expected), _lines(actual))
    shown = [f"  {line}" for line in lines if not line.startswith("?")]
    return "\n".join(["  expected (-) and actual (+):", *shown])


def listed(things: Sequence[object]) -> str:
    """Each thing in a line of its own, or the word for none."""
    return "\n".join(f"    {thing!r}" for thing in things) if things else "    nothing"


def picture(state: Any) -> Any:
    """A value as plain data, to be compared and shown later, when the value itself may have changed."""
    return msgspec.to_builtins(state, enc_hook=repr, order="deterministic")


def _lines(things: Iterable[object]) -> list[str]:
    found: list[str] = []
    for thing in things:
        found += _fields(thing)
    return found or ["(nothing)"]


def _fields(thing: object) -> list[str]:
    if not isinstance(thing, msgspec.Struct):
        return [repr(thing)]
    values = [f"    {name}={getattr(thing, name)!r}," for name in thing.__struct_fields__]
    return [f"{type(thing).__name__}(", *values, ")"]
