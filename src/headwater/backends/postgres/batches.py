"""A batch of requests as the arrays that ``append_batch`` takes, and its answer as outcomes. Read next: writer.py.

Requests go in runs. A run ends before a request whose condition may match what an earlier request of the run brings: so
the server can check and store each run as a set, and the outcome is as if requests came one after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any, TypeAlias

from headwater.errors import DuplicateEventId
from headwater.event_store.protocol import AppendCondition, Appended, Conflict, EventQuery, NewEvent, QueryItem

SEPARATOR = "\x1f"
_BETWEEN_NAMES = "\x1e"
_NO_ITEMS: tuple[tuple[Any, ...], ...] = ((), (), (), (), ())
LARGEST = (1 << 63) - 1
_CONFLICT, _REPEAT = 1, 2
_ANYTHING = (QueryItem(),)

Append: TypeAlias = tuple[Sequence[NewEvent], AppendCondition | None]
"""A request to append: the events and their condition."""


class Batch:
    """The arrays of a batch. With ``warily`` each request is a run, and the server looks whether its ids are stored."""

    def __init__(self, requests: Sequence[Append], *, warily: bool = False) -> None:
        self.types: dict[str, int] = {}
        self.sets: dict[tuple[str, ...], int] = {}
        self.runs: list[int] = []
        self.last_events: list[int] = []
        self.last_items: list[int] = []
        self.events: list[tuple[Any, ...]] = []
        self.items: list[tuple[Any, ...]] = []
        self._tags_in_run: set[str] = set()
        self._types_in_run: set[str] = set()
        for number, (events, condition) in enumerate(requests, 1):
            if number > 1 and (warily or (condition is not None and self._may_match(condition.fail_if))):
                self._end_run(number - 1)
            if condition is not None:
                self._add_condition(number, condition)
            self._add_events(events)
        self._end_run(len(requests))

    def arguments(self) -> tuple[Any, ...]:
        """What ``append_batch.sql`` binds, from the types on."""
        types, versions, ids, tags, metadata, data = zip(*self.events, strict=True)
        requests, afters, sets, leads, others = zip(*self.items, strict=True) if self.items else _NO_ITEMS
        return (
            list(self.types),
            [SEPARATOR.join(names) for names in self.sets],
            *map(_numbers, (self.runs, self.last_events, self.last_items, types, versions)),
            ids,
            _BETWEEN_NAMES.join(tags),
            metadata,
            data,
            *map(_numbers, (requests, afters, sets if len(self.sets) > 1 else ())),
            _BETWEEN_NAMES.join(leads),
            _BETWEEN_NAMES.join(others) if any(others) else "",
        )

    def _may_match(self, query: EventQuery) -> bool:
        """Whether an event of this run may match. It may say yes in vain, which costs time only."""
        types, tags = self._types_in_run, self._tags_in_run
        if not query.items:
            return True
        for item in query.items:
            if tags.issuperset(item.tags) and (not item.types or not types.isdisjoint(item.types)):
                return True
        return False

    def _end_run(self, last_request: int) -> None:
        self.runs.append(last_request)
        self._tags_in_run.clear()
        self._types_in_run.clear()

    def _add_condition(self, number: int, condition: AppendCondition) -> None:
        after, sets = min(condition.after, LARGEST), self.sets
        for item in condition.fail_if.items or _ANYTHING:
            known = sets.get(item.types) or sets.setdefault(item.types, len(sets) + 1)
            tags = item.tags
            others = SEPARATOR.join(tags[1:]) if len(tags) > 1 else ""
            self.items.append((number, after, known, tags[0] if tags else "", others))

    def _add_events(self, events: Sequence[NewEvent]) -> None:
        types, rows = self.types, self.events
        for event in events:
            name, tags = event.type, event.tags
            kind = types.get(name) or types.setdefault(name, len(types) + 1)
            self._types_in_run.add(name)
            self._tags_in_run.update(tags)
            joined = tags[0] if len(tags) == 1 else SEPARATOR.join(tags)
            rows.append((kind, event.version, event.id, joined, event.metadata, event.data))
        self.last_events.append(len(rows))
        self.last_items.append(len(self.items))


def _numbers(values: Iterable[int]) -> str:
    return f"{{{','.join(map(str, values))}}}"


def outcomes(batch: Batch, answer: Sequence[Any]) -> list[object]:
    """For each request what became of it: ``Appended``, ``Conflict`` or a ``DuplicateEventId``."""
    head, numbers, reasons, positions = answer
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
