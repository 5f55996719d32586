"""The answers of one query class that a process keeps, and those that are being made. Reads: freshness.py, shared.py.

Read next: cache.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from copy import copy
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import msgspec

from headwater.codec import Codec
from headwater.messages import Cache, Query
from headwater.queries.freshness import Basis, Standing
from headwater.queries.shared import Sealer
from headwater.read_models import Page

T = TypeVar("T")
Key: TypeAlias = tuple[str | None, str | None, bytes]
"""Whose answer it is (tenant, scope), and to what (the query as JSON, in one fixed order)."""


class Wish(msgspec.Struct, frozen=True):
    """Who asks, and how fresh the answer must be: it includes ``after``; ``exact`` allows nothing to be late."""

    actor: str | None = None
    tenant: str | None = None
    after: int | None = None
    exact: bool = False


class Question(Protocol):
    """A query class as the cache sees it: how it is cached, and how an answer is made."""

    @property
    def query(self) -> type[Query[Any]]:
        """The class."""
        ...

    @property
    def rules(self) -> Cache | None:
        """How its answers are kept."""
        ...

    @property
    def projections(self) -> tuple[str, ...]:
        """Which projections it reads."""
        ...

    @property
    def facts(self) -> tuple[Any, ...]:
        """What tells its answers from those of another release."""
        ...

    @property
    def answer_type(self) -> Any:
        """What it is answered with."""
        ...

    def traced(self, query: Query[Any]) -> Awaitable[tuple[Any, Basis]]:
        """Answer it, and say what from."""
        ...


_OPEN = (list, dict, set)


class Entry:
    """A kept answer. ``held_at`` is when it was last known to hold, ``made_at`` when it was made, by the same clock.

    ``standing`` is what it was last held against: read stores give the same again as long as nothing has moved.
    """

    __slots__ = ("_body", "_value", "basis", "held_at", "made_at", "standing")

    def __init__(self, value: Any, basis: Basis, made_at: float, body: bytes | None = None) -> None:
        self._value = value
        self._body = body
        self.basis = basis
        self.standing: Standing | None = None
        self.made_at = self.held_at = made_at

    @property
    def value(self) -> Any:
        """The answer, for one who asked."""
        return handed(self._value)

    def json(self, codec: Codec) -> bytes:
        """The answer as JSON, encoded once."""
        if self._body is None:
            self._body = codec.encode(self._value)
        return self._body

    def hold(self, basis: Basis, standing: Standing, at: float) -> None:
        """It was found to hold when the projections stood there."""
        self.basis = basis
        self.standing = standing
        self.held_at = max(self.held_at, at)


def handed(value: Any) -> Any:
    """An answer for one of several: what he does to a list that it is does not show to others. Rows are frozen."""
    if value.__class__ is Page:
        return msgspec.structs.replace(value, items=list(value.items))
    return copy(value) if value.__class__ in _OPEN else value


class Flight(Generic[T]):
    """What is being made for all who wait for it, such as an answer. ``turn`` says who asked before it was begun."""

    __slots__ = ("_forget", "_is_wanted", "_waiting", "task", "turn")

    def __init__(self, turn: int, task: asyncio.Task[T], forget: Callable[[], object]) -> None:
        self.turn = turn
        self.task = task
        self._forget = forget
        self._waiting = 0
        self._is_wanted = False

    def keep_going(self) -> None:
        """Make it even if nobody waits for it."""
        self._is_wanted = True

    async def join(self) -> T:
        """What was made. When the last who waits gives up, so does who makes it."""
        self._waiting += 1
        try:
            return await asyncio.shield(self.task)
        finally:
            self._waiting -= 1
            if not self._waiting and not self._is_wanted and not self.task.done():
                self._forget()
                self.task.cancel()


class Shelf:
    """Entries, the one that was asked for the longest ago first, and flights."""

    def __init__(self, question: Question, rules: Cache, sealer: Sealer | None) -> None:
        self.question = question
        self.rules = rules
        self.sealer = sealer
        self.flights: dict[Key, Flight[Entry]] = {}
        self._entries: dict[Key, Entry] = {}

    @property
    def entries(self) -> int:
        """How many are kept."""
        return len(self._entries)

    def kept(self, key: Key, now: float) -> Entry | None:
        """The entry of that key, unless it has come to its end."""
        entry = self._entries.pop(key, None)
        if entry is None or (self.rules.ttl is not None and now - entry.made_at > self.rules.ttl):
            return None
        self._entries[key] = entry
        return entry

    def keep(self, key: Key, entry: Entry) -> None:
        """Keep an entry, and let the one go that was not asked for the longest."""
        self._entries.pop(key, None)
        self._entries[key] = entry
        if len(self._entries) > self.rules.size:
            del self._entries[next(iter(self._entries))]
