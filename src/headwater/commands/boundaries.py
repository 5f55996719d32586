"""The in-process side of a boundary: its place in line, and the last known state as a baseline.

Reads: routing.py. Read next: loading.py. A cached state is a baseline and never an authority: the append condition
says whether it still holds, and a refusal is only given after the events since were read.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable

from headwater.aggregates import Aggregate
from headwater.event_store.checking import check_query
from headwater.event_store.protocol import EventQuery


class Boundary:
    """One boundary in this process: commands on it run in order, others in parallel."""

    __slots__ = ("_busy", "_waiting", "folded", "key", "position", "query", "state", "users", "version")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.state: Aggregate | None = None
        self.query: EventQuery | None = None
        """The events a decision looks at; ``None`` if it looks at none."""
        self.position = 0
        """The log position the state is known to be current at."""
        self.version = 0
        """The position of the last event folded into the state; 0 before the first."""
        self.folded = 0
        """Events folded since the last snapshot."""
        self.users = 0
        self._busy = False
        self._waiting: deque[asyncio.Future[None]] | None = None  # an empty one is larger than all else of a boundary

    def forget(self) -> None:
        """Drop the baseline: the next command loads afresh."""
        self.state = None
        self.position = self.version = self.folded = 0

    def begin(self, state: Aggregate, query: EventQuery | None) -> None:
        """Have an empty state, to load into what the query finds. Raises ``InvalidAppend`` if it is no query."""
        if query is not None:
            check_query(query)
        self.forget()
        self.state, self.query = state, query

    @property
    def is_busy(self) -> bool:
        """Whether a command has the turn, so that the next must wait for it."""
        return self._busy

    def take(self) -> asyncio.Future[None] | None:
        """Take the turn at once (``None``), or get a future to await for it."""
        if not self._busy:
            self._busy = True
            return None
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(turn)
        return turn

    async def wait(self, turn: asyncio.Future[None]) -> None:
        """Await a turn. A cancelled wait that was already given the turn hands it on."""
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Hand the turn to the next in line."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._busy = False


class Boundaries:
    """The boundaries in use, and up to ``size`` idle ones with their states, least recently used first out."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: OrderedDict[Hashable, Boundary] = OrderedDict()

    def use(self, key: Hashable) -> Boundary:
        """The boundary of that key, made if it is not known. Give it back with ``done``."""
        boundary = self._known.get(key)
        if boundary is None:
            boundary = self._known[key] = Boundary(key)
        else:
            self._known.move_to_end(key)
        boundary.users += 1
        return boundary

    def done(self, boundary: Boundary) -> None:
        """Give a boundary back. Beyond the size, the least recently used idle one is forgotten."""
        boundary.users -= 1
        if len(self._known) <= self._size:
            return
        idle = boundary if self._size == 0 else next((b for b in self._known.values() if b.users == 0), boundary)
        if idle.users == 0:
            self._known.pop(idle.key, None)

    def __len__(self) -> int:
        return len(self._known)
