"""Page cursors: where the next page begins, signed. Reads: selection.py. Read next: reader.py.

A cursor holds the sort values of a row and the direction. The signature covers the query too (table, filters, order),
so a cursor is good for the query that made it and for no other. The key is kept in the read store: cursors survive a
restart and are good in every process that serves from it.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode
from binascii import b2a_base64
from hashlib import blake2b
from hmac import compare_digest
from typing import Any

import msgspec

from headwater.errors import InvalidCursor
from headwater.read_store.filters import Alternatives, Requirement
from headwater.read_store.selection import Selection
from headwater.read_store.tables import Values

_SIGNATURE_BYTES = 16
_LONGEST = 8_192
_FOR_URLS = bytes.maketrans(b"+/", b"-_")
_PERSON = b"headwater-cursor"


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where a page begins: after these sort values, or before them when paging ``backwards``."""

    values: tuple[Any, ...]
    backwards: bool = False


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Place)


def write_cursor(key: bytes, context: bytes, values: Values, *, backwards: bool) -> str:
    """The cursor of that place in the query of that context."""
    body = _ENCODER.encode(Place(values, backwards))
    written = b2a_base64(_signature(key, context, body) + body, newline=False)
    return written.translate(_FOR_URLS).rstrip(b"=").decode()


def read_cursor(key: bytes, context: bytes, cursor: str) -> Place:
    """The place a cursor names. Raises ``InvalidCursor`` unless this query wrote it."""
    if len(cursor) > _LONGEST or not cursor.isascii():
        raise _invalid()
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except ValueError as error:
        raise _invalid() from error
    signature, body = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
    if not compare_digest(signature, _signature(key, context, body)):
        raise _invalid()
    return _DECODER.decode(body)


def context_of(selection: Selection) -> bytes:
    """What a query is: its table, filters and order, without the place and the size of the page."""
    order: list[Any] = [(term.column.name, term.descending) for term in selection.order]
    facts: list[Any] = [selection.table.name, order, [_facts(each) for each in selection.conditions]]
    if selection.search is not None:
        facts.append(selection.search)
    return _ENCODER.encode(facts)


def _facts(required: Requirement) -> Any:
    if isinstance(required, Alternatives):
        return [[_facts(each) for each in option] for option in required.options]
    return (required.column.name, required.operator, required.values)


def _signature(key: bytes, context: bytes, body: bytes) -> bytes:
    digest = blake2b(key=key, digest_size=_SIGNATURE_BYTES, person=_PERSON)
    digest.update(len(context).to_bytes(4, "big"))
    digest.update(context)
    digest.update(body)
    return digest.digest()


def _invalid() -> InvalidCursor:
    return InvalidCursor("this cursor was damaged, or made by another query, filter or sort")
