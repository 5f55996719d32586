"""Loads of one turn of the loop in one go: first all are read, then all are folded, then the commands go on.

What is done 64 times in a row finds its code and its pages in the processor's caches; done once for each command in
between everything else, it takes half as long again. And a load is never read when the loop calls with what came over a
connection, but in the turn after it: by then a store has let go of the snapshot that earlier reads shared, so who has
heard of an append reads it. Reads: deciding.py. Read next: executor.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context

from headwater.commands.deciding import Decision
from headwater.event_store.bodies import Bodies
from headwater.messages import Tell


class LoadRounds:
    """The commands of one loop that are to be loaded at the end of its turn."""

    def __init__(self, go_on: Callable[[Decision, Tell], object]) -> None:
        self._go_on = go_on
        self._waiting: list[tuple[Decision, Tell, Context]] = []

    def join(self, decision: Decision, finish: Tell) -> None:
        """Load this one with the others; it goes on in the context of now."""
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._load, context=Context())
        self._waiting.append((decision, finish, copy_context()))

    def _load(self) -> None:
        waiting, self._waiting = self._waiting, []
        found = [_read(decision) for decision, _, _ in waiting]
        faults = [_fold(decision, bodies) for (decision, _, _), bodies in zip(waiting, found, strict=True)]
        for (decision, finish, context), fault in zip(waiting, faults, strict=True):
            if fault is None:
                context.run(self._go_on, decision, finish)
            else:
                finish(fault)


def _read(decision: Decision) -> Bodies | Exception | None:
    try:
        return decision.station.loader.bodies(decision.boundary)
    except Exception as error:  # noqa: BLE001  it is the one command's, and told to it
        return error


def _fold(decision: Decision, found: Bodies | Exception | None) -> Exception | None:
    """Fold what was read; if it was too much to be read at once, the command will wait for it."""
    if found is None or isinstance(found, Exception):
        return found
    try:
        decision.station.loader.take(decision.boundary, found)
    except Exception as error:  # noqa: BLE001  the same
        return error
    decision.is_loaded = True
    return None
