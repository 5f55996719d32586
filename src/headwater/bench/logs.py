"""Logs made beforehand, so that a sample starts from a history. Reads: payload.py. Read next: commands.py, load.py."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from headwater.bench.floors import fresh
from headwater.bench.payload import line_json, order_id
from headwater.event_store import open_store
from headwater.event_store.protocol import EventStore, NewEvent

_WRITERS = 64
_METADATA = b'{"command":"AddLine"}'


def log_url(directory: Path) -> str:
    """The URL of the log in a directory."""
    return f"sqlite:///{directory / 'log.db'}"


async def fill_with_orders(url: str, orders: int, events: int) -> None:
    """A log of so many orders with so many events each, each order in one append."""
    numbers = iter(range(orders))

    async def writer(store: EventStore) -> None:
        for number in numbers:
            await store.append([_event(order_id(number)) for _ in range(events)])

    async with open_store(url) as store:
        await asyncio.gather(*(writer(store) for _ in range(_WRITERS)))


async def fill_in_turn(url: str, events: int, orders: int, *, per_append: int = 1000) -> None:
    """A log of so many events, going round so many orders: what a projection has the most work with."""
    numbers = count()
    appends = iter(range(-(-events // per_append)))

    async def writer(store: EventStore) -> None:
        for append in appends:
            size = min(per_append, events - append * per_append)
            await store.append([_event(order_id(next(numbers) % orders)) for _ in range(size)])

    async with open_store(url) as store:
        await asyncio.gather(*(writer(store) for _ in range(4)))


@contextmanager
def copied(template: Path, parent: Path) -> Iterator[Path]:
    """A fresh directory with a copy of a closed log, so that every sample starts from the same.

    The copy is flushed: else the log's first checkpoint would write all of it, in the time that is measured.
    """
    with fresh(parent) as directory:
        shutil.copytree(template, directory, dirs_exist_ok=True)
        for path in directory.iterdir():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        yield directory


def _event(order: str) -> NewEvent:
    return NewEvent("LineAdded", line_json(order), (f"order:{order}",), metadata=_METADATA)
