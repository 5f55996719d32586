"""From ``name=value`` words to the named values of a message. Reads: nothing. Read next: verbs/send.py, verbs/ask.py.

``impact=2`` is text, to be read by the field's type; ``lines:='[{"sku": "a"}]'`` is JSON as it stands; a name given
several times is a list. Names with a dot (``page.size=10``) go inside; the codec sees to that, here as for URLs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import msgspec


def parameters_of(words: Sequence[str]) -> dict[str, Any]:
    """The named values of the words, for ``Codec.decode_parameters``.

    >>> parameters_of(["status=open", "page.size=10", "label=a", "label=b", "lines:=[1]"])
    {'status': 'open', 'page.size': '10', 'label': ['a', 'b'], 'lines': [1]}

    Raises ``click.UsageError`` for a word that is no ``name=value``.
    """
    values: dict[str, list[Any]] = {}
    for word in words:
        name, value = _split(word)
        values.setdefault(name, []).append(value)
    return {name: given[0] if len(given) == 1 else given for name, given in values.items()}


def _split(word: str) -> tuple[str, Any]:
    name, equals, text = word.partition("=")
    if not equals or not name.removesuffix(":"):
        raise click.UsageError(f"{word!r} is not name=value")
    if not name.endswith(":"):
        return name, text
    try:
        return name[:-1], msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise click.UsageError(f"{word!r} does not hold JSON after := ({error})") from None
