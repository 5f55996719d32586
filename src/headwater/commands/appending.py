"""Hands appends to the event store, and repeats one of which nobody knows what came of it. Reads: deciding.py.

Read next: executor.py.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from typing import TypeAlias

from headwater.commands.deciding import Request
from headwater.errors import OutcomeUnknown
from headwater.event_store.prompt import PromptAppender, Tell, after_others
from headwater.event_store.protocol import Appended, Conflict, EventStore

Outcome: TypeAlias = Appended | Conflict | Exception
"""What came of an append. What it failed with is a value here, since who is called back has nowhere to raise it."""

SEND_AGAIN = "send it again; with an idempotency key it is safe"
_MAX_REPEATS = 5
_FIRST_PAUSE_SECONDS = 0.001
_LONGEST_PAUSE_SECONDS = 0.1


class Appends:
    """The appends of one application to one event store."""

    def __init__(self, store: EventStore) -> None:
        self._append = store.append
        self._prompt = store if isinstance(store, PromptAppender) else None

    def begin(self, request: Request, tell: Tell) -> bool:
        """As ``PromptAppender.begin_append``; ``False`` too if the store is none. ``tell`` may be called at once."""
        if self._prompt is None:
            return False
        try:
            outcome = self._prompt.append_at_once(*request)
        except Exception:
            raise
        except BaseException:  # a signal's handler raised in the middle of it
            tell(OutcomeUnknown("the append was interrupted"))
            raise
        if outcome is None:
            return self._prompt.begin_append(*request, tell)
        tell(outcome)
        return True

    def append(self, request: Request) -> Awaitable[Outcome]:
        """The outcome, to be awaited."""
        if self._prompt is not None:
            outcome = self._prompt.append_at_once(*request)
            if outcome is not None:
                return after_others(outcome)
            future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
            if self._prompt.begin_append(*request, future.set_result):
                return future
        return self._append_waiting(request)

    async def _append_waiting(self, request: Request) -> Outcome:
        try:
            return await self._append(*request)
        except Exception as error:  # noqa: BLE001  it is a value here
            return error

    async def known(self, outcome: Outcome, request: Request) -> Appended | Conflict:
        """The outcome; if it is unknown, that of a repeat with the same event ids, which stores them only once.

        Raises what the append failed with. Once nobody knows what came of it, a repeat that fails says nothing of the
        time before, however it fails: that is ``OutcomeUnknown``.
        """
        if isinstance(outcome, Exception) and not isinstance(outcome, OutcomeUnknown):
            raise outcome
        repeats = 0
        while isinstance(outcome, Exception):
            repeats += 1
            if repeats > _MAX_REPEATS or not isinstance(outcome, OutcomeUnknown):
                what = "nobody knows whether the command's events were stored"
                raise OutcomeUnknown(what, remedy=SEND_AGAIN) from outcome
            await asyncio.sleep(pause_seconds(repeats))
            outcome = await self.append(request)
        return outcome


def pause_seconds(tries: int) -> float:
    """How long to give way after so many tries: at random, and longer each time."""
    return random.uniform(0, min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**tries))
