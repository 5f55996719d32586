"""Idempotency: the key becomes a tag, so a repeat finds the first outcome in the log itself.

Reads: gathering.py, codec.py. Read next: executor.py.
"""

from __future__ import annotations

import hashlib
from typing import Any

from headwater.codec import Codec
from headwater.commands.gathering import GatheredReads
from headwater.errors import FieldError, IdempotencyMismatch, InvalidMessage
from headwater.event_store.protocol import EventQuery
from headwater.messages import Command, Receipt, contract_of

_MAX_KEY = 255


def key_tag(key: str) -> str:
    """The tag that an idempotency key becomes."""
    return f"idempotency:{key}"


def check_key(key: str) -> None:
    """Raise ``InvalidMessage`` for a caller's key that is no text, empty or too long."""
    given: Any = key
    if not isinstance(given, str) or not 0 < len(given) <= _MAX_KEY:
        fault = FieldError("/idempotency_key", f"is text of 1 to {_MAX_KEY} characters")
        raise InvalidMessage("idempotency key", (fault,))


def command_hash(codec: Codec, command: Command) -> str:
    """A short digest of a command's name and content, to tell a repeat from a key used twice."""
    body = contract_of(type(command)).name.encode() + b"\0" + codec.encode_canonical(command)
    return hashlib.blake2b(body, digest_size=12).hexdigest()


async def first_receipt(reads: GatheredReads, codec: Codec, key_query: EventQuery, digest: str) -> Receipt | None:
    """The receipt of the command that already used the key, or ``None``.

    Raises ``IdempotencyMismatch`` if that was another command.
    """
    found = await reads.read(key_query)
    if not found.events:
        return None
    last = found.events[-1]
    metadata = codec.metadata_of(last)
    if metadata.command_hash != digest:
        raise IdempotencyMismatch(
            f"the idempotency key was already used for {metadata.command}", command=metadata.command
        )
    return Receipt(last.position, replayed=True)
