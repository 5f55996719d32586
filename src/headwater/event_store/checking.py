"""What every store refuses before it does anything. Reads: protocol.py. Read next: memory.py.

One append must never fail another one, so whatever could make the storage choke is found here, in the caller's turn.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

import msgspec

from headwater.errors import DuplicateEventId, InvalidAppend
from headwater.event_store.protocol import ALL, AppendCondition, EventQuery, NewEvent

EVENTS_PER_APPEND = 100_000
BYTES_PER_APPEND = 512 << 20
TAGS_PER_EVENT = 256
DATA_BYTES = 64 << 20
_LAST_POSITION = (1 << 63) - 1
_NAME_LENGTH = 1_024
_PLAIN_NAME_LENGTH = 600
"""So many characters are few enough for every store, however many bytes each of them takes."""
_VERSIONS = 1 << 31
_UNSTORABLE = {"Cc", "Cs"}
BYTES_BESIDES_PAYLOAD = 256
"""What an event costs besides data and metadata, so that many small events are not taken for little."""


def checked(
    events: Sequence[NewEvent], condition: AppendCondition | None, *, name_bytes: int = 4 * _NAME_LENGTH
) -> tuple[Sequence[NewEvent], int]:
    """The same as ``checked_events`` for an append on a condition. Raises ``InvalidAppend`` for the condition, too."""
    if condition is not None:
        check_condition(condition)
    return checked_events(events, name_bytes)


def checked_events(events: Sequence[NewEvent], name_bytes: int = 4 * _NAME_LENGTH) -> tuple[Sequence[NewEvent], int]:
    """The events as they may be stored, repeated tags of an event being dropped; and what they cost in bytes.

    ``name_bytes`` is how much of a type or a tag the store can hold, 2,400 bytes or more. Raises ``InvalidAppend`` and,
    if one id is used twice, ``DuplicateEventId``.
    """
    given = _as_sequence(events)
    if len(given) == 1:
        size = _plain_size(given[0])
        if size >= 0:
            return given, size
    _check_many(given)
    found = [event if _plain_size(event) >= 0 else _slowly_checked(event, name_bytes) for event in given]
    size = sum([_size(event) for event in found])
    if size > BYTES_PER_APPEND:
        raise InvalidAppend(f"an append of more than {BYTES_PER_APPEND >> 20} MiB", remedy="append in several steps")
    return found, size


def checked_encoded(events: Sequence[NewEvent], name_bytes: int = 4 * _NAME_LENGTH) -> tuple[Sequence[NewEvent], int]:
    """The same for events that ``Codec.encode_event`` made, of which only tags and size are anybody's guess."""
    if len(events) == 1:
        event = events[0]
        tags = event.tags
        if len(tags) == 1 and 0 < len(tag := tags[0]) <= _PLAIN_NAME_LENGTH and tag.isprintable():
            payload = len(event.data) + len(event.metadata)
            if payload <= DATA_BYTES:
                return events, payload + BYTES_BESIDES_PAYLOAD
    return checked_events(events, name_bytes)


def check_condition(condition: Any) -> None:
    """Refuse what is no condition. Raises ``InvalidAppend``."""
    if not isinstance(condition, AppendCondition):
        raise InvalidAppend(f"a condition is an AppendCondition, not {type(condition).__name__}")
    _check_position("the condition's after", condition.after)
    if condition.fail_if is not ALL:
        check_query(condition.fail_if)


def check_query(query: EventQuery) -> None:
    """Refuse what is no query. Raises ``InvalidAppend``."""
    given: Any = query
    if not isinstance(given, EventQuery):
        raise InvalidAppend(f"a query is an EventQuery, not {type(given).__name__}")
    try:
        _check_items(query)
    except (AttributeError, TypeError) as error:
        raise InvalidAppend(
            f"{query} is no query: {error}", remedy="make it with EventQuery.of(types=, tags=)"
        ) from error


def _check_items(query: EventQuery) -> None:
    for item in query.items:
        if not item.types and not item.tags:
            raise InvalidAppend("a query item needs a type or a tag", remedy="use ALL for every event")
        for name in item.tags:
            if type(name) is not str or not name or not name.isprintable():
                _check_name("tag", name)
        _check_types(tuple(item.types))


@lru_cache(maxsize=1_024)
def _check_types(names: tuple[str, ...]) -> None:
    """The types of a query, which are the same few lists again and again. A list with a fault is not remembered."""
    for name in names:
        _check_name("type", name)


def check_reading(query: EventQuery, after: int, limit: int | None) -> None:
    """Refuse a read that makes no sense. Raises ``InvalidAppend``."""
    check_query(query)
    _check_position("after", after)
    if limit is not None:
        _check_position("limit", limit)


