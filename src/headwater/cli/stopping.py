"""Waiting for a signal to stop, so that what is under way is finished first. Reads: nothing here."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

_NUMBERS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_signal() -> Iterator[asyncio.Event]:
    """An event that SIGINT and SIGTERM set, instead of interrupting."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in _NUMBERS:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in _NUMBERS:
            loop.remove_signal_handler(number)
