"""The root of all errors, see errors.py. Reads: nothing. Read next: store_errors.py."""

from __future__ import annotations

from typing import Any, TypeVar


class HeadwaterError(Exception):
    """The root. ``code`` is stable, ``message`` is for people, ``remedy`` says what to do, ``fields`` are the facts."""

    code: str = "headwater-error"
    remedy: str = ""

    def __init__(self, message: str, *, remedy: str = "", **fields: Any) -> None:
        super().__init__(message)
        self.message = message
        if remedy:
            self.remedy = remedy
        self.fields = fields
        for name, value in fields.items():
            setattr(self, name, value)

    def __str__(self) -> str:
        return f"{self.message} ({self.remedy})" if self.remedy else self.message


E = TypeVar("E", bound=HeadwaterError)


def again(error: E) -> E:
    """The same news for another who waits, as an exception of its own: one that is raised twice mixes tracebacks.

    For classes that are made of a message, a remedy and fields, as all errors of stores and projections are.
    """
    made = type(error)(error.message, remedy=error.remedy, **error.fields)
    made.__cause__ = error.__cause__ or error
    return made
