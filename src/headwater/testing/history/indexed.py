"""The log under judgement, so indexed that each rule is linear. Reads: journal.py. Read next: checker.py."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

import msgspec

from headwater.event_store.protocol import EventQuery, QueryItem, RecordedEvent
from headwater.testing.history.journal import Append
from headwater.testing.history.records import SeenEvent, seen_event

_WINDOW = 1_024


class Violation(msgspec.Struct, frozen=True):
    """A broken promise: the rule's slug, what was found, and where in the log if it has a place there."""

    rule: str
    detail: str
    position: int = 0

    def __str__(self) -> str:
        return f"{self.rule}: {self.detail}" + (f" (position {self.position})" if self.position else "")


class Placed(msgspec.Struct, frozen=True):
    """An append, and where its events stand in the log: 0 for one that does not."""

    append: Append
    places: tuple[int, ...]

    @property
    def is_stored(self) -> bool:
        """Whether any of it is in the log."""
        return any(self.places)

    @property
    def name(self) -> str:
        """How a violation calls it."""
        return self.append.attempts[0][0].operation


class Log:
    """The whole log as it was read at the end, and the appends that should have made it."""

    def __init__(self, events: Sequence[RecordedEvent], appends: Iterable[Append]) -> None:
        self.events = events
        self.at = {event.position: event for event in events}
        self.head = max(self.at, default=0)
        self.seen = {event.position: seen_event(event) for event in events}
        self._place_of = {seen.id: position for position, seen in reversed(self.seen.items())}
        self._by_tag: dict[str, list[int]] = {}
        self._by_type: dict[str, list[int]] = {}
        for position in sorted(self.at):
            event = self.at[position]
            self._by_type.setdefault(event.type, []).append(position)
            for tag in event.tags:
                self._by_tag.setdefault(tag, []).append(position)
        self.appends = self._placed(list(appends))
        self.append_at = {place: each for each in self.appends for place in each.places if place}
        self.inside = {place for each in self.appends for place in each.places[:-1] if place}

    def matching(self, query: EventQuery, after: int, until: int) -> list[int]:
        """The positions after ``after`` and up to ``until`` at which an event matches."""
        if not query.items:
            return [position for position in range(after + 1, min(until, self.head) + 1) if position in self.at]
        found = {position for item in query.items for position in self._of_item(item, after, until)}
        return sorted(found)

    def chosen(self, query: EventQuery, after: int, until: int, limit: int | None, *, backwards: bool) -> list[int]:
        """What a read must bring. With a limit, a window is searched that grows until enough is found."""
        if limit is None:
            found = self.matching(query, after, until)
            return found[::-1] if backwards else found
        window, until = _WINDOW, min(until, self.head)
        while True:
            low, high = (max(after, until - window), until) if backwards else (after, min(until, after + window))
            found = self.matching(query, low, high)
            if len(found) >= limit or (low == after and high == until):
                return (found[::-1] if backwards else found)[:limit]
            window *= 4

    def _placed(self, appends: Sequence[Append]) -> list[Placed]:
        """An id that was sent in several appends belongs to the one that was acknowledged, or else may be stored."""
        owner: dict[str, Append] = {}
        for append in sorted(appends, key=lambda append: (not append.stored, not append.effective)):
            for event in append.events:
                owner.setdefault(event.id, append)
        return [
            Placed(
                append,
                tuple(self._place_of.get(event.id, 0) if owner[event.id] is append else 0 for event in append.events),
            )
            for append in appends
        ]

    def _of_item(self, item: QueryItem, after: int, until: int) -> Iterable[int]:
        lists = [self._by_tag.get(tag, []) for tag in item.tags]
        if lists:
            candidates = _between(min(lists, key=len), after, until)
            if len(lists) == 1 and not item.types:
                return candidates
            only = EventQuery((item,))
            return [place for place in candidates if only.matches(self.at[place].type, self.at[place].tags)]
        return [place for name in item.types for place in _between(self._by_type.get(name, []), after, until)]


def unlike(log: Log, seen: Sequence[SeenEvent], expected: Sequence[int], what: str) -> list[Violation]:
    """How what somebody saw differs from what the log says they must have seen."""
    if [event.position for event in seen] == list(expected) and all(log.seen[e.position] == e for e in seen):
        return []
    changed = [event for event in seen if log.seen.get(event.position) != event]
    if changed:
        place = changed[0].position
        return [Violation("changed", f"{what} brought another event than the log has now", place)]
    missing = sorted(set(expected) - {event.position for event in seen})
    if missing:
        return [Violation("skipped", f"{what} left out {len(missing)} event(s)", missing[0])]
    places = [event.position for event in seen]
    return [Violation("surplus", f"{what} brought {places[:10]} where {list(expected[:10])} were due")]


def _between(places: list[int], after: int, until: int) -> list[int]:
    return places[bisect_right(places, after) : bisect_right(places, until)]
