"""An application in memory, on a clock that the test moves. Reads: clock.py, history.py, runtime.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from headwater.messages import Command, Event, Query, Receipt, Recorded
from headwater.runtime import Runtime
from headwater.testing.clock import START, ControlledClock
from headwater.testing.facts import Happened, happening_of

if TYPE_CHECKING:
    from headwater.app import App

T = TypeVar("T")
_PAGE = 1_000
_WAIT_SECONDS = 10.0


@asynccontextmanager
async def test_runtime(app: App, *, now: datetime | None = None, **options: Any) -> AsyncIterator[TestRuntime]:
    """Open the application in memory: what ``app.test(now=...)`` does. ``options`` go to ``App.open``."""
    clock = ControlledClock(START if now is None else now)
    async with app.open("memory:", clock=clock, **options) as runtime:
        yield TestRuntime(runtime, clock)


class TestRuntime:
    """An application in memory for one test: no files, no sleeping, and time stands still unless the test moves it.

    ``clock`` is the time of decisions and of ``recorded_at``; ``events`` are the events so far, decoded, and
    ``recorded`` the same with position, time and metadata, both as of the last call on this object. ``runtime`` is the
    running application itself, for a door or for what this object does not offer.
    """

    __test__ = False  # for pytest, whose habit is to collect what is called Test

    def __init__(self, runtime: Runtime, clock: ControlledClock) -> None:
        self.runtime = runtime
        self.clock = clock
        self.recorded: list[Recorded[Event]] = []

    @property
    def events(self) -> list[Event]:
        """The events so far, in order."""
        return [recorded.event for recorded in self.recorded]

    async def given(self, *happened: Happened) -> None:
        """Put events into the log as if they had happened before, with no decision asked.

        Each is an event, or ``(event, recorded_at)``, or a ``Recorded``. Raises ``ContractError`` for anything else.
        """
        codec, here = self.runtime.codec, self.clock.now()
        try:
            for happening in [happening_of(item, here) for item in happened]:
                self.clock.set(happening.recorded_at)
                await self.runtime.event_store.append(
                    [codec.encode_event(happening.event, codec.encode_metadata(happening.metadata))]
                )
        finally:
            self.clock.set(here)
        await self._read_on()

    async def execute(
        self,
        command: Command,
        *,
        expect: int | None = None,
        idempotency_key: str | None = None,
        actor: str | None = None,
        tenant: str | None = None,
        correlation: str | None = None,
        causation: str | None = None,
    ) -> Receipt:
        """Carry out a command. See ``Runtime.execute`` for what goes in, and for the errors."""
        receipt = await self.runtime.execute(
            command,
            expect=expect,
            idempotency_key=idempotency_key,
            actor=actor,
            tenant=tenant,
            correlation=correlation,
            causation=causation,
        )
        await self._read_on()
        return receipt

    async def ask(self, query: Query[T], *, actor: str | None = None) -> T:
        """The answer to a query, including everything that has happened.

        Raises ``ProjectionFailed`` if a projection stopped on an event, and what ``Runtime.ask`` raises.
        """
        await self.caught_up()
        return await self.runtime.ask(query, actor=actor)

    async def caught_up(self) -> None:
        """Wait until every projection includes everything that has happened; ``ask`` does so by itself."""
        await self.runtime.caught_up(timeout=_WAIT_SECONDS)
        await self._read_on()

    async def _read_on(self) -> None:
        """Decode what came since the last look."""
        store, codec = self.runtime.event_store, self.runtime.codec
        while (found := await store.read(after=len(self.recorded), limit=_PAGE)).events:
            self.recorded += [codec.recorded(event) for event in found.events]
