"""Classes whose fields are given by name, and so may stand in any order. Reads: nothing. Read next: messages.py."""

from __future__ import annotations

from typing import Any

import msgspec


class KeywordOnly(msgspec.StructMeta):
    """Gives each class below ``kw_only=True``, which msgspec wants said anew for the fields of every class.

    Type checkers know it from ``dataclass_transform``, and let a required field follow one with a default.
    """

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> KeywordOnly:
        """Make the class; ``kw_only=False`` is still heeded."""
        options.setdefault("kw_only", True)
        return super().__new__(mcls, name, bases, namespace, **options)
