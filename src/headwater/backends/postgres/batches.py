"""A batch of requests as the arrays that ``append_batch`` takes, and its answer as outcomes. Read next: writer.py.

Requests go in runs. A run ends before a request whose condition may match what an earlier request of the run brings: so
the server can check and store each run as a set, and the outcome is as if requests came one after the other.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any, TypeAlias, TypeVar

import msgspec

from headwater.errors import DuplicateEventId
from headwater.event_store.protocol import AppendCondition, Appended, Conflict, EventQuery, NewEvent

SEPARATOR = "\x1f"
_BETWEEN_NAMES = "\x1e"
LARGEST = (1 << 63) - 1
_CONFLICT, _REPEAT = 1, 2
_ANYTHING: list[tuple[tuple[str, ...], tuple[str, ...]]] = [((), ())]

Append: TypeAlias = tuple[Sequence[NewEvent], AppendCondition | None]
"""A request to append: the events and their condition."""

H = TypeVar("H", bound=Hashable)


class Batch:
    """The columns of a batch. With ``warily`` each request is a run, and the server looks if its ids are stored."""

    def __init__(self, requests: Sequence[Append], *, warily: bool = False) -> None:
        number = len(requests)
        self._events = [event for events, _ in requests for event in events]
        self._tags = [tags[0] if len(tags := event.tags) == 1 else SEPARATOR.join(tags) for event in self._events]
        plain = _one_each(requests)
        self.items = plain or _many(requests)
        self.last_events: Sequence[int] = range(1, number + 1)
        if len(self._events) > number:
            self.last_events = [*accumulate([len(events) for events, _ in requests])]
        if warily:
            self.runs = [*range(1, number + 1)]
        elif not self.items.leads or (plain and plain.leads == self._tags and len(set(self._tags)) == number):
            self.runs = [number]  # each looks at nothing, or at the one tag of its own event, which no other has
        else:
            self.runs = _runs(requests)

    def arguments(self) -> tuple[Any, ...]:
        """What ``append_batch.sql`` binds, from the types on. A column that holds one value throughout has it once."""
        events, items = self._events, self.items
        names = [event.type for event in events]
        types = _numbered(names)
        return (
            list(types),
            [SEPARATOR.join(names) for names in items.sets],
            _numbers(self.runs),
            _numbers(self.last_events),
            _numbers(items.last),
            _numbers(_once([types[name] for name in names])),
            _numbers(_once([event.version for event in events])),
            [event.id for event in events],
            _BETWEEN_NAMES.join(self._tags),
            _once([event.metadata for event in events]),
            [event.data for event in events],
            _numbers(items.requests),
            _numbers(items.afters),
            _numbers(_once(items.kinds)),
            _BETWEEN_NAMES.join(items.leads),
            _BETWEEN_NAMES.join(items.others) if any(items.others) else "",
        )


class Items(msgspec.Struct):
    """The columns of the items of all conditions, and after each request how many there are so far."""

    last: Sequence[int]
    requests: Sequence[int]
    afters: list[int]
    sets: Mapping[tuple[str, ...], int]
    kinds: list[int]
    leads: list[str]
    others: list[str]


def _one_each(requests: Sequence[Append]) -> Items | None:
    """Where each request has a condition of one item with one tag, as most have."""
    conditions = [condition for _, condition in requests if condition is not None]
    items = [found[0] for condition in conditions if len(found := condition.fail_if.items) == 1]
    leads = [tags[0] for item in items if len(tags := item.tags) == 1]
    afters = [condition.after for condition in conditions]
    number = len(requests)
    if len(leads) < number or max(afters) > LARGEST:
        return None
    types = [item.types for item in items]
    sets = _numbered(types)
    places = range(1, number + 1)
    return Items(places, places, afters, sets, [sets[each] for each in types], leads, [])


def _many(requests: Sequence[Append]) -> Items:
    last: list[int] = []
    places: list[int] = []
    sets: dict[tuple[str, ...], int] = {}
    found = Items(last, places, [], sets, [], [], [])
    for place, (_, condition) in enumerate(requests, 1):
        if condition is not None:
            for types, tags in [(item.types, item.tags) for item in condition.fail_if.items] or _ANYTHING:
                places.append(place)
                found.afters.append(min(condition.after, LARGEST))
                found.kinds.append(sets.setdefault(types, len(sets) + 1))
                found.leads.append(tags[0] if tags else "")
                found.others.append(SEPARATOR.join(tags[1:]))
        last.append(len(places))
    return found


def _runs(requests: Sequence[Append]) -> list[int]:
    """The last request of each run."""
    ends: list[int] = []
    types: set[str] = set()
    tags: set[str] = set()
    for place, (events, condition) in enumerate(requests):
        if place and condition is not None and _may_match(condition.fail_if, types, tags):
            ends.append(place)
            types.clear()
            tags.clear()
        for event in events:
            types.add(event.type)
            tags.update(event.tags)
    return [*ends, len(requests)]


def _may_match(query: EventQuery, types: set[str], tags: set[str]) -> bool:
    """Whether an event of this run may match. It may say yes in vain, which costs time only."""
    return not query.items or any(
        tags.issuperset(item.tags) and (not item.types or not types.isdisjoint(item.types)) for item in query.items
    )


def _numbered(values: Sequence[H]) -> dict[H, int]:
    """A number for each that is different, from 1."""
    return {value: number for number, value in enumerate(dict.fromkeys(values), 1)}


def _once(values: list[H]) -> list[H]:
    """The values, or only the first if all are equal."""
    return values[:1] if len(set(values)) == 1 else values


def _numbers(values: Sequence[int]) -> str:
    return _counted(len(values)) if isinstance(values, range) else f"{{{','.join(map(str, values))}}}"


@lru_cache
def _counted(number: int) -> str:
    return f"{{{','.join(map(str, range(1, number + 1)))}}}"


def outcomes(batch: Batch, answer: Sequence[Any]) -> list[object]:
    """For each request what became of it: ``Appended``, ``Conflict`` or a ``DuplicateEventId``."""
    head, numbers, reasons, positions = answer
    if not numbers:
        return [Appended(head + before + 1, head + last) for before, last in pairwise((0, *batch.last_events))]
    refused: Mapping[int, tuple[int, int]] = dict(zip(numbers, zip(reasons, positions, strict=True), strict=True))
    made: list[object] = []
    for number, (before, last) in enumerate(pairwise((0, *batch.last_events)), 1):
        count = last - before
        if number in refused:
            made.append(_told(*refused[number], count))
        else:
            made.append(Appended(head + 1, head + count))
            head += count
    return made


def _told(reason: int, position: int, count: int) -> object:
    if reason == _CONFLICT:
        return Conflict(position)
    if reason == _REPEAT:
        return Appended(position, position + count - 1, replayed=True)
    return DuplicateEventId("an event id is stored already, in another append", remedy="give new events new ids")