def _check_position(what: str, value: int) -> None:
    if type(value) is not int or not 0 <= value <= _LAST_POSITION:
        raise InvalidAppend(f"{what} is a whole number from 0 to {_LAST_POSITION}, not {value!r}")


def _plain_size(event: NewEvent) -> int:
    """What an event costs in bytes that passes a quick check, as most do; ``-1`` asks for the slow one."""
    tags = event.tags if type(event) is NewEvent else None
    if type(tags) is not tuple or len(tags) > TAGS_PER_EVENT:
        return -1
    for tag in tags:
        if type(tag) is not str or not tag or len(tag) > _PLAIN_NAME_LENGTH or not tag.isprintable():
            return -1
    if len(tags) > 1 and len(set(tags)) < len(tags):
        return -1
    data, metadata, name = event.data, event.metadata, event.type
    if (
        type(data) is bytes
        and type(metadata) is bytes
        and type(event.id) is UUID
        and type(event.version) is int
        and 0 < event.version < _VERSIONS
        and type(name) is str
        and 0 < len(name) <= _PLAIN_NAME_LENGTH
        and name.isprintable()
        and (size := len(data) + len(metadata)) <= DATA_BYTES
    ):
        return size + BYTES_BESIDES_PAYLOAD
    return -1


def _size(event: NewEvent) -> int:
    return len(event.data) + len(event.metadata) + BYTES_BESIDES_PAYLOAD


def _as_sequence(events: Any) -> Sequence[NewEvent]:
    if type(events) is list or type(events) is tuple:
        return cast("Sequence[NewEvent]", events)
    if isinstance(events, NewEvent):
        raise InvalidAppend("append takes a sequence of events", remedy="write append([event])")
    try:
        return list(events)
    except TypeError as error:
        raise InvalidAppend(f"append takes a sequence of events, not {type(events).__name__}") from error


def _check_many(events: Sequence[NewEvent]) -> None:
    if not events:
        raise InvalidAppend("an append needs at least one event")
    if len(events) > EVENTS_PER_APPEND:
        raise InvalidAppend(f"an append of more than {EVENTS_PER_APPEND} events", remedy="append in several steps")
    ids = [event.id for event in events if isinstance(cast("object", event), NewEvent)]
    if len(set(ids)) < len(ids):
        raise DuplicateEventId("two events of one append have the same id", remedy="give each event its own id")


def _slowly_checked(event: NewEvent, name_bytes: int) -> NewEvent:
    """The complete check of one event, which is returned with each tag once."""
    given: Any = event
    if not isinstance(given, NewEvent):
        raise InvalidAppend(f"an event to append is a NewEvent, not {type(given).__name__}")
    _check_name("type", event.type)
    _check_kind(event, "data", bytes)
    _check_kind(event, "metadata", bytes)
    _check_kind(event, "tags", tuple)
    _check_kind(event, "id", UUID)
    _check_kind(event, "version", int)
    for tag in event.tags:
        _check_name("tag", tag)
    if not 0 < event.version < _VERSIONS:
        raise InvalidAppend(f"{event.type} has version {event.version}; versions count from 1")
    if len(event.data) + len(event.metadata) > DATA_BYTES:
        raise InvalidAppend(f"{event.type} has more than {DATA_BYTES >> 20} MiB of data", remedy="store a reference")
    tags = tuple(dict.fromkeys(event.tags))
    if len(tags) > TAGS_PER_EVENT:
        raise InvalidAppend(f"{event.type} has more than {TAGS_PER_EVENT} tags")
    for what, name in (("type", event.type), *(("tag", tag) for tag in tags)):
        if (length := len(name.encode())) > name_bytes:
            raise InvalidAppend(f"a {what} has at most {name_bytes} bytes in this store, not {length}")
    return msgspec.structs.replace(event, tags=tags)


def _check_kind(event: NewEvent, field: str, kind: type) -> None:
    value: object = getattr(event, field)
    if not isinstance(value, kind):
        raise InvalidAppend(f"{field} of {event.type} must be {kind.__name__}, not {type(value).__name__}")


def _check_name(what: str, name: Any) -> None:
    if not isinstance(name, str):
        raise InvalidAppend(f"a {what} is text, not {type(name).__name__}")
    if not 0 < len(name) <= _NAME_LENGTH:
        raise InvalidAppend(f"a {what} has 1 to {_NAME_LENGTH} characters, not {len(name)}")
    if any(unicodedata.category(character) in _UNSTORABLE for character in name):
        raise InvalidAppend(f"the {what} {name!r} holds a control character or half a surrogate pair")
