"""Packages whose names are loaded on first use: the curated face, the helpers for tests, the ports. Reads: nothing.

A package that gathers names from its modules would load all of them whenever one is wanted. With this it loads only the
module of the name that is used, so that a program pays for what it needs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any


def lazily(package: str, modules: Iterable[str], module_of: Mapping[str, str]) -> Callable[[str], Any]:
    """A package's ``__getattr__``: loads its ``modules``, and other names from the modules they are in."""

    def load(name: str) -> Any:
        """Load a name on first use, and keep it."""
        if name in modules:
            return import_module(f"{package}.{name}")
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(module_of[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
