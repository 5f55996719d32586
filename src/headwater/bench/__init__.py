"""Benchmarks: Headwater against floors and peers in one run. Read: figures, timing, floors, the groups, runner.

A floor is the least that any program would have to do, hand-written on the driver. A peer is another library that does
the same job. Both are measured in turn with Headwater in every repetition, and only their ratios are judged.
"""

from __future__ import annotations

from collections.abc import Sequence


class WrongWords(ValueError):
    """The command line's words are not understood."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks as the command line says; returns its exit code. See ``--help``. Raises ``WrongWords``."""
    from headwater.bench.command_line import run  # what is measured is imported only to be measured

    return run(arguments)
