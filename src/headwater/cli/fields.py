"""What a command line says of a message: its JSON, or ``name=value`` words, which become named values.

Reads: nothing. Read next: verbs/send.py, verbs/ask.py.

``impact=2`` is text, to be read by the field's type; ``lines:='[{"sku": "a"}]'`` is JSON as it stands; a name given
several times is a list. Names with a dot (``page.size=10``) go inside; the codec sees to that, here as for URLs.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

FIELD_OPTION = click.option(
    "-f", "--field", "fields", multiple=True, metavar="NAME=VALUE", help="A field, as NAME=VALUE alone is; repeatable."
)


def body_of(words: Sequence[str], fields: Sequence[str] = ()) -> bytes | dict[str, Any]:
    """The JSON text that the one word gives (in place, as ``@FILE``, or ``-`` for standard input), or named values.

    Raises ``click.UsageError``.
    """
    if not any(word == "-" or word.lstrip().startswith(("{", "[", "@")) for word in words):
        return parameters_of((*words, *fields))
    if len(words) + len(fields) > 1:
        raise click.UsageError("give one body as JSON, or fields as NAME=VALUE, not both")
    (word,) = words
    if word == "-":
        return _typed_in()
    if not word.startswith("@"):
        return os.fsencode(word)  # the very bytes that stand on the command line
    try:
        return Path(word[1:]).read_bytes()
    except OSError as error:
        raise click.UsageError(f"{word[1:]} cannot be read: {error.strerror}") from None


def _typed_in() -> bytes:
    """All of standard input. An event loop's own handler of Ctrl+C would wait until it has come to an end."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return sys.stdin.buffer.read()
    finally:
        signal.signal(signal.SIGINT, before)


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
        raise click.UsageError(f"{word!r} is neither NAME=VALUE nor JSON")
    if not name.endswith(":"):
        return name, text
    try:
        return name[:-1], msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise click.UsageError(f"{word!r} does not hold JSON after := ({error})") from None
