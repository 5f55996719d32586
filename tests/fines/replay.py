"""Replay the fines office's log into any stores. Reads: rows.py. ``python -m tests.fines.replay URL ROWS`` runs it.

The feeder keeps many commands under way: a commit then stores many of them. Each of its hands takes the next row and
sends it, without a look at the cases: commands with the same boundary are carried out in the order they were sent in.
A replay that was interrupted goes on: commands that are in the log already are not sent again.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter

import msgspec
from tests.fines.app import app
from tests.fines.expected import LOG
from tests.fines.rows import Row, command_of, read_rows

from headwater import Runtime
from headwater.servicedesk.replay import known_keys

_IN_FLIGHT = 512
_CASES_KEPT = 200_000
_ROWS_BETWEEN_REPORTS = 1_000
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


class Replayed(msgspec.Struct):
    """What a replay did: ``known`` commands were in the log and not sent, ``repeated`` ones were sent in vain."""

    sent: int = 0
    known: int = 0
    repeated: int = 0
    position: int = 0


async def replay(
    office: Runtime,
    rows: Iterable[Row],
    *,
    known: Collection[str] = (),
    in_flight: int = _IN_FLIGHT,
    tell: bool = False,
) -> Replayed:
    """Send the rows; returns once all of them are durable. Raises what a command fails with."""
    done = Replayed()
    feed = iter(rows)

    async def hand() -> None:
        for row in feed:
            if row.key in known:
                done.known += 1
                continue
            receipt = await office.execute(command_of(row), idempotency_key=row.key, actor=row.officer or None)
            done.sent += 1
            done.repeated += receipt.replayed
            done.position = max(done.position, receipt.position)
            if tell and done.sent % _ROWS_BETWEEN_REPORTS == 0:
                sys.stdout.write(f"{done.sent}\n")
                sys.stdout.flush()

    with _rare_collections():
        async with asyncio.TaskGroup() as hands:
            for _ in range(in_flight):
                hands.create_task(hand())
    return done


async def feed(url: str, limit: int | None, *, follow: bool = False, tell: bool = False) -> Replayed:
    """Open the office without followers, as one that only takes commands, and replay what is not in its log yet."""
    async with app.open(url, follow=follow, cache_size=_CASES_KEPT) as office:
        known = await known_keys(office)
        return await replay(office, read_rows(LOG, limit), known=known, tell=tell)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """A replay makes many objects and no cycles."""
    usual = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


if __name__ == "__main__":
    began = perf_counter()
    made = asyncio.run(feed(sys.argv[1], int(sys.argv[2]) or None, tell=True))
    sys.stdout.write(f"{made} {perf_counter() - began:.1f} s\n")
