"""How often to try again what failed, and after how long. Reads: nothing here. Read next: running.py."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from headwater.errors import StoreClosed, StoreError

T = TypeVar("T")
_TRIES_OF_THE_IMPATIENT = 2


class Retry(msgspec.Struct, frozen=True, kw_only=True):
    """How often an event is tried, and how long to wait before each further try: doubled each time, with jitter.

    Then its sequence is parked, unless the projection has ``most_parked`` already: it then stops, because what fails
    that often is wrong in itself. With something parked, patience is short: the next one is tried twice.
    """

    attempts: int = 5
    first_seconds: float = 0.05
    longest_seconds: float = 5.0
    most_parked: int = 1_000

    def tries(self, *, patient: bool) -> int:
        """How often an event is tried."""
        return self.attempts if patient else min(self.attempts, _TRIES_OF_THE_IMPATIENT)

    def seconds(self, attempt: int) -> float:
        """How long to wait after that many failures."""
        return min(self.longest_seconds, self.first_seconds * 2.0 ** min(attempt - 1, 30)) * random.uniform(0.5, 1.0)

    async def persist(self, work: Callable[[], Awaitable[T]], failed: Callable[[StoreError], None]) -> T:
        """Have a store do something, however often it fails, which is told. Raises ``StoreClosed``."""
        failures = 0
        while True:
            try:
                return await work()
            except StoreClosed:
                raise
            except StoreError as error:
                failures += 1
                failed(error)
                await asyncio.sleep(self.seconds(failures))
