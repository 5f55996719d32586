"""An opened application for code without an event loop. Reads: runtime.py. Read next: app.py."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from typing import Any, TypeVar

from headwater.aggregates import Aggregate
from headwater.commands.offers import Offers
from headwater.errors import StoreClosed
from headwater.followers import ProjectionStatus
from headwater.messages import Command, Query, Receipt
from headwater.queries.asking import Answer
from headwater.runtime import Runtime

T = TypeVar("T")


class BlockingRuntime:
    """The same application for code without an event loop: each call waits for its result."""

    def __init__(self, runtime: Runtime, loop: asyncio.AbstractEventLoop) -> None:
        self.runtime = runtime
        self._loop = loop

    def execute(self, command: Command, **terms: Any) -> Receipt:
        """See ``Runtime.execute``."""
        return self._wait(self.runtime.execute(command, **terms))

    def ask(self, query: Query[T], **terms: Any) -> T:
        """See ``Runtime.ask``."""
        return self._wait(self.runtime.ask(query, **terms))

    def answer(self, query: Query[T], **terms: Any) -> Answer[T]:
        """See ``Runtime.answer``."""
        return self._wait(self.runtime.answer(query, **terms))

    def offers(self, aggregate: type[Aggregate], **key: Any) -> Offers | None:
        """See ``Runtime.offers``."""
        return self._wait(self.runtime.offers(aggregate, **key))

    def watch(self, query: Query[T], **terms: Any) -> Iterator[Answer[T]]:
        """See ``Runtime.watch``."""
        answers = self.runtime.watch(query, **terms)

        async def following() -> Answer[T] | None:
            return await anext(answers, None)

        try:
            while (answer := self._wait(following())) is not None:
                yield answer
        finally:
            with suppress(StoreClosed):  # a loop that is left after the application was closed
                self._wait(answers.aclose())

    def caught_up(self, position: Receipt | int | None = None, **terms: Any) -> int:
        """See ``Runtime.caught_up``."""
        return self._wait(self.runtime.caught_up(position, **terms))

    def projections(self) -> Sequence[ProjectionStatus]:
        """See ``Runtime.projections``."""
        return self._wait(self.runtime.projections())

    def rebuild(self, projection: str) -> None:
        """See ``Runtime.rebuild``."""
        self._wait(self.runtime.rebuild(projection))

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError as error:  # the loop is closed
            work.close()
            raise StoreClosed("the application is closed", remedy="open it again") from error
        return future.result()


@contextmanager
def run_blocking(opened: AbstractAsyncContextManager[Runtime]) -> Iterator[BlockingRuntime]:
    """Keep an opened application on an event loop in a thread of its own for as long as the block lasts."""
    ready: Future[tuple[Runtime, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def hold() -> None:
        try:
            async with opened as runtime:
                left = asyncio.Event()
                ready.set_result((runtime, asyncio.get_running_loop(), left))
                await left.wait()
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    with ThreadPoolExecutor(1, thread_name_prefix="headwater-loop") as thread:
        ended = thread.submit(asyncio.run, hold())
        runtime, loop, left = ready.result()
        try:
            yield BlockingRuntime(runtime, loop)
        finally:
            loop.call_soon_threadsafe(left.set)
            ended.result()
