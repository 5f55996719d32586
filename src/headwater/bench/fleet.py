"""Clients that append or command on one log from several processes, begun together. Reads: append.py, commands.py.

Run as a program, it is one of these processes: it opens the log, says that it is ready, waits for a line, and measures.
Read next: postgres_append.py.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import TypeAlias

import msgspec

from headwater.bench.append import append_client
from headwater.bench.commands import WARM_CACHE, command_client
from headwater.bench.figures import Sample
from headwater.bench.processes import answer
from headwater.bench.timing import rate_of_clients, run
from headwater.bench.workload import orders_app
from headwater.event_store import open_store

_PATIENCE_SECONDS = 60.0
_LAST_WORDS = 500
_Client: TypeAlias = Callable[[int], Callable[[], Awaitable[object]]]


class Clients(msgspec.Struct, frozen=True, kw_only=True):
    """What one process is to do: so many clients, each on its own orders, the first of them numbered ``first``.

    ``begun`` is how many appends each of them made before; ``conditional`` says whether they give a condition.
    With ``orders`` they send commands, the orders (as many as there are clients in all) being there before.
    """

    url: str
    clients: int
    seconds: float
    first: int = 0
    begun: int = 0
    conditional: bool = True
    orders: int = 0


def measured_fleet(asked: Clients, processes: int) -> Sample:
    """Appends or commands per second of all clients, divided among processes; the worst p50 and p99, all conflicts."""
    share = asked.clients // processes
    parts = [msgspec.structs.replace(asked, clients=share, first=number * share) for number in range(processes)]
    if processes == 1:
        return run(_measured(asked))
    with ExitStack() as stack:
        children = [stack.enter_context(_child(part)) for part in parts]
        for child in children:
            _line(child)
        for child in children:
            if child.stdin is not None:
                child.stdin.write(b"go\n")
                child.stdin.flush()
        return _together([msgspec.json.decode(_line(child), type=Sample) for child in children])


def _together(samples: Sequence[Sample]) -> Sample:
    names = dict.fromkeys(name for sample in samples for name in sample.details)
    found = {name: [sample.details.get(name, 0.0) for sample in samples] for name in names}
    details = {name: sum(values) if name == "conflicts" else max(values) for name, values in found.items()}
    return Sample(sum(sample.value for sample in samples), details)


@contextmanager
def _child(part: Clients) -> Iterator[subprocess.Popen[bytes]]:
    words = (sys.executable, "-m", "headwater.bench.fleet", msgspec.json.encode(part).decode())
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe) as child:  # noqa: S603  this interpreter
        try:
            yield child
            child.wait(_PATIENCE_SECONDS)
        finally:
            if child.poll() is None:
                child.kill()


def _line(child: subprocess.Popen[bytes]) -> bytes:
    """The next line of a child. Raises ``RuntimeError`` with its last words if there is none."""
    line = child.stdout.readline() if child.stdout else b""
    if not line and child.stderr:
        raise RuntimeError(child.stderr.read().decode(errors="replace")[-_LAST_WORDS:])
    return line


async def _measured(asked: Clients, *, wait: bool = False) -> Sample:
    conflicts: list[int] = []
    async with _commanding(asked) if asked.orders else _appending(asked, conflicts) as client:
        if wait:
            answer("ready")
            sys.stdout.flush()
            await asyncio.to_thread(sys.stdin.readline)
        sample = await rate_of_clients(asked.clients, asked.seconds, lambda number: client(asked.first + number))
        sample.details["conflicts"] = len(conflicts)
        return sample


@asynccontextmanager
async def _appending(asked: Clients, conflicts: list[int]) -> AsyncGenerator[_Client, None]:
    async with open_store(asked.url) as store:
        yield partial(append_client, store, begun=asked.begun, conditional=asked.conditional, conflicts=conflicts)


@asynccontextmanager
async def _commanding(asked: Clients) -> AsyncGenerator[_Client, None]:
    async with orders_app().open(asked.url, cache_size=WARM_CACHE) as runtime:
        yield partial(command_client, runtime, "AddLine", asked.orders, asked.orders)


if __name__ == "__main__":
    answer(msgspec.json.encode(run(_measured(msgspec.json.decode(sys.argv[1], type=Clients), wait=True))).decode())
