"""The log, decoded once for all followers of a process. Reads: codec.py, event_store/. Read next: consumer.py."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from headwater.codec import Codec
from headwater.errors import MessageError
from headwater.event_store.protocol import RecordedEvent
from headwater.messages import Event, Recorded


class Fact:
    """A stored event and what it was decoded to; ``error`` says why that was not possible."""

    __slots__ = ("_codec", "_recorded", "error", "event", "raw")

    def __init__(self, raw: RecordedEvent, event: Event | None, error: MessageError | None, codec: Codec) -> None:
        self.raw = raw
        self.event = event
        self.error = error
        self._codec = codec
        self._recorded: Recorded[Event] | None = None

    @property
    def position(self) -> int:
        """Where it stands in the log."""
        return self.raw.position

    @property
    def type(self) -> str:
        """The name it is stored under."""
        return self.raw.type

    @property
    def recorded(self) -> Recorded[Event]:
        """The event with position, time and metadata, made once for all who want it. Raises ``UndecodableEvent``."""
        if self._recorded is None:
            raw, event = self.raw, self.event
            if event is None:
                return self._codec.recorded(raw)
            self._recorded = Recorded(event, raw.position, raw.recorded_at, self._codec.metadata_of(raw))
        return self._recorded


def facts_of(events: Iterable[RecordedEvent], wanted: frozenset[str], codec: Codec) -> list[Fact]:
    """Decode the events of the wanted types; the others are left out."""
    made: list[Fact] = []
    decode = codec.decode
    for raw in events:
        if raw.type in wanted:
            try:
                made.append(Fact(raw, decode(raw), None, codec))
            except MessageError as error:
                made.append(Fact(raw, None, error, codec))
    return made


def after(facts: Sequence[Fact], position: int) -> Sequence[Fact]:
    """The facts beyond that position; mostly all of them."""
    if not facts or facts[0].position > position:
        return facts
    return [fact for fact in facts if fact.position > position]
