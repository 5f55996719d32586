"""Words for people, from the names and docstrings of the application. Reads: options.py. Read next: inputs.py."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from headwater.catalogue import spoken_name
from headwater.messages import Message, Query, contract_of
from headwater.ui.options import UiOptions

_ASKING = ("find", "get", "list", "show", "search")
_CAPITALS = {"id": "ID", "ids": "IDs", "url": "URL", "utc": "UTC", "vat": "VAT"}


def words_of_name(name: str) -> str:
    """A name as people write it.

    >>> words_of_name("OpenIncident"), words_of_name("incident_id"), words_of_name("SLAMissed")
    ('Open incident', 'Incident ID', 'Sla missed')
    """
    words = [_CAPITALS.get(word, word) for word in spoken_name(name).split("-")]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


def help_of(cls: Any) -> str:
    """The first paragraph of a class's docstring, in one line."""
    told = inspect.cleandoc(cls.__doc__ or "").partition("\n\n")[0]
    return " ".join(told.replace("``", "").split())


class Names:
    """The words of one application: its own, where nobody said others."""

    def __init__(self, options: UiOptions) -> None:
        self._options = options

    def title(self, cls: type[Message]) -> str:
        """What a command or query is called: ``Open incident``, ``Incidents``."""
        said = self._options.of(cls).title
        if said is not None:
            return said
        name = contract_of(cls).name
        if issubclass(cls, Query):
            first, _, rest = spoken_name(name).partition("-")
            if first in _ASKING and rest:
                name = rest
        return words_of_name(name)

    def help(self, cls: type[Message]) -> str:
        """What a command or query is for."""
        said = self._options.of(cls).help
        return help_of(cls) if said is None else said

    def fields(self, cls: type[Message]) -> Sequence[str]:
        """The fields that the form of a message offers, if not all of them."""
        return self._options.of(cls).fields

    def labels(self, cls: type[Message] | None = None) -> Labels:
        """The words for fields, of one message or of any."""
        said = dict(self._options.labels)
        if cls is not None:
            said.update(self._options.of(cls).labels)
        return Labels(said)


class Labels:
    """Words for fields."""

    def __init__(self, said: Mapping[str, str]) -> None:
        self._said = said

    def of(self, field: str) -> str:
        """The label of a field: what was said, or its name in words."""
        return self._said.get(field) or words_of_name(field)
