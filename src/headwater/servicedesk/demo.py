"""The demo: replay the log of a real service desk, wait for the read models, check every figure, say how fast it was.

Reads: last_run.py, replay.py, figures.py, expected.py. Read next: cli/verbs/demo.py (the verb).
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable, Iterator, Sequence, Sized
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import msgspec

from headwater import Runtime
from headwater.event_store.opening import url_to_show
from headwater.servicedesk.app import app
from headwater.servicedesk.expected import SHIPPED_LOG, differences, expected_figures, shipped_truth
from headwater.servicedesk.figures import read_figures
from headwater.servicedesk.last_run import DemoRefused, remove_last_run
from headwater.servicedesk.log_rows import BrokenRow, read_rows
from headwater.servicedesk.replay import Replay, Tally, known_keys
from headwater.servicedesk.report_views import GroupWorkload, MonthlyVolume, SlaReport, StatusOverview

DEFAULT_FILE = Path("headwater-demo.db")
"""The demo's own log, in the current directory. A new run replaces it, if it is the demo's indeed."""

_CATCH_UP_SECONDS = 600.0
_BROKEN_KEPT = 10
_GROUPS_SHOWN = 10
_CASES_KEPT = 50_000
_OBJECTS_BETWEEN_COLLECTIONS = 50_000


class DemoOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What to replay (``data``, its first ``limit`` rows), where to (``url``), and how.

    ``again`` sends everything once more to the log of an earlier run, where it must change nothing. ``resume`` goes on
    after a run that was interrupted. ``skip_broken`` leaves out rows that cannot be read, instead of stopping there.
    ``in_flight`` cases are worked on at the same time.
    """

    url: str | None = None
    data: str | None = None
    limit: int | None = None
    again: bool = False
    resume: bool = False
    skip_broken: bool = False
    in_flight: int = 256


class DemoResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came out. ``events`` were appended by this run; ``seconds`` is until the read models had all of them.

    ``repeated`` commands were in the log already, ``skipped`` ones were not even sent. ``figures`` were read from the
    read models; ``differences`` names those that are not what the raw rows say.
    """

    commands: int
    events: int
    refused: int
    seconds: float
    figures: dict[str, Any]
    figures_equal: bool
    differences: list[str]
    compared_with: list[str]
    commands_a_second: int
    rows: int
    repeated: int
    skipped: int
    refusals: list[str]
    broken_rows: list[str]
    url: str


class Report(Protocol):
    """Where the demo tells how it goes: the command line's screen, or nothing at all."""

    def line(self, text: str = "") -> None:
        """Say one thing."""
        ...

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str = "") -> None:
        """Show rows under column names."""
        ...

    def progress(self, what: str) -> AbstractContextManager[Callable[[int, int | None], None]]:
        """Show how far it is: gives ``moved(done, total)``."""
        ...


async def run_demo(options: DemoOptions, report: Report) -> DemoResult:
    """Replay, check, report. The log stays; open it with ``servicedesk.app`` to go on with it.

    Raises ``DemoRefused``, ``LogError`` or ``BrokenRow`` for a file that cannot be read, and ``StoreError``.
    """
    async with open_desk(options, report) as desk:
        return await replay_and_check(desk, options, report)


@asynccontextmanager
async def open_desk(options: DemoOptions, report: Report) -> AsyncIterator[Runtime]:
    """The service desk on the demo's log: a fresh one, unless it is to be repeated or resumed."""
    url = url_of(options)
    if options.url is None and not (options.again or options.resume):
        next(read_rows(_data_of(options), limit=1, skip=lambda _: None), None)  # what cannot be read costs no log
        if await remove_last_run(DEFAULT_FILE):
            report.line(f"The demo's last log, {DEFAULT_FILE}, is replaced (keep one with --url, go on with --resume).")
    async with app.open(url, cache_size=_CASES_KEPT) as desk:
        await _check_start(desk, options, url)
        yield desk


def url_of(options: DemoOptions) -> str:
    """The log to write: what was given, else the demo's own file in the current directory."""
    return options.url or f"sqlite:///{DEFAULT_FILE}"


