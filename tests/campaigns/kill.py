"""Kills a writing process again and again, and judges its log: ``python -m tests.campaigns.kill --rounds 100``."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tests.campaigns.survival import Acknowledged, Verdict, judge, say, sqlite_url, told, victim


def kill_rounds(directory: Path, rounds: int, seed: int = 1) -> Iterator[Verdict]:
    """Each round starts a writer on the same log, kills it after some acknowledgements, and judges the whole log."""
    chance, url = random.Random(seed), sqlite_url(directory)
    acknowledged: list[Acknowledged] = []
    for _ in range(rounds):
        with victim(url) as process:
            lines = told(process)
            acknowledged += (line for line in islice(lines, chance.randint(1, 3_000)) if isinstance(line, Acknowledged))
            process.kill()
            acknowledged += (line for line in lines if isinstance(line, Acknowledged))  # said before the kill
        yield judge(url, acknowledged)


def main() -> int:
    """Print a line a round and a sum; exit 1 if anything was lost or damaged."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=20)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    bad = 0
    with tempfile.TemporaryDirectory() as directory:
        for number, verdict in enumerate(kill_rounds(Path(directory), given.rounds, given.seed), 1):
            bad += bool(verdict.lost or verdict.faults)
            say(f"kill {number}: {verdict}")
    say(f"{given.rounds} kills, {bad} with losses or faults")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
