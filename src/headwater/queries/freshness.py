"""How fresh rows are, and whether an answer made from them still holds. Reads: tracing.py. Read next: cache.py.

An answer remembers where each projection stood that it was made from. It holds as long as no row that it looked at has
changed since. The journal of this process knows that by table and row; what another process changed shows in the
checkpoints of the read store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from headwater.clock import Clock
from headwater.errors import QueryError
from headwater.event_store.protocol import EventStore
from headwater.followers.journal import Looked
from headwater.followers.progress import Progress
from headwater.limits import is_seconds
from headwater.queries.tracing import Tracer
from headwater.read_store.checkpoints import Checkpoint
from headwater.read_store.protocol import ReadStore

T = TypeVar("T")
Standing = Mapping[str, tuple[Checkpoint, ...]]
"""Where each projection stands, range by range."""


class Part(msgspec.Struct, frozen=True, array_like=True):
    """A projection that an answer was made from: where it stood, and what was looked at (``None``: maybe anything)."""

    projection: str
    standing: tuple[Checkpoint, ...]
    looked: Looked | None


class Basis(msgspec.Struct, frozen=True, array_like=True):
    """What an answer was made from."""

    parts: tuple[Part, ...] = ()

    @property
    def position(self) -> int | None:
        """The position in the log that the answer includes at least; ``None`` if it was made from no rows."""
        return min((place.position for part in self.parts for place in part.standing), default=None)

    @property
    def is_anything(self) -> bool:
        """Whether it may have been made from rows of any projection."""
        return any(part.looked is None for part in self.parts)

    def reaches(self, position: int) -> bool:
        """Whether the answer includes the log up to there."""
        own = self.position
        return own is None or own >= position

    @staticmethod
    def of(projections: Iterable[str], standing: Standing, tracer: Tracer) -> Basis:
        """The basis of an answer for which these projections were read when they stood there or further.

        Who reads by SQL of his own may have read any projection.
        """
        names = standing if tracer.saw_everything else projections
        return Basis(tuple(Part(name, standing.get(name, ()), tracer.looked(name)) for name in names))


class Freshness:
    """Looks at where the rows of a read store stand, once for all who look at the same moment."""

    def __init__(self, rows: ReadStore, *, event_store: EventStore, progress: Progress, clock: Clock) -> None:
        self._rows = rows
        self._events = event_store
        self.progress = progress
        self.clock = clock
        self._journal = progress.journal
        self._looks = _Together(self._look)
        self._heads = _Together(event_store.head)

    # -- how old rows are

    async def wait(
        self, projections: Sequence[str], after: int | None, max_staleness: float | None, timeout: float | None
    ) -> None:
        """Return once these projections include position ``after``, and are at most ``max_staleness`` seconds old.

        Raises ``ProjectionBehind`` after ``timeout`` seconds, ``ProjectionFailed`` if one has stopped short of it.
        """
        _refuse_odd_seconds(max_staleness=max_staleness, timeout=timeout)
        after = self.progress.wanted(projections, after)
        if after is not None:
            await self.progress.wait_for(projections, after, timeout)
        if max_staleness is not None:
            _, age_seconds = await self.of(projections)
            if age_seconds > max_staleness:
                await self.progress.wait_for(projections, await self._events.head(), timeout)

    async def of(self, projections: Sequence[str]) -> tuple[int, float]:
        """Where the rows of these projections stand at least, and how old that makes them."""
        if not projections:
            return await self.at(None)
        await self.progress.look()
        return await self.at(self.progress.position(projections))

    async def at(self, position: int | None) -> tuple[int, float]:
        """How old rows are that include the log up to there: since when the first event is there that may be missing.

        ``None`` is the position of what is not made from rows, which is never old.
        """
        head = await self._heads.ask()
        if position is None or position >= head:
            return head if position is None else position, 0.0
        missing = (await self._events.read(after=position, limit=1)).events
        if not missing:
            return position, 0.0
        return position, max(0.0, (self.clock.now() - missing[0].recorded_at).total_seconds())

    # -- whether an answer still holds

    async def look(self) -> Standing:
        """Where every projection stands, at some moment from now on."""
        return await self._looks.ask()

    def at_hand(self) -> Standing | None:
        """Where every projection stands now, where the read store can tell without waiting. Raises ``StoreError``."""
        return self._rows.ranges_at_hand()

    def carried(self, basis: Basis, now: Standing) -> Basis | None:
        """The basis as of now, if nothing that was looked at has changed between; else ``None``."""
        if all(now.get(part.projection) is part.standing for part in basis.parts):
            return basis  # read stores give the same ranges again as long as nothing moved
        parts: list[Part] = []
        for part in basis.parts:
            standing = now.get(part.projection, ())
            if standing != part.standing and not self._is_untouched(part, standing):
                return None
            parts.append(Part(part.projection, standing, part.looked))
        return Basis(tuple(parts))

    def unchanged_since(self, basis: Basis, position: int) -> bool:
        """Whether nothing that was looked at has changed after that position, as far as that can be told."""
        return all(
            now.changed_at <= position
            or self._knows_untouched(part, msgspec.structs.replace(now, position=position), now)
            for part in basis.parts
            for now in part.standing
        )

    def keep_apart(self, basis: Basis) -> None:
        """From now on, tell apart the rows of tables of which single rows were looked at."""
        for part in basis.parts:
            for table, keys in (part.looked or {}).items():
                if keys is not None:
                    self._journal.keep_apart(part.projection, table)

    def _is_untouched(self, part: Part, now: tuple[Checkpoint, ...]) -> bool:
        before = part.standing
        if not before or not now or {each.epoch for each in before} != {each.epoch for each in now}:
            return False
        if [_range(each) for each in before] == [_range(each) for each in now]:
            return all(self._stays(part, one, other) for one, other in zip(before, now, strict=True))
        # Ranges were split or joined, so that it cannot be told which of them changed.
        return max(each.changed_at for each in now) < min(each.position for each in before)

    def _stays(self, part: Part, before: Checkpoint, now: Checkpoint) -> bool:
        """Whether nothing that was looked at changed in a range.

        A parked sequence that goes on changes rows at the position where the range stands, but under another token.
        """
        if now.position < before.position:
            return False
        if now.changed_at == before.changed_at and (now.token == before.token or now.changed_at < before.position):
            return True
        return self._knows_untouched(part, before, now)

    def _knows_untouched(self, part: Part, before: Checkpoint, now: Checkpoint) -> bool:
        """Whether this process made all changes between, and none to what was looked at."""
        looked = part.looked
        return looked is not None and self._journal.touched(part.projection, before, now, looked) is False

    async def _look(self) -> Standing:
        return await self._rows.ranges()


def _refuse_odd_seconds(**given: object) -> None:
    """Raise ``QueryError`` for the first that is neither ``None`` nor a time in seconds."""
    for name, seconds in given.items():
        if seconds is not None and not is_seconds(seconds):
            raise QueryError(f"{name} is a time in seconds from 0, and not {seconds!r}", field=name)


def _range(checkpoint: Checkpoint) -> tuple[int, int]:
    return checkpoint.low, checkpoint.high


class _Together(Generic[T]):
    """One question for all who ask before it is put: who comes later waits for the next, which begins after that."""

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask
        self._current: asyncio.Future[None] | None = None
        self._waiting: list[asyncio.Future[T]] = []
        self._next: asyncio.Task[None] | None = None

    async def ask(self) -> T:
        """The answer to a question that is put from now on."""
        current = self._current
        if current is None:
            return await self._put()
        loop = asyncio.get_running_loop()
        told: asyncio.Future[T] = loop.create_future()
        self._waiting.append(told)
        if self._next is None:
            self._next = loop.create_task(self._put_for_others(current))
        return await told

    async def _put(self) -> T:
        done = self._current = asyncio.get_running_loop().create_future()
        try:
            return await self._ask()
        finally:
            if self._current is done:
                self._current = None
            done.set_result(None)

    async def _put_for_others(self, current: asyncio.Future[None]) -> None:
        await current
        waiting, self._waiting, self._next = self._waiting, [], None
        try:
            answer = await self._put()
        except BaseException as error:
            for told in waiting:
                if not told.done():
                    told.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
            if not isinstance(error, Exception):
                raise
        else:
            for told in waiting:
                if not told.done():
                    told.set_result(answer)


def seen(task: asyncio.Task[Any]) -> None:
    """Whoever waited for it may have gone; its error is then nobody's."""
    if not task.cancelled():
        task.exception()
