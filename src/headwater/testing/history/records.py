"""What is written down of an operation, one record a line. Reads: event_store/protocol.py. Read next: journal.py.

Times are nanoseconds of one monotonic clock, which all processes of a machine share. What an append sends is written
before it is called, so that a process that dies in it has left word of it; an operation without an answer is unknown.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal, TypeAlias

import msgspec

from headwater.event_store.protocol import EventQuery, NewEvent, RecordedEvent
from headwater.integration.chain import content

Outcome: TypeAlias = Literal["stored", "conflict", "refused", "unknown"]
"""``refused`` means surely nothing was stored; after ``unknown`` it may have been, then or later."""


class SentEvent(msgspec.Struct, frozen=True):
    """An event as it was sent: its id in hexadecimal, and a digest of all that it says."""

    id: str
    digest: str
    tags: tuple[str, ...] = ()


class Sent(msgspec.Struct, frozen=True, tag="sent"):
    """An append that is about to be called, with its condition if it has one."""

    operation: str
    at: int
    events: tuple[SentEvent, ...]
    fail_if: EventQuery | None = None
    after: int = 0


class Answered(msgspec.Struct, frozen=True, tag="answered"):
    """How an append ended. ``first`` and ``last`` are positions; a conflict's stands in ``first``."""

    operation: str
    at: int
    outcome: Outcome
    first: int = 0
    last: int = 0
    replayed: bool = False
    error: str = ""


class SeenEvent(msgspec.Struct, frozen=True):
    """An event as somebody saw it."""

    position: int
    id: str
    digest: str


class Seen(msgspec.Struct, frozen=True, tag="seen"):
    """A read: what was asked between ``began`` and ``at``, and what came back."""

    reader: str
    began: int
    at: int
    query: EventQuery
    head: int
    events: tuple[SeenEvent, ...] = ()
    after: int = 0
    limit: int | None = None
    backwards: bool = False


class Delivered(msgspec.Struct, frozen=True, tag="delivered"):
    """A slice of a subscription that began after ``after``. Slices of one subscription come in its order."""

    subscription: str
    at: int
    query: EventQuery
    after: int
    head: int
    events: tuple[SeenEvent, ...] = ()


class Applied(msgspec.Struct, frozen=True, tag="applied"):
    """A follower's commit: from the checkpoint ``start`` to ``position``, with the effect of ``events``.

    ``epoch`` grows with each new owner and each rebuild; a rebuild starts from 0 again.
    """

    follower: str
    at: int
    query: EventQuery
    start: int
    position: int
    events: tuple[int, ...]
    epoch: int = 0


class Effect(msgspec.Struct, frozen=True, tag="effect"):
    """Something was done in the outside world because of an event; ``key`` is what the receiver knows it by."""

    key: str
    at: int
    position: int
    rebuilding: bool = False


class Shown(msgspec.Struct, frozen=True, tag="shown"):
    """Somebody of ``tenant`` was shown rows; ``rows`` says whose each of them is."""

    tenant: str
    at: int
    rows: tuple[str, ...]


Record: TypeAlias = Sent | Answered | Seen | Delivered | Applied | Effect | Shown


def sent_event(event: NewEvent) -> SentEvent:
    """What is written down of an event to append; a tag given twice is stored once."""
    tags = tuple(dict.fromkeys(event.tags))
    return SentEvent(event.id.hex, _digest(event.type, event.version, tags, event.metadata, event.data), tags)


def seen_event(event: RecordedEvent) -> SeenEvent:
    """What is written down of an event that came back."""
    digest = _digest(event.type, event.version, event.tags, event.metadata, event.data)
    return SeenEvent(event.position, event.raw_id.hex(), digest)


def _digest(event_type: str, version: int, tags: tuple[str, ...], metadata: bytes, data: bytes) -> str:
    said = version.to_bytes(8, "big") + content(event_type, tags, metadata, data)
    return blake2b(said, digest_size=10).hexdigest()
