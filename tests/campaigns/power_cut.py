"""Cuts the power under a writing process: ``python -m tests.campaigns.power_cut --rounds 100`` (Linux, as root)."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from itertools import islice

from tests.campaigns.disks import power_cut_disk
from tests.campaigns.survival import Acknowledged, Failed, Verdict, judge, say, sqlite_url, told, victim


def power_cut_rounds(rounds: int, seed: int = 1, options: str = "") -> Iterator[tuple[Verdict, set[str]]]:
    """Each round: write to a fresh disk, cut its power after some acknowledgements, give it back, judge.

    Yields the verdict and the names of the errors that the writers got after the cut. Only what was heard before the
    cut counts as acknowledged: with real power nobody hears more, while here a sync that races with the shutdown of the
    file system may report success for what is lost (a plain write and fdatasync to a growing file shows the same).
    """
    chance = random.Random(seed)
    for _ in range(rounds):
        with power_cut_disk() as disk:
            with victim(sqlite_url(disk.directory, options)) as process:
                lines = told(process)
                heard = list(islice(lines, chance.randint(1, 3_000)))
                disk.cut()
                errors = {line.error for line in lines if isinstance(line, Failed)}
            disk.back()
            acknowledged = [line for line in heard if isinstance(line, Acknowledged)]
            yield judge(sqlite_url(disk.directory, options), acknowledged), errors


def main() -> int:
    """Print a line a round and a sum; exit 1 if anything acknowledged was lost or damaged."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=20)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--durability", choices=("full", "relaxed"), default="full")
    given = options.parse_args()
    bad = acknowledged = 0
    rounds = power_cut_rounds(given.rounds, given.seed, f"?durability={given.durability}")
    for number, (verdict, errors) in enumerate(rounds, 1):
        bad += bool(verdict.lost or verdict.faults)
        acknowledged += verdict.acknowledged
        say(f"cut {number}: {verdict} {sorted(errors)}")
    say(f"{given.rounds} cuts, {acknowledged} acknowledged, {bad} with losses or faults")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
