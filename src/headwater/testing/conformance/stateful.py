"""A store against a model of ten lines, driven by Hypothesis. Reads: samples.py. Read next: event_store.py."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from headwater.errors import DuplicateEventId
from headwater.event_store.protocol import (
    ALL,
    AppendCondition,
    Appended,
    Capabilities,
    Conflict,
    EventQuery,
    EventStore,
    NewEvent,
    QueryItem,
    RecordedEvent,
    Snapshot,
)

T = TypeVar("T")

types = st.sampled_from(("A", "B", "C", "D"))
tags = st.sampled_from(("x", "y", "z", "u:1"))
tag_sets = st.lists(tags, max_size=3, unique=True).map(tuple)
new_events = st.builds(NewEvent, type=types, data=st.binary(max_size=20), tags=tag_sets)
batches = st.lists(new_events, min_size=1, max_size=4)
items = st.one_of(
    st.builds(QueryItem, types=st.lists(types, min_size=1, max_size=3, unique=True).map(tuple), tags=tag_sets),
    st.builds(QueryItem, tags=st.lists(tags, min_size=1, max_size=3, unique=True).map(tuple)),
)
queries = st.lists(items, max_size=3).map(lambda made: EventQuery(tuple(made)))
backs = st.integers(min_value=-2, max_value=6)


class Model:
    """The log as a list, and what each verb must answer."""

    def __init__(self) -> None:
        self.log: list[NewEvent] = []

    def matching(self, query: EventQuery, after: int = 0) -> list[int]:
        """Positions of the matching events after that one."""
        return [p for p, e in enumerate(self.log, 1) if p > after and query.matches(e.type, e.tags)]

    def append(self, events: Sequence[NewEvent], condition: AppendCondition | None) -> Appended | set[int] | None:
        """The success, the positions that a conflict may name, or ``None`` for a duplicate id."""
        stored = [p for new in events for p, old in enumerate(self.log, 1) if old.id == new.id]
        if stored:
            first = stored[0]
            whole = stored == list(range(first, first + len(events)))
            return Appended(first, first + len(events) - 1, replayed=True) if whole else None
        if condition is not None and (found := self.matching(condition.fail_if, condition.after)):
            return set(found)
        self.log += events
        return Appended(len(self.log) - len(events) + 1, len(self.log))


class EventStoreMachine(RuleBasedStateMachine):
    """Appends, repeats, races, reads and re-openings in any order: the store answers what the model answers."""

    capabilities: Capabilities

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.model = Model()
        self.snapshots: dict[str, Snapshot] = {}
        self._enter()

    def open(self) -> AbstractAsyncContextManager[EventStore]:
        """The store of this run; the same log each time, if it is durable."""
        raise NotImplementedError

    def _enter(self) -> None:
        self.opened = self.open()
        self.store = self._run(self.opened.__aenter__())

    def _leave(self) -> None:
        self._run(self.opened.__aexit__(None, None, None))

    def _run(self, awaitable: Awaitable[T]) -> T:
        async def wait() -> T:
            return await awaitable

        return self.runner.run(wait())

    def teardown(self) -> None:
        """Close the store and its loop."""
        self._leave()
        self.runner.close()

    @rule(events=batches, query=st.none() | queries, back=backs)
    def append(self, events: list[NewEvent], query: EventQuery | None, back: int) -> None:
        """An append, on a condition whose ``after`` lies around the head."""
        self._append(events, self._condition(query, back))

    @precondition(lambda self: len(self.model.log) > 0)
    @rule(data=st.data(), query=st.none() | queries, back=backs)
    def append_again(self, data: st.DataObject, query: EventQuery | None, back: int) -> None:
        """A run of stored events is sent again, perhaps with a new one or shuffled."""
        start = data.draw(st.integers(0, len(self.model.log) - 1))
        events = self.model.log[start : start + data.draw(st.integers(1, 3))]
        if data.draw(st.booleans()):
            events = data.draw(st.permutations([*events, *data.draw(st.lists(new_events, max_size=1))]))
        self._append(events, self._condition(query, back))

    @rule(racers=st.lists(st.tuples(batches, st.none() | queries, backs), min_size=2, max_size=6))
    def append_at_once(self, racers: list[tuple[list[NewEvent], EventQuery | None, int]]) -> None:
        """Appends of one turn are answered as if they came one after the other."""
        asked = [(events, self._condition(query, back)) for events, query, back in racers]

        async def race() -> list[Any]:
            return await asyncio.gather(*(self.store.append(*one) for one in asked), return_exceptions=True)

        for (events, condition), outcome in zip(asked, self._run(race()), strict=True):
            self._judge(self.model.append(events, condition), outcome)

    @rule(query=queries, after=st.integers(0, 12), limit=st.none() | st.integers(0, 5), backwards=st.booleans())
    def read(self, query: EventQuery, after: int, limit: int | None, backwards: bool) -> None:  # noqa: FBT001
        """A read finds what the model finds."""
        found = self._run(self.store.read(query, after=after, limit=limit, backwards=backwards))
        wanted = self.model.matching(query, after)
        wanted = (wanted[::-1] if backwards else wanted)[:limit]
        assert [recorded.position for recorded in found.events] == wanted
        assert found.head == len(self.model.log)

    @rule(key=st.sampled_from("ab"), state=st.binary(max_size=10))
    def save_snapshot(self, key: str, state: bytes) -> None:
        """The last snapshot of a key is the one that is loaded."""
        self.snapshots[key] = Snapshot(len(self.model.log), "v1", state)
        self._run(self.store.save_snapshot(key, self.snapshots[key]))
        assert self._run(self.store.load_snapshot(key)) == self.snapshots[key]

    @precondition(lambda self: self.capabilities.durable)
    @rule()
    def open_again(self) -> None:
        """A durable store is the same after it was closed and opened."""
        self._leave()
        self._enter()
        for key, snapshot in self.snapshots.items():
            assert self._run(self.store.load_snapshot(key)) == snapshot

    @invariant()
    def the_log_is_that_of_the_model(self) -> None:
        """Every event stands where it should, unchanged."""
        assert [_as_new(e) for e in self._run(self.store.read(ALL)).events] == self.model.log

    def _condition(self, query: EventQuery | None, back: int) -> AppendCondition | None:
        return None if query is None else AppendCondition(query, max(0, len(self.model.log) - back))

    def _append(self, events: Sequence[NewEvent], condition: AppendCondition | None) -> None:
        wanted = self.model.append(events, condition)
        try:
            outcome: object = self._run(self.store.append(events, condition))
        except DuplicateEventId as error:
            outcome = error
        self._judge(wanted, outcome)

    def _judge(self, wanted: Appended | set[int] | None, outcome: object) -> None:
        if wanted is None:
            assert isinstance(outcome, DuplicateEventId)
        elif isinstance(wanted, Appended):
            assert outcome == wanted
        else:
            assert isinstance(outcome, Conflict)
            assert outcome.position in wanted


def _as_new(recorded: RecordedEvent) -> NewEvent:
    return NewEvent(
        recorded.type, recorded.data, recorded.tags, recorded.id, version=recorded.version, metadata=recorded.metadata
    )
