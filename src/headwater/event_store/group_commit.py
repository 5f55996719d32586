"""Gathers appends of many tasks into few hand-overs to one writer. Reads: waiting.py. Read next: a backend's writer.

Requests of one turn of an event loop are handed over together, and of the next turns too as long as each brings more;
the writer takes whatever is there without waiting, and answers a whole batch with one wake-up of the loop. What waits
is bounded: beyond the bounds ``submit`` waits for room. The writer is a thread of its own, which waits in ``take``, or
a task on one of the loops, which waits in ``taken``. One that can work on the loop's own thread too sets
``serve_here``, and is spared the way there and back; requests that come one by one need not even wait for the turn's
end then: see ``desk_of_one``.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from functools import partial
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any, Generic, TypeAlias, TypeVar

from headwater.errors import OutcomeUnknown, StoreClosed
from headwater.event_store.waiting import HeadSignal

W = TypeVar("W")
Tell: TypeAlias = "Callable[[Any], None]"
"""Called once with the result or the exception of a request, on its own loop. May be ``set_result`` of a future."""
Pending: TypeAlias = "tuple[W, Tell, Desk[W], int]"
ServeHere: TypeAlias = "Callable[[Sequence[W], int], Sequence[object] | None]"
"""Requests and their payload in bytes in; their outcomes out, or ``None`` to leave them to the writer."""

_REQUESTS_PER_BATCH = 1_024
_REQUESTS_WAITING = 4_096
_BYTES_WAITING = 64 << 20
_GATHERED_AT_MOST = 256
_GATHERING_SECONDS = 0.002
_ALONE_BEFORE = 16

_log = logging.getLogger("headwater.event_store")


class GroupCommit(Generic[W]):
    """A bounded queue between any number of event loops and one writer.

    A request of type ``W`` is answered with a result or an exception, exactly once.
    """

    def __init__(self, *, requests: int = _REQUESTS_WAITING, payload_bytes: int = _BYTES_WAITING) -> None:
        self.requests = requests
        self.payload_bytes = payload_bytes
        self.serve_here: ServeHere[W] | None = None
        self._queue: SimpleQueue[list[Pending[W]] | None] = SimpleQueue()
        self._desks: dict[asyncio.AbstractEventLoop, Desk[W]] = {}
        self._lock = Lock()
        self._arrived = HeadSignal()
        self._closed = False

    # -- on the event loops

    def submit(self, work: W, size: int) -> Awaitable[Any]:
        """Hand the work over with all else of this turn; await its outcome. ``size`` is its payload in bytes.

        A cancelled caller stops waiting; the work may still be done. Raises ``StoreClosed``, or what the writer found.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        if self.begin(work, size, partial(_resolve, future)):
            return future
        return self._submit_in_line(self._desks[loop], work, size, future)

    async def _submit_in_line(self, desk: Desk[W], work: W, size: int, future: asyncio.Future[Any]) -> Any:
        await desk.room(size)
        if self._closed:
            raise closed()
        desk.put(work, size, partial(_resolve, future))
        return await future

    def begin(self, work: W, size: int, tell: Tell) -> bool:
        """The same for who has no task that could wait: ``tell`` is called with the outcome.

        ``False`` if there is no room now; then ``tell`` is never called. Raises ``StoreClosed``.
        """
        loop = asyncio.get_running_loop()
        desk = self._desks.get(loop) or self._desk_of(loop)
        if self._closed:
            raise closed()
        # `is_full` written out: every append passes here, and the call would take longer than the comparison.
        if desk.queued or desk.requests >= self.requests or desk.payload_bytes >= self.payload_bytes:
            return False
        desk.requests += 1
        desk.payload_bytes += size
        desk.put(work, size, tell)
        return True

    def desk_of_one(self) -> Desk[W] | None:
        """The desk of this loop if its requests come one by one, so that ``outcome_at_once`` is worth a try there."""
        desk = self._desks.get(asyncio.get_running_loop())
        return None if desk is None or desk.alone < _ALONE_BEFORE or self._closed else desk

    def close(self) -> None:
        """Take no more. What was handed over or gathered on this loop is still done; then the writer is told to end."""
        try:
            desk = self._desks.get(asyncio.get_running_loop())
        except RuntimeError:
            desk = None
        if desk is not None:
            desk.pass_on()
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._queue.put(None)
        self._arrived.announce()
        for other in list(self._desks.values()):
            other.from_thread(other.turn_away)

    def wake_writer(self) -> None:
        """Let ``take`` return, with an empty batch if there is nothing else."""
        with self._lock:
            if not self._closed:
                self._queue.put([])

    def _desk_of(self, loop: asyncio.AbstractEventLoop) -> Desk[W]:
        with self._lock:
            for known in [known for known in self._desks if known.is_closed()]:
                del self._desks[known]
            return self._desks.setdefault(loop, Desk(self, loop))

    def served_here(self, works: Sequence[W], size: int) -> Sequence[object] | None:
        """The outcomes, if the requests can be served on this thread at once, with none in the queue before them."""
        return self.serve_here(works, size) if self.serve_here is not None and self._queue.empty() else None

    def enqueue(self, gathered: list[Pending[W]]) -> bool:
        """Pass one turn's requests to the writer; ``False`` if it was already told to end."""
        with self._lock:
            if self._closed:
                return False
            self._queue.put(gathered)
        self._arrived.announce()
        return True

    # -- at the writer

    def take(self) -> list[Pending[W]] | None:
        """Wait for work, on the writer's thread, then take all that is there. ``None`` when closed and done.

        The batch is empty if the writer was only woken.
        """
        return self._with_all_there(self._queue.get())

    async def taken(self) -> list[Pending[W]] | None:
        """The same for a writer that is a task: its loop goes on while it waits."""
        while True:
            try:
                return self._with_all_there(self._queue.get_nowait())
            except Empty:
                await self._arrived.wait(lambda: not self._queue.empty())

    def _with_all_there(self, batch: list[Pending[W]] | None) -> list[Pending[W]] | None:
        if batch is None:
            return None
        try:
            while len(batch) < _REQUESTS_PER_BATCH:
                more = self._queue.get_nowait()
                if more is None:
                    self._queue.put(None)  # end with the next take
                    break
                batch += more
        except Empty:
            pass
        return batch

    @staticmethod
    def answer(batch: Sequence[Pending[W]], outcomes: Sequence[object]) -> None:
        """Give each request of the batch its outcome; exceptions are raised where the request waits."""
        desk = batch[0][2]
        if all(pending[2] is desk for pending in batch):
            desk.from_thread(desk.settle, batch, outcomes)
            return
        for desk in {pending[2] for pending in batch}:
            own = [(pending, outcome) for pending, outcome in zip(batch, outcomes, strict=True) if pending[2] is desk]
            desk.from_thread(desk.settle, [pending for pending, _ in own], [outcome for _, outcome in own])


