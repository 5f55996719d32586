"""The root of all errors, see errors.py. Reads: nothing. Read next: store_errors.py."""

from __future__ import annotations

from typing import Any


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
