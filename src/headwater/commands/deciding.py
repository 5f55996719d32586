"""One command at its boundary, step by step; nothing here waits. Reads: routing.py, boundaries.py, loading.py.

Both ways of carrying out a command take these steps: the coroutine, which awaits what lies between them, and the call,
which is called back. Read next: executor.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from headwater.codec import Codec
from headwater.commands.boundaries import Boundary
from headwater.commands.loading import Loader
from headwater.commands.routing import Route
from headwater.errors import EvolutionError, ExpectationFailed, FieldError, InvalidMessage
from headwater.event_store.protocol import AppendCondition, Appended, EventQuery, NewEvent
from headwater.messages import Command, Event, Receipt

Request: TypeAlias = "tuple[list[NewEvent], AppendCondition | None]"
"""What an event store is asked to append."""

_NOTHING: Request = ([], None)

Expected: TypeAlias = int | list[int] | range
"""A position after which a boundary must not have changed, or some of which any will do."""
CHANGED = range(1, 1 << 63)
"""There has to be a change, wherever it is."""


class Terms(msgspec.Struct, frozen=True):
    """What an append carries besides its events: encoded metadata, and with an idempotency key its tag and digest."""

    metadata: bytes
    tags: tuple[str, ...] = ()
    key_query: EventQuery | None = None
    digest: str = ""


class Station(msgspec.Struct, frozen=True):
    """What all commands of one type are decided with."""

    route: Route
    loader: Loader
    codec: Codec
    now: Callable[[], datetime]
    services: Mapping[Any, Any]


class Decision(msgspec.Struct, gc=False):
    """A command that has its turn at a boundary."""

    station: Station
    boundary: Boundary
    command: Command
    terms: Terms
    expect: Expected | None = None
    is_loaded: bool = False
    is_fresh: bool = False
    """Whether the state was read for this command, so that what it refuses is refused for good."""
    is_read_as_expected: bool = False
    """Whether the log was read as far as the caller knows it, or to its end."""
    events: list[Event] = []
    """As they will be read."""
    request: Request = _NOTHING

    def start(self) -> None:
        """Have a state to decide on: then it ``is_loaded``; or one to load into."""
        boundary = self.boundary
        loader = self.station.loader
        if boundary.state is not None and not loader.needs_envelope and boundary.folded < loader.keeps_after:
            self.is_fresh = boundary.query is None
            self.is_loaded = True
            return
        if boundary.state is None:
            route = self.station.route
            empty = route.start(self.command)
            boundary.begin(empty, route.boundary(empty))
        self.is_fresh = True
        self.is_loaded = boundary.query is None

    async def load(self) -> None:
        """Read what was appended since the state was made."""
        await self.station.loader.load(self.boundary, up_to=max(_places(self.expect), default=0))
        self.is_fresh = self.is_read_as_expected = True

    def decide(self) -> bool:
        """Whether there is something to append: the ``request``. If there is not, and the state is not fresh, load it.

        Raises ``Refused``, ``ExpectationFailed``, ``HandlerContractError``, and whatever the decider raises.
        """
        station, boundary = self.station, self.boundary
        state = boundary.state
        if state is None:  # a fold failed that came after the load
            raise EvolutionError("the state was lost while deciding", remedy="send the command again")
        try:
            if self.expect is not None and not self._is_as_expected(self.expect):
                self.is_fresh = False
                return False
            events = station.route.decider.decide(state, self.command, station.now, station.services)
            encode, terms = station.codec.encode_and_read, self.terms
            new: list[NewEvent] = []
            read: list[Event] = []
            for event in events:
                one, again = encode(event, terms.metadata, terms.tags)
                new.append(one)
                read.append(again)
        except Exception:  # whatever it is, the state may be the reason
            if self.is_fresh:
                raise
            return False
        if not new:
            return False
        self.events = read
        query = boundary.query
        if terms.key_query is not None:
            query = terms.key_query if query is None else query | terms.key_query
        self.request = new, None if query is None else AppendCondition(query, boundary.position)
        return True

    def _is_as_expected(self, expected: Expected) -> bool:
        """Whether nothing was added after what the caller saw; false if the log must first be read as far as that.

        What was seen may lie behind the last change: a receipt of a command that changed nothing, or whose last event
        is another boundary's, or the position of an answer. It lies beyond the log if that was restored from a copy.
        """
        boundary, actual = self.boundary, self.boundary.version
        if expected is CHANGED:
            if actual > 0:
                return True
            raise ExpectationFailed("expected a change, but there is none yet", expected="any", actual=actual)
        places = _places(expected)
        if any(actual <= place and (place <= boundary.position or boundary.query is None) for place in places):
            return True
        if not self.is_read_as_expected and max(places, default=0) > boundary.position:
            return False
        where = f"position {' or '.join(map(str, places))}" if places else "no position"
        raise ExpectationFailed(
            f"expected no change after {where}, but the last one of {boundary.position} events is at {actual}",
            expected=expected,
            actual=actual,
        )

    def stored(self, outcome: Appended) -> Receipt:
        """The receipt; the boundary's state has the events now, so that the next command need not read them."""
        self.station.loader.fold(self.boundary, self.events, self.request[0], outcome.first)
        return Receipt(outcome.last)

    def nothing_stored(self) -> Receipt:
        """The receipt of a command that changes nothing: where the last change is, or how far was looked."""
        return Receipt(self.boundary.version or self.boundary.position)


def _places(expected: Expected | None) -> list[int]:
    if type(expected) is int and expected >= 0:
        return [expected]
    if expected is None or expected is CHANGED:
        return []
    if not isinstance(expected, list):
        raise InvalidMessage("expectation", (FieldError("/expect", "is a position: a whole number from 0"),))
    return expected
