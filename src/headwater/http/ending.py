"""Ends live queries when a server is told to stop. Reads: nothing. Read next: application.py.

A server waits for open requests before it tells the application that it stops, and a live query is a request that would
stay open. So the signal is heard here too, before the server hears it.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def at_a_signal(end: Callable[[], None]) -> Iterator[None]:
    """During the block, call ``end`` on the event loop when a signal comes that the server handles."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {number: signal.getsignal(number) for number in _SIGNALS}
    handled = {number: handler for number, handler in before.items() if callable(handler)}
    ours: dict[int, Any] = {}

    def hear(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(end)
        handled[number](number, frame)

    for number in handled:
        signal.signal(number, hear)
        ours[number] = signal.getsignal(number)
    try:
        yield
    finally:
        for number, handler in handled.items():
            if signal.getsignal(number) is ours[number]:
                signal.signal(number, handler)
