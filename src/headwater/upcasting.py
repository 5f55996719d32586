"""Old events in today's form: an upcaster turns the stored fields of one version into those of the next.

Reads: signatures.py. Read next: catalogue.py, which chains upcasters and says which are missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from headwater.errors import WiringError
from headwater.signatures import marked

U = TypeVar("U", bound=Callable[[dict[str, Any]], dict[str, Any]])

_UPCASTS = "__upcasts__"


class Upcaster(msgspec.Struct, frozen=True):
    """One step: events stored as ``name`` at ``from_version`` become version ``from_version + 1``."""

    name: str
    from_version: int
    function: Callable[[dict[str, Any]], dict[str, Any]]
    where: str


def upcast(name: str, *, from_version: int) -> Callable[[U], U]:
    """Mark a function that lifts the stored fields of an event one version up: plain ``dict`` in, ``dict`` out.

    Give the function to ``App`` as a part. Several versions take one function for each step.

    >>> @upcast("IncidentOpened", from_version=1)
    ... def who_is_now_caller(stored):
    ...     stored["caller"] = stored.pop("who")
    ...     return stored
    >>> who_is_now_caller({"who": "c7"})
    {'caller': 'c7'}
    """
    given: Any = name
    if not isinstance(given, str) or type(from_version) is not int:
        wanted = "the stored name of an event and the number of a version"
        raise WiringError((f"@upcast takes {wanted}, not {name!r} and {from_version!r}",))

    def mark(function: U) -> U:
        before: tuple[tuple[str, int], ...] = getattr(function, _UPCASTS, ())
        return marked(function, _UPCASTS, "upcast", value=(*before, (name, from_version)))

    return mark


def is_upcaster(part: object) -> bool:
    """Whether ``upcast`` marked this function."""
    return callable(part) and bool(getattr(part, _UPCASTS, ()))


def upcasters_of(part: Callable[[dict[str, Any]], dict[str, Any]]) -> tuple[Upcaster, ...]:
    """The steps a function was marked for; usually one."""
    where = getattr(part, "__qualname__", repr(part))
    steps: tuple[tuple[str, int], ...] = getattr(part, _UPCASTS, ())
    return tuple(Upcaster(name, version, part, where) for name, version in steps)
