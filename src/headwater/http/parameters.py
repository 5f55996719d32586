"""Query strings: into plain parameters, which the codec makes a query of, and into links. Read next: queries.py."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlencode

from headwater.errors import MalformedMessage
from headwater.query_values import dotted

_MOST_PARAMETERS = 200


def read_parameters(query_string: bytes) -> Mapping[str, str | list[str]]:
    """Each parameter with its value, or with its values if it was given several times. Raises ``MalformedMessage``."""
    found: dict[str, str | list[str]] = {}
    for name, value in _pairs(query_string):
        before = found.get(name)
        if before is None:
            found[name] = value
        elif isinstance(before, list):
            before.append(value)
        else:
            found[name] = [before, value]
    return found


def with_parameters(query_string: bytes, changes: Mapping[str, object]) -> str:
    """The same query string with some parameters set: how a page links to the next."""
    kept = [(name, value) for name, value in _pairs(query_string) if dotted(name) not in changes]
    return urlencode([*kept, *changes.items()], quote_via=quote)


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    if not query_string:
        return []
    try:
        text = query_string.decode("ascii")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
    except ValueError as error:  # too many, not ASCII, or escapes that are not UTF-8
        raise MalformedMessage(f"the query string cannot be read: {error}") from error
