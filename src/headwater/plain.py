"""Plain values, as JSON knows them. Reads: nothing. Read next: validation.py, schemas.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, TypeGuard

Json: TypeAlias = dict[str, Any]
"""A JSON object."""


def is_object(value: object) -> TypeGuard[Json]:
    """Whether it is a JSON object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Whether it is a JSON array."""
    return isinstance(value, list | tuple)


def is_mapping_value(value: object) -> TypeGuard[Mapping[Any, Any]]:
    """Whether it has keys and values."""
    return isinstance(value, Mapping)


def pointer(*path: str | int) -> str:
    """A JSON Pointer (RFC 6901).

    >>> pointer("lines", 0, "a/b")
    '/lines/0/a~1b'
    """
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
