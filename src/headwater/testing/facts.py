"""Events as a log would hold them, without a log: encoded, tagged, numbered, dated. Pure.

Reads: codec.py, clock.py. Read next: scenarios.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec

from headwater.catalogue import Catalogue
from headwater.codec import Codec
from headwater.errors import ContractError
from headwater.event_store.protocol import ALL, EventQuery, RecordedEvent
from headwater.followers.feed import Fact, facts_of
from headwater.messages import Event, Metadata, Recorded
from headwater.testing.clock import in_utc

Happened: TypeAlias = "Event | tuple[Event, datetime] | Recorded[Any]"
"""What happened: an event, an event and when it was recorded, or a ``Recorded`` with its metadata as well."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class History(msgspec.Struct, frozen=True):
    """What happened so far. ``and_then`` gives a longer history and leaves this one as it is."""

    records: tuple[RecordedEvent, ...] = ()
    types: frozenset[type[Event]] = frozenset()

    def and_then(self, happened: Iterable[Happened], now: datetime) -> History:
        """A longer history; events without a time of their own were recorded ``now``.

        Raises ``ContractError`` for what is no event, or is not the same event after it was stored and read again.
        """
        happenings = [happening_of(item, now) for item in happened]
        types = self.types | {type(happening.event) for happening in happenings}
        codec = _codec(types)
        records = list(self.records)
        for happening in happenings:
            record = _record(codec, happening, len(records) + 1)
            _same_again(codec, happening.event, record)
            records.append(record)
        return History(tuple(records), types)

    def recorded(self, query: EventQuery = ALL) -> Iterator[Recorded[Event]]:
        """The events that a query finds, decoded, in order."""
        codec = _codec(self.types)
        for record in self.records:
            if query.matches(record.type, record.tags):
                yield codec.recorded(record)

    def facts(self, types: frozenset[str]) -> list[Fact]:
        """The events stored under these names, as projections are given them."""
        return facts_of(self.records, types, _codec(self.types))

    @property
    def events(self) -> tuple[Event, ...]:
        """All the events, decoded, in order."""
        return tuple(recorded.event for recorded in self.recorded())

    @property
    def position(self) -> int:
        """The position of the last event, 0 if nothing happened yet."""
        return len(self.records)


class Happening(msgspec.Struct, frozen=True):
    """An event, when it was recorded (in UTC), and what travels with it."""

    event: Event
    recorded_at: datetime
    metadata: Metadata


def happening_of(item: object, now: datetime) -> Happening:
    """What a test gave, in full. Raises ``ContractError`` if it is nothing that can have happened."""
    match item:
        case Event():
            return Happening(item, now, Metadata())
        case (Event() as event, datetime() as recorded_at):
            return Happening(event, in_utc(recorded_at), Metadata())
        case Recorded(event=Event() as event, recorded_at=datetime() as recorded_at, metadata=Metadata() as metadata):
            return Happening(event, in_utc(recorded_at), metadata)
        case _:
            raise ContractError(
                f"{item!r} is nothing that happened", remedy="give an event, (event, recorded_at), or a Recorded"
            )


@lru_cache(maxsize=64)
def _codec(types: frozenset[type[Event]]) -> Codec:
    """A codec of these types alone. Its catalogue may lack upcasters: what is given is of today's version."""
    return Codec(Catalogue.of(types))


def _record(codec: Codec, happening: Happening, position: int) -> RecordedEvent:
    new = codec.encode_event(happening.event, codec.encode_metadata(happening.metadata))
    recorded_us = (happening.recorded_at - _EPOCH) // _MICROSECOND
    return RecordedEvent(position, new.type, new.version, new.data, new.tags, new.metadata, new.id.bytes, recorded_us)


def _same_again(codec: Codec, event: Event, record: RecordedEvent) -> None:
    again = codec.recorded(record).event
    if again != event:
        raise ContractError(
            f"{event!r} is {again!r} after it was stored and read again",
            remedy="use field types that survive JSON, and an equality that holds between copies",
            stored=record.data,
        )
