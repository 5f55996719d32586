"""Several processes write, are killed and write again; then the whole history is held against the log.

``python -m tests.campaigns.recorded --rounds 50`` (or with ``--url`` for another backend). Read next: histories.py.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import msgspec
from tests.campaigns import histories
from tests.campaigns.survival import say, sqlite_url

from headwater.errors import StoreError
from headwater.event_store import EventStore, open_store
from headwater.testing.history import Answered, History, Sent, Violation, check

_PATIENCE_SECONDS = 60
_PAUSE_SECONDS = 0.01


class Judged(msgspec.Struct, frozen=True):
    """What happened, in numbers, and every broken promise. A fault that never struck proves nothing."""

    events: int
    kills: int
    in_flight: int
    outcomes: dict[str, int]
    replayed: int
    violations: list[Violation]


async def recorded_rounds(
    url: str,
    directory: Path,
    *,
    rounds: int,
    processes: int = 2,
    writers: int = 8,
    seed: int = 1,
    growth: int = 400,
    disturb: Callable[[], object] = lambda: None,
) -> Judged:
    """Each round starts the processes and kills them one by one, each after up to ``growth`` events more.

    ``disturb`` is called before each kill, in the middle of everything.
    """
    chance, kills = Random(seed), 0
    async with open_store(url) as store:
        for number in range(rounds):
            with victims(url, directory, processes, writers, seed + number * processes) as running:
                for process in running:
                    await _grown(store, chance.randint(1, growth))
                    disturb()
                    await _grown(store, chance.randint(1, growth))
                    process.kill()
                    kills += process.wait() == -9
        log = (await store.read()).events
    history = History.load(directory)
    answers = history.of(Answered)
    return Judged(
        events=len(log),
        kills=kills,
        in_flight=len(history.of(Sent)) - len(answers),
        outcomes=dict(Counter(answer.outcome for answer in answers)),
        replayed=sum(answer.replayed for answer in answers),
        violations=check(history, log),
    )


@contextmanager
def victims(url: str, directory: Path, count: int, writers: int, seed: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many processes that write and read, gone at the end of the block."""
    running = [
        subprocess.Popen([sys.executable, histories.__file__, url, str(directory), str(writers), str(seed + number)])
        for number in range(count)
    ]
    try:
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


async def _grown(store: EventStore, by: int) -> None:
    """Wait until the log has so many events more."""
    wanted = None
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            with suppress(StoreError):  # whoever disturbs may have cut this connection, too
                wanted = wanted or await store.head() + by
                async for news in store.subscribe(after=wanted - 1):
                    if news.head >= wanted:
                        return
            await asyncio.sleep(_PAUSE_SECONDS)


def main() -> int:
    """Print the numbers and each violation; exit 1 if there is any."""
    options = argparse.ArgumentParser(description=__doc__)
    for name, value in {"rounds": 20, "processes": 2, "writers": 8, "seed": 1, "growth": 400}.items():
        options.add_argument(f"--{name}", type=int, default=value)
    options.add_argument("--url")
    given = vars(options.parse_args())
    url = given.pop("url")
    with tempfile.TemporaryDirectory() as directory:
        judged = asyncio.run(recorded_rounds(url or sqlite_url(Path(directory)), Path(directory), **given))
    for violation in judged.violations:
        say(str(violation))
    say(str(msgspec.structs.replace(judged, violations=judged.violations[:1])))
    return 1 if judged.violations else 0


if __name__ == "__main__":
    sys.exit(main())