class Desk(Generic[W]):
    """One event loop's side: what it gathered in this turn, what it has in flight, who waits for room."""

    def __init__(self, owner: GroupCommit[W], loop: asyncio.AbstractEventLoop) -> None:
        self._owner = owner
        self._loop = loop
        self._context = Context()  # nobody's: a batch is not the first of its requests' affair alone
        self._gathered: list[Pending[W]] = []
        self._gathering_since = 0.0
        self._seen = 0
        self._turn_is_taken = False
        self.alone = 0
        """How many requests in a row had a commit on this loop to themselves."""
        self.requests = 0
        self.payload_bytes = 0
        self.queued: deque[tuple[asyncio.Future[None], int]] = deque()

    def is_full(self) -> bool:
        """Whether a request must wait before it may be gathered."""
        return self.requests >= self._owner.requests or self.payload_bytes >= self._owner.payload_bytes

    async def room(self, size: int) -> None:
        """Wait in line until there is room, which is then taken."""
        turn: asyncio.Future[None] = self._loop.create_future()
        place = (turn, size)
        self.queued.append(place)
        try:
            await turn
        except asyncio.CancelledError:
            if place in self.queued:
                self.queued.remove(place)
            elif not turn.cancelled():  # the room that was taken for us goes to the next one
                self.requests -= 1
                self.payload_bytes -= size
                self._offer_room()
            raise

    def outcome_at_once(self, work: W, size: int) -> Any | None:
        """What came of a request that did not wait for others to join it, as lately none did; exceptions are values.

        ``None`` leaves it to ``submit`` or ``begin``: others are about, or it cannot be served here. A second one in
        the same turn is such another, so that those who come together are committed together again.
        """
        if not self.requests and not self._turn_is_taken:
            outcomes = self._owner.served_here((work,), size)
            if outcomes is not None:
                self._turn_is_taken = True
                self._loop.call_soon(self._turn_ends, context=self._context)
                return outcomes[0]
        self.alone = 0
        return None

    def _turn_ends(self) -> None:
        self._turn_is_taken = False

    def put(self, work: W, size: int, tell: Tell) -> None:
        """Gather one request; the first of a turn arranges the hand-over at the turn's end."""
        if not self._gathered:
            self._seen = 1
            self._gathering_since = self._loop.time()
            self._loop.call_soon(self._at_end_of_turn, context=self._context)
        self._gathered.append((work, tell, self, size))

    def _at_end_of_turn(self) -> None:
        """Pass on what was gathered, unless this turn brought more of it: then the next one may, too."""
        gathered = len(self._gathered)
        if self._seen < gathered < _GATHERED_AT_MOST and self._gathering_seconds() < _GATHERING_SECONDS:
            self._seen = gathered
            self._loop.call_soon(self._at_end_of_turn, context=self._context)
        else:
            self.pass_on()

    def _gathering_seconds(self) -> float:
        return self._loop.time() - self._gathering_since

    def pass_on(self) -> None:
        """Have served what was gathered: here and now if that can be, else by the writer."""
        gathered, self._gathered = self._gathered, []
        if not gathered:
            return
        outcomes = None
        try:
            if self._owner.serve_here is not None:
                outcomes = self._owner.served_here([pending[0] for pending in gathered], sum([p[3] for p in gathered]))
        except BaseException:  # a signal's handler raised in the middle of it: nobody knows how far it came
            self.settle(gathered, [OutcomeUnknown("the append was interrupted") for _ in gathered])
            raise
        if outcomes is not None:
            self.alone = self.alone + 1 if len(gathered) == 1 else 0
            self.settle(gathered, outcomes)
        elif not self._owner.enqueue(gathered):
            self.settle(gathered, [closed() for _ in gathered])

    def from_thread(self, function: Any, *arguments: Any) -> None:
        """Run on the loop's own thread; a closed loop has nobody left to tell."""
        try:
            self._loop.call_soon_threadsafe(function, *arguments, context=self._context)
        except RuntimeError:
            return

    def settle(self, batch: Sequence[Pending[W]], outcomes: Sequence[object]) -> None:
        """Answer the requests of this loop and let in who waits for room."""
        self.requests -= len(batch)
        for (_, tell, _, size), outcome in zip(batch, outcomes, strict=True):
            self.payload_bytes -= size
            try:
                tell(outcome)
            except asyncio.InvalidStateError:  # a future whose task has gone
                continue
            except Exception:  # noqa: BLE001  the others of the batch are to be told, whatever one of them makes of it
                _log.exception("what came of a request could not be told")
        if self.queued:
            self._offer_room()

    def turn_away(self) -> None:
        """The store is closed: wake who waits for room, to be told so."""
        for turn, _ in self.queued:
            if not turn.done():
                turn.set_result(None)
        self.queued.clear()

    def _offer_room(self) -> None:
        while self.queued and not self.is_full():
            turn, size = self.queued.popleft()
            if not turn.done():
                self.requests += 1
                self.payload_bytes += size
                turn.set_result(None)


def _resolve(future: asyncio.Future[Any], outcome: object) -> None:
    """Give a future its outcome, unless who waited for it has gone."""
    if future.done():
        return
    if isinstance(outcome, Exception):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


def closed() -> StoreClosed:
    """The error for who comes after the store was closed."""
    return StoreClosed("the event store is closed", remedy="open it again")
