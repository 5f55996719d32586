"""Writers that are stopped in the middle, and a judge of what they left. Read next: kill.py, power_cut.py.

Run as a program it is the victim: clients append pairs of events, each on the condition that nobody else did, and
say on standard output what was acknowledged. ``judge`` then reads the log alone and compares.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import msgspec

from headwater.errors import StoreError
from headwater.event_store import AppendCondition, Appended, EventQuery, EventStore, NewEvent, open_store

CLIENTS = 32


class Acknowledged(msgspec.Struct, frozen=True):
    """A pair that the store said it has: whose, the client's how-many-th, and where it stands."""

    client: str
    turn: int
    first: int


class Failed(msgspec.Struct, frozen=True):
    """How a client's append failed: the name of the error."""

    error: str


class Verdict(msgspec.Struct, frozen=True):
    """What became of the acknowledged pairs, and the faults found in the log."""

    acknowledged: int
    stored: int
    lost: int
    faults: tuple[str, ...]


@contextmanager
def victim(url: str) -> Iterator[subprocess.Popen[str]]:
    """A process that appends until it is killed or its disk fails; gone at the end of the block."""
    command = [sys.executable, "-u", __file__, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def told(process: subprocess.Popen[str]) -> Iterator[Acknowledged | Failed]:
    """What the process says, line by line, until it ends."""
    assert process.stdout is not None
    for line in process.stdout:
        kind, *words = line.split()
        yield Failed(words[0]) if kind == "failed" else Acknowledged(words[0], int(words[1]), int(words[2]))


def judge(url: str, acknowledged: list[Acknowledged]) -> Verdict:
    """Read the log that was left, and say whether every promise was kept."""
    return asyncio.run(_judge(url, acknowledged))


async def _judge(url: str, acknowledged: list[Acknowledged]) -> Verdict:
    async with open_store(url) as store:
        log = (await store.read()).events
    faults = [f"position {e.position} at place {n}" for n, e in enumerate(log, 1) if e.position != n]
    pairs = {}
    turns: dict[str, int] = {}
    for first, second in zip(log[::2], log[1::2], strict=False):
        client, turn = first.tags[0], int(first.data)
        if (first.type, second.type, second.tags[0], int(second.data)) != ("First", "Second", client, turn):
            faults.append(f"half an append at {first.position}")
        if turns.get(client, 0) + 1 != turn:
            faults.append(f"{client} appended {turn} after {turns.get(client, 0)} at {first.position}")
        turns[client] = turn
        pairs[first.position] = (client, turn)
    if len(log) % 2:
        faults.append("half an append at the end")
    lost = sum(pairs.get(pair.first) != (pair.client, pair.turn) for pair in acknowledged)
    return Verdict(len(acknowledged), len(pairs), lost, (*faults, *_damage(url)))


def _damage(url: str) -> Iterator[str]:
    connection = apsw.Connection(url.removeprefix("sqlite:///").partition("?")[0])
    for (line,) in connection.execute("PRAGMA integrity_check"):
        if line != "ok":
            yield line
    connection.close()


async def _append_for_ever(url: str) -> None:
    async with open_store(url) as store:
        await asyncio.gather(*(_client(store, f"client:{number}") for number in range(CLIENTS)))


async def _client(store: EventStore, tag: str) -> None:
    own = EventQuery.of(tags=(tag,))
    seen = await store.read(own, backwards=True, limit=1)
    turn = int(seen.events[0].data) if seen.events else 0
    last = seen.head
    while True:
        turn += 1
        pair = [NewEvent(name, str(turn).encode(), (tag,)) for name in ("First", "Second")]
        try:
            made = await store.append(pair, AppendCondition(own, last))
        except StoreError as error:
            say(f"failed {type(error).__name__}")
            return
        if not isinstance(made, Appended):
            say("failed Conflict")
            return
        last = made.last
        say(f"acknowledged {tag} {turn} {made.first}")


def say(line: str) -> None:
    """One write, so that a line arrives whole or not at all."""
    os.write(1, f"{line}\n".encode())


def sqlite_url(directory: Path, options: str = "") -> str:
    """The log in that directory."""
    return f"sqlite:///{directory / 'log.db'}{options}"


if __name__ == "__main__":
    asyncio.run(_append_for_ever(sys.argv[1]))