async def replay_and_check(desk: Runtime, options: DemoOptions, report: Report) -> DemoResult:
    """The demo on an open desk: what ``run_demo`` does between opening and closing it."""
    path = _data_of(options)
    broken: list[BrokenRow] = []
    head = await desk.event_store.head()
    began = perf_counter()
    tally = await _replay(desk, path, options, report, broken)
    position = await desk.caught_up(timeout=_CATCH_UP_SECONDS)
    seconds = perf_counter() - began
    figures = await read_figures(desk)
    wanted = _wanted(path, options, broken)
    unequal = [
        f"{source}: {difference}" for source, truth in wanted.items() for difference in differences(figures, truth)
    ]
    result = DemoResult(
        commands=tally.commands,
        events=position - head,
        refused=tally.refused,
        seconds=round(seconds, 3),
        figures=figures,
        figures_equal=not unequal,
        differences=unequal,
        compared_with=list(wanted),
        commands_a_second=round(tally.commands / seconds),
        rows=tally.rows,
        repeated=tally.repeated,
        skipped=tally.skipped,
        refusals=tally.refusals,
        broken_rows=[str(row) for row in broken[:_BROKEN_KEPT]],
        url=url_to_show(url_of(options)),
    )
    await _tell(desk, result, report)
    return result


async def _check_start(desk: Runtime, options: DemoOptions, url: str) -> None:
    head = await desk.event_store.head()
    if head and not (options.again or options.resume):
        raise DemoRefused(
            f"{url_to_show(url)} has {head:,} events already",
            remedy="--again repeats the replay on it, --resume goes on after an interruption, --url names another log",
        )
    if options.again and not head:
        raise DemoRefused(f"{url_to_show(url)} has nothing to repeat", remedy="run it once without --again")


def _data_of(options: DemoOptions) -> Path:
    return Path(options.data) if options.data else SHIPPED_LOG


async def _replay(desk: Runtime, path: Path, options: DemoOptions, report: Report, broken: list[BrokenRow]) -> Tally:
    known = await known_keys(desk) if options.resume else set[str]()
    if options.resume:
        report.line(f"{len(known):,} commands are in the log already.")
    skip = broken.append if options.skip_broken else None
    total = options.limit or (shipped_truth()["events"] if path == SHIPPED_LOG else None)
    with report.progress("Replaying rows") as moved, _rare_collections():
        replay = Replay(
            desk, in_flight=options.in_flight, known=known, moved=lambda done: moved(done, total), skip=skip
        )
        tally = await replay.run(read_rows(path, limit=options.limit, skip=skip))
        moved(tally.rows, tally.rows)
    return tally


@contextmanager
def _rare_collections() -> Iterator[None]:
    """A replay makes many objects and no cycles: looking for them as often as usual took a sixth of its time."""
    usual = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _wanted(path: Path, options: DemoOptions, broken: list[BrokenRow]) -> dict[str, dict[str, Any]]:
    """What the figures must be, by where that is known from."""
    without = {row.line for row in broken}
    wanted = {"counted from the raw rows": expected_figures(path, limit=options.limit, without=without)}
    if path == SHIPPED_LOG and options.limit is None:
        wanted["shipped with the log"] = shipped_truth()
    return wanted


async def _tell(desk: Runtime, result: DemoResult, report: Report) -> None:
    await _tell_reports(desk, report)
    report.line(f"{result.commands:,} commands made {result.events:,} events from {result.rows:,} rows.")
    report.line(f"{result.seconds:.1f} s, {result.commands_a_second:,} commands/s, read models included.")
    report.line(
        f"{result.refused:,} were refused, {result.repeated:,} repeated, {result.skipped:,} known and not sent."
    )
    for text in (*result.refusals, *result.broken_rows):
        report.line(f"  left out: {text}")
    if result.figures_equal:
        count = _count(result.figures)
        report.line(f"All {count} figures of the read models are equal to those {' and '.join(result.compared_with)}.")
    else:
        report.line(f"{len(result.differences)} figures are NOT equal:")
        for text in result.differences:
            report.line(f"  {text}")
    if not result.url.startswith("memory:"):  # that one is gone with this process
        report.line(f"Look around: headwater serve headwater.servicedesk:app --url {result.url}")


async def _tell_reports(desk: Runtime, report: Report) -> None:
    report.table(
        ("status", "incidents now", "saves"),
        [(row.status, row.incidents, row.saves) for row in await desk.ask(StatusOverview())],
        title="Status",
    )
    report.table(
        ("month", "opened", "resolved", "reopened", "closed"),
        [(row.month, row.opened, row.resolved, row.reopened, row.closed) for row in await desk.ask(MonthlyVolume())],
        title="Monthly volume",
    )
    report.table(
        ("priority", "incidents", "missed target"),
        [(row.priority, row.incidents, row.missed) for row in await desk.ask(SlaReport())],
        title="Promises",
    )
    report.table(
        ("group", "assigned", "open now", "received", "resolved"),
        [
            (row.group, row.assigned, row.open_now, row.received, row.resolved)
            for row in await desk.ask(GroupWorkload(limit=_GROUPS_SHOWN))
        ],
        title="Busiest groups",
    )


def _count(figures: dict[str, Any]) -> int:
    """How many single figures are in the tree of them."""
    return sum(len(figure) if isinstance(figure, Sized) else 1 for figure in figures.values())
