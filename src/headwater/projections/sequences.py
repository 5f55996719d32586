"""Which rows an event is about, also where it cannot be applied or not even decoded. Reads: read_models.py, tables.py.

Read next: folding.py. What one row goes through is a sequence; it is told by the row's key, so that what fails for one
row holds up no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from headwater.event_store.protocol import RecordedEvent
from headwater.messages import Event, Recorded, contract_of
from headwater.read_models import ProjectionPlan, key_fields
from headwater.read_store.tables import RowKey, Table
from headwater.row_handlers import EventHandler, field_key

SEVERAL = (list, set, frozenset)
"""What a handler's ``key`` may return for several rows."""


class Happening(Protocol):
    """An event as the feed gives it."""

    @property
    def position(self) -> int:
        """Where it stands in the log."""
        ...

    @property
    def type(self) -> str:
        """The name it is stored under."""
        ...

    @property
    def event(self) -> Event | None:
        """The event; ``None`` if it could not be decoded, then ``recorded`` says why."""
        ...

    @property
    def raw(self) -> RecordedEvent:
        """The event as it is stored."""
        ...

    @property
    def recorded(self) -> Recorded[Any]:
        """The event with position, time and metadata. Raises ``UndecodableEvent``."""
        ...


class Sequences:
    """The sequences of one projection."""

    def __init__(self, plan: ProjectionPlan, table: Table) -> None:
        self._table = table
        self._handlers = {event: handler for event, (handler,) in plan.handlers.items()}
        self._fields = key_fields(table.model)
        self._by_name: dict[str, EventHandler] = {}
        for event, handler in self._handlers.items():
            contract = contract_of(event)
            self._by_name |= dict.fromkeys((contract.name, *contract.aliases), handler)

    def keys_of(self, fact: Happening) -> list[RowKey] | None:
        """The keys of the rows that the event is about; ``None`` if nobody can tell."""
        try:
            return self._keys_of_event(fact) if fact.event is not None else self._keys_of_json(fact)
        except Exception:  # noqa: BLE001  code of the user, or whatever stands in the log: it cannot be told
            return None

    def _keys_of_event(self, fact: Happening) -> list[RowKey] | None:
        handler = self._handlers.get(type(fact.event)) if fact.event is not None else None
        if handler is None:
            return []
        key = handler.key
        if key is None:  # it makes new rows; mostly the one whose key the event names
            if not self._is_named(handler):
                return None
            key = field_key(self._fields, envelope=False)
            return self._stored(key(fact.event))
        return self._stored(key(fact.recorded if handler.wants_envelope else fact.event))

    def _keys_of_json(self, fact: Happening) -> list[RowKey] | None:
        """The fields named like the key, as they stand in the JSON of an event that does not fit its class."""
        handler = self._by_name.get(fact.type)
        if handler is None:
            return []
        if not self._is_named(handler) or not self._is_by_fields(handler):
            return None
        fields: dict[str, Any] = msgspec.json.decode(fact.raw.data)
        known = {field.name: field for field in msgspec.structs.fields(handler.event)}
        wanted = [known[name] for name in self._fields]
        values: list[Any] = [msgspec.convert(fields[field.encode_name], field.type) for field in wanted]
        return self._stored(tuple(values) if len(values) > 1 else values[0])

    def _is_named(self, handler: EventHandler) -> bool:
        return all(field in handler.event.__struct_fields__ for field in self._fields)

    def _is_by_fields(self, handler: EventHandler) -> bool:
        """Whether the key is read from the event's fields of that name, rather than made by a function of the user."""
        plain = field_key(self._fields, envelope=handler.wants_envelope)
        return handler.key is None or repr(handler.key) == repr(plain)

    def _stored(self, found: Any) -> list[RowKey]:
        if found is None:
            return []
        if type(found) in SEVERAL:
            return list(dict.fromkeys(map(self._table.stored_key, found)))
        return [self._table.stored_key(found)]


def only(keys: Sequence[RowKey] | None) -> RowKey | None:
    """The key, if there is exactly one."""
    return keys[0] if keys is not None and len(keys) == 1 else None
