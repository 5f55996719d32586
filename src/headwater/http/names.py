"""The names in the path: ``open-incident`` or ``OpenIncident`` to the message they stand for.

Reads: catalogue.py. Read next: commands.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

from headwater.catalogue import spoken_name
from headwater.messages import Message

M = TypeVar("M", bound=Message)


class Names(Generic[M]):
    """Path segments to message names, by one dict; what is not in it is asked of the catalogue, which explains."""

    def __init__(self, types: Mapping[str, type[M]], explain: Callable[[str], type[M]]) -> None:
        self.types = dict(types)
        self._explain = explain
        self._name_of = {name: name for name in types} | {spoken_name(name): name for name in types}
        self._names = {cls: name for name, cls in types.items()}

    def find(self, segment: str) -> str:
        """The canonical name of the message meant. Raises ``UnknownMessage`` with the nearest."""
        name = self._name_of.get(segment)
        return self._names[self._explain(segment)] if name is None else name
