"""The benchmarks' command line: what to run, how long, and where the report goes. Reads: runner.py, report.py."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import NoReturn

import msgspec

from headwater.bench import WrongWords
from headwater.bench.catalogue import GROUPS
from headwater.bench.figures import Settings
from headwater.bench.machine import machine_facts
from headwater.bench.processes import answer, tell
from headwater.bench.report import Report, as_markdown, inserted, made_report
from headwater.bench.runner import run_group

_MISSED = 1


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks. Progress goes to standard error. Returns 1 if ``--strict`` and a target is missed.

    Raises ``WrongWords``.
    """
    asked = _parser().parse_args(arguments)
    if asked.list:
        _list_groups(as_json=asked.json is not None)
        return 0
    with _workplace(asked.dir) as directory:
        settings = Settings(directory=Path(directory), scale=asked.scale, repetitions=asked.reps)
        if asked.sample:
            return _one_sample(asked.sample, settings)
        usual = [group.name for group in GROUPS.values() if asked.long or not group.long]
        report = _measured(asked.only or usual, settings)
    _write(report, asked.json, asked.markdown)
    return _MISSED if asked.strict and (report.missed or report.not_measured) else 0


class _Parser(argparse.ArgumentParser):
    """Leaves it to the caller to say what is wrong with the words, and how to exit."""

    def error(self, message: str) -> NoReturn:
        """Raise ``WrongWords``."""
        raise WrongWords(message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="headwater bench",
        description="Measure Headwater against floors and peers in the same run. Only ratios are judged.",
    )
    parser.add_argument("--only", action="append", choices=list(GROUPS), metavar="GROUP", help="run this group (again)")
    parser.add_argument("--long", action="store_true", help="run the groups that take minutes, too")
    parser.add_argument("--list", action="store_true", help="list the groups")
    parser.add_argument("--scale", type=float, default=1.0, help="multiply every time box (default 1)")
    parser.add_argument("--reps", type=int, default=5, help="interleaved repetitions (default 5)")
    parser.add_argument("--dir", type=Path, help="where databases are made: a real disk (default: here)")
    parser.add_argument(
        "--json", nargs="?", const="-", metavar="FILE", help="write the report as JSON (default: print)"
    )
    parser.add_argument(
        "--markdown", metavar="FILE", help="write the report as Markdown to a file, or into its marked place"
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a target is missed or not measured")
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    parser.add_argument("--sample", nargs=2, metavar=("GROUP", "CASE"), help=argparse.SUPPRESS)
    return parser


def _list_groups(*, as_json: bool) -> None:
    if as_json:
        answer(msgspec.json.encode([{"name": group.name, "title": group.title} for group in GROUPS.values()]).decode())
        return
    for group in GROUPS.values():
        answer(f"{group.name:18} {group.title}")


def _workplace(directory: Path | None) -> AbstractContextManager[str]:
    """A directory that goes away; under the current one by default, as /tmp is often memory, where a flush is free."""
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        return nullcontext(str(directory))
    return TemporaryDirectory(prefix=".headwater-bench-", dir=Path.cwd(), ignore_cleanup_errors=True)


def _measured(names: Sequence[str], settings: Settings) -> Report:
    started = perf_counter()
    machine = machine_facts(settings.directory)
    groups = tuple(run_group(GROUPS[name], settings, tell) for name in names)
    return made_report(machine, settings.scale, settings.repetitions, perf_counter() - started, groups)


def _one_sample(wanted: Sequence[str], settings: Settings) -> int:
    """Measure one case once and print the sample: how a parent process measures under other conditions."""
    group, name = wanted
    with GROUPS[group].plan(settings) as plan:
        case = next(case for case in plan.cases if case.name == name)
        answer(msgspec.json.encode(case.measure()).decode())
    return 0


def _write(report: Report, json: str | None, markdown: str | None) -> None:
    if json and json != "-":
        Path(json).write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    if markdown:
        path = Path(markdown)
        page = path.read_text(encoding="utf-8") if path.exists() else ""
        path.write_text(inserted(page, as_markdown(report)), encoding="utf-8")
    answer(msgspec.json.encode(report).decode() if json == "-" else as_markdown(report))
