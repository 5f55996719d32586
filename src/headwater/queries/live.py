"""Live queries: an answer, then another each time it really changed. Reads: freshness.py, shelves.py.

All who watch the same question with the same scope share one stream, which evaluates once for each change that touches
the rows it was made from. It keeps the latest answer only: who is slow misses those between, and nothing ever queues.
Read next: http/sse.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeAlias

import msgspec

from headwater.codec import Codec
from headwater.errors import HeadwaterError
from headwater.messages import Query
from headwater.queries.freshness import Basis, Freshness, seen
from headwater.queries.shelves import Key, Question, handed

Told: TypeAlias = tuple[type[Query[Any]], Key]


class LiveStats(msgspec.Struct, frozen=True, kw_only=True):
    """How many ``streams`` there are, for how many ``watchers``, and how often a query was evaluated for them."""

    streams: int = 0
    watchers: int = 0
    evaluations: int = 0


class Seen(msgspec.Struct, frozen=True):
    """An answer as watchers get it, encoded once for all of them: its ``body`` is JSON."""

    value: Any
    body: bytes
    position: int
    age_seconds: float
    number: int


class Streams:
    """The live queries of one runtime. Belongs to one event loop."""

    def __init__(self, freshness: Freshness, codec: Codec) -> None:
        self._freshness = freshness
        self._codec = codec
        self._streams: dict[Told, _Stream] = {}
        self._by_projection: dict[str, set[_Stream]] = {}
        self._anywhere: set[_Stream] = set()  # those that may read any projection
        self._evaluations = 0
        self._closed = False

    @property
    def stats(self) -> LiveStats:
        """What there is now, and has happened so far."""
        watchers = sum(stream.watchers for stream in self._streams.values())
        return LiveStats(streams=len(self._streams), watchers=watchers, evaluations=self._evaluations)

    async def watch(
        self, question: Question, key: Key, query: Query[Any], since: int | None, admit: Callable[[], Awaitable[object]]
    ) -> AsyncGenerator[Seen | None, None]:
        """The answer now, then each other one. The first is ``None`` if nothing has changed after position ``since``.

        ``admit`` is asked before each; what it raises ends the watch, as does what evaluating raises.
        """
        if self._closed:
            return
        stream = self._stream(question, key, query)
        stream.watchers += 1
        number = 0
        try:
            while True:
                found = await stream.after(number)
                if found is None:
                    return
                is_news = number or since is None or stream.changed_after(since)
                number = found.number
                if not is_news:
                    yield None
                else:
                    await admit()
                    yield msgspec.structs.replace(found, value=handed(found.value))
        finally:
            stream.watchers -= 1
            if not stream.watchers:
                self._end(stream)

    def close(self) -> None:
        """End every watch: no more answers come."""
        self._closed = True
        for stream in list(self._streams.values()):
            stream.finish(None)
            self._end(stream)

    # -- in call order

    def _stream(self, question: Question, key: Key, query: Query[Any]) -> _Stream:
        told = (question.query, key)
        stream = self._streams.get(told)
        if stream is None:
            if not self._streams:
                self._freshness.progress.watch(self._moved)
            stream = self._streams[told] = _Stream(told, question, query, self._freshness, self._codec, self._evaluated)
            for projection in question.projections:
                self._by_projection.setdefault(projection, set()).add(stream)
            stream.start(lambda: self._end(stream))
        return stream

    def _end(self, stream: _Stream) -> None:
        """Evaluate it no longer. Who still watches it was told; who comes from now on begins a new one."""
        if self._streams.get(stream.told) is stream:
            del self._streams[stream.told]
            for projection in stream.question.projections:
                self._by_projection[projection].discard(stream)
            self._anywhere.discard(stream)
            stream.stop()
            if not self._streams:
                self._freshness.progress.unwatch(self._moved)

    def _moved(self, projection: str) -> None:
        for stream in self._by_projection.get(projection, set[_Stream]()) | self._anywhere:
            stream.nudge()

    def _evaluated(self, stream: _Stream) -> None:
        self._evaluations += 1
        if stream.basis.is_anything:
            self._anywhere.add(stream)


class _Stream:
    """One question with one scope, and its latest answer."""

    def __init__(
        self,
        told: Told,
        question: Question,
        query: Query[Any],
        freshness: Freshness,
        codec: Codec,
        evaluated: Callable[[_Stream], None],
    ) -> None:
        self.told = told
        self.question = question
        self.watchers = 0
        self._query = query
        self._freshness = freshness
        self._codec = codec
        self._evaluated = evaluated
        self._latest: Seen | None = None
        self.basis = Basis()
        self._error: Exception | None = None
        self._finished = False
        self._news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._nudged = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # -- for watchers

    async def after(self, number: int) -> Seen | None:
        """The latest answer, once there is a later one than that number; ``None`` at the end."""
        while not self._finished and (self._latest is None or self._latest.number == number):
            await asyncio.shield(self._news)
        if self._error is not None:
            raise _again(self._error)
        return None if self._finished else self._latest

    def changed_after(self, position: int) -> bool:
        """Whether what the latest answer was made from has changed after that position, as far as that can be told."""
        return not self._freshness.unchanged_since(self.basis, position)

    # -- for who runs it

    def start(self, ended: Callable[[], None]) -> None:
        """Begin to evaluate."""
        self._task = asyncio.get_running_loop().create_task(self._run(ended))
        self._task.add_done_callback(seen)

    def stop(self) -> None:
        """Evaluate no longer."""
        if self._task is not None:
            self._task.cancel()

    def finish(self, error: Exception | None) -> None:
        """Tell all watchers that there is no more to come, and why."""
        self._error = error
        self._finished = True
        self._announce()

    def nudge(self) -> None:
        """Something moved that may concern it."""
        self._nudged.set()

    async def _run(self, ended: Callable[[], None]) -> None:
        try:
            await self._evaluate()
            while True:
                await self._nudged.wait()
                self._nudged.clear()
                basis = self._freshness.carried(self.basis, await self._freshness.look())
                if basis is None:
                    await self._evaluate()
                else:
                    self.basis = basis
        except Exception as error:  # noqa: BLE001  whatever it is, who watches must learn of it
            self.finish(error)
            ended()

    async def _evaluate(self) -> None:
        self._nudged.clear()
        value, self.basis = await self.question.traced(self._query)
        self._evaluated(self)
        self._freshness.keep_apart(self.basis)
        body = self._codec.encode(value)
        if self._latest is None or body != self._latest.body:
            position, age_seconds = await self._freshness.at(self.basis.position)
            number = 1 if self._latest is None else self._latest.number + 1
            self._latest = Seen(value, body, position, age_seconds, number)
            self._announce()

    def _announce(self) -> None:
        news, self._news = self._news, asyncio.get_running_loop().create_future()
        news.set_result(None)


def _again(error: Exception) -> Exception:
    """The same news for each who watches, as an exception of its own where that can be made."""
    if not isinstance(error, HeadwaterError):
        return error
    made = error.__class__.__new__(error.__class__)
    made.__dict__.update(error.__dict__)
    made.args = error.args
    made.__cause__ = error.__cause__
    return made
