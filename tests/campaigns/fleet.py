"""A fleet of real processes that share projections: ``python -m tests.campaigns.fleet LOG ROWS`` is one of them.

Workers come, go, are killed and are stopped for longer than their lease, while events are appended. Afterwards each row
is compared with what the log says: the application has a row for each event and sums that tell if one came twice.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import Random
from subprocess import PIPE, Popen

from tests.pairings import fill, folded, projected, shelves_app

from headwater.event_store import EventStore, open_store
from headwater.read_store import Fleet, ReadStore, open_read_store, tables_of
from headwater.read_store.checkpoints import NOBODY, SLICES

LEASE_SECONDS = 0.75
_PATIENCE_SECONDS = 60.0
_LOCKED_SECONDS = 8.0
NAMES = ("Shelves", "Movements")


class Process:
    """One worker of the fleet."""

    def __init__(self, log: str, rows: str) -> None:
        command = [sys.executable, "-m", "tests.campaigns.fleet", log, rows]
        # In a session of its own: the kernel wakes who is stopped when a process group loses its shell.
        self._process = Popen(command, stdout=PIPE, text=True, start_new_session=True)
        assert self._process.stdout is not None
        self.id = self._process.stdout.readline().strip()

    def send(self, number: signal.Signals) -> None:
        """A signal, as any process on the machine could send it."""
        os.kill(self._process.pid, number)

    def wait(self) -> int:
        """Its exit code."""
        self._process.communicate(timeout=_PATIENCE_SECONDS)
        return self._process.returncode

    def end(self) -> None:
        """For good, whatever it does."""
        self._process.kill()
        self._process.communicate()


class Campaign:
    """A log, a read store, and the processes that work on them."""

    def __init__(self, log: str, rows: str, store: EventStore, read_store: ReadStore) -> None:
        self._urls = log, rows
        self.store = store
        self.rows = read_store
        self.processes: list[Process] = []
        self._filled = 0

    def start(self) -> Process:
        """One more worker."""
        process = Process(*self._urls)
        self.processes.append(process)
        return process

    def stop(self, process: Process) -> None:
        """Ask a worker to end; it does so with code 0."""
        process.send(signal.SIGTERM)
        assert process.wait() == 0
        self.processes.remove(process)

    def kill(self, process: Process) -> None:
        """End a worker without a word."""
        process.send(signal.SIGKILL)
        process.wait()
        self.processes.remove(process)

    async def append(self, events: int) -> None:
        """More work."""
        await fill(self.store, events)

    async def until(self, check: Callable[[Fleet], bool]) -> Fleet:
        """Wait until the fleet is like that."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while True:
                fleet = await self.rows.fleet()
                if check(fleet):
                    return fleet
                await asyncio.sleep(0.01)

    async def settled(self) -> Fleet:
        """The fleet when all who are at work have their fair share."""
        ids = {process.id for process in self.processes}
        fair = -(-SLICES // len(ids))

        def is_settled(fleet: Fleet) -> bool:
            found = owners(fleet)
            return all(set(held) == ids and max(held.values()) <= fair for held in (counted(found[n]) for n in NAMES))

        return await self.until(is_settled)

    async def suspend(self, process: Process) -> None:
        """Stop a worker, as a debugger or a moving virtual machine does, and wait until others hold what it held.

        In a file, a process that is stopped in the middle of a commit keeps the others out; it is woken, and stopped
        again at another moment. A server breaks such a commit off.
        """
        while True:
            process.send(signal.SIGSTOP)
            try:
                async with asyncio.timeout(_LOCKED_SECONDS if "sqlite:" in self._urls[1] else _PATIENCE_SECONDS):
                    await self.until(lambda fleet: all(process.id not in held for held in owners(fleet).values()))
                return
            except TimeoutError:
                if "sqlite:" not in self._urls[1]:
                    raise
                process.send(signal.SIGCONT)
                await asyncio.sleep(0.01)

    async def judge(self) -> None:
        """Everything counts, and counts once."""
        head = await self.store.head()
        await self.until(lambda fleet: all(share.checkpoint.position >= head for share in fleet.shares))
        assert await projected(self.rows) == await folded(self.store)


def owners(fleet: Fleet) -> dict[str, list[str]]:
    """Of each projection, who holds each slice."""
    found: dict[str, list[str]] = {}
    for share in fleet.shares:
        at = share.checkpoint
        found.setdefault(share.projection, [NOBODY] * SLICES)[at.low : at.high + 1] = [at.owner] * at.slices
    return found


def counted(holders: list[str]) -> dict[str, int]:
    """How many slices each holds."""
    counts: dict[str, int] = {}
    for owner in holders:
        counts[owner] = counts.get(owner, 0) + 1
    return counts


def moved(before: Fleet, after: Fleet) -> set[tuple[str, str]]:
    """Between whom slices moved."""
    pairs = ((owners(before)[name], owners(after)[name]) for name in NAMES)
    return {(old, new) for olds, news in pairs for old, new in zip(olds, news, strict=True) if old != new}


def moves(before: Fleet, after: Fleet) -> int:
    """How many slices moved."""
    pairs = ((owners(before)[name], owners(after)[name]) for name in NAMES)
    return sum(old != new for olds, news in pairs for old, new in zip(olds, news, strict=True))


@asynccontextmanager
async def campaign(log: str, rows: str) -> AsyncIterator[Campaign]:
    """Stores that are prepared, and nobody at work yet; all processes end with the block."""
    async with shelves_app().open(log, read_store=rows, follow=False):
        pass
    async with open_store(log) as store, open_read_store(rows) as read_store:
        await read_store.prepare([table for plan in shelves_app().wiring.projections for table in tables_of(plan)])
        run = Campaign(log, rows, store, read_store)
        try:
            yield run
        finally:
            for process in run.processes:
                process.end()


async def disturbed(run: Campaign, chance: Random, rounds: int, events: int) -> None:
    """One worker becomes four, with one stopped beyond its lease and one killed in every round; two are left."""
    run.start()
    await run.append(events)
    for _ in range(3):
        run.start()
        await run.append(events)
    await run.settled()
    for _ in range(rounds):
        victim, stopped = chance.sample(run.processes, 2)
        appending = asyncio.create_task(run.append(4 * events))
        await asyncio.sleep(chance.random() / 5)  # somewhere in the middle of its work
        run.kill(victim)
        await run.suspend(stopped)
        await appending
        stopped.send(signal.SIGCONT)
        run.start()
        await run.settled()
        await run.judge()
    for process in chance.sample(run.processes, 2):
        run.stop(process)
        await run.append(events)
    await run.settled()
    await run.judge()


async def _work(log: str, rows: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with shelves_app().open(log, read_store=rows, lease_seconds=LEASE_SECONDS) as runtime:
        sys.stdout.write(f"{runtime.worker.id}\n")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_work(*sys.argv[1:]))
