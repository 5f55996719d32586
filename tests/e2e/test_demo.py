"""The demo, run for real on SQLite files: repeated, killed, resumed, fed with broken logs."""

from __future__ import annotations

import gzip
import itertools
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from headwater.errors import StoreError
from headwater.servicedesk.demo import DEFAULT_FILE, DemoOptions, DemoRefused, run_demo
from headwater.servicedesk.expected import SHIPPED_LOG, shipped_truth
from headwater.servicedesk.log_rows import BrokenRow, LogError

ROWS = 1_500
WHOLE_LOG = 183_026

_CHILD = """
import asyncio, sys
from contextlib import contextmanager
from headwater.servicedesk.demo import DemoOptions, run_demo

class Report:
    def line(self, text=""): pass
    def table(self, columns, rows, *, title=""): pass
    @contextmanager
    def progress(self, what):
        yield lambda done, total: sys.stdout.write(f"{done}\\n") and sys.stdout.flush()

url, limit, resume = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "resume"
asyncio.run(run_demo(DemoOptions(url=url, limit=limit or None, resume=resume), Report()))
"""


class Quiet:
    """A report that keeps the lines."""

    def __init__(self):
        self.lines = []

    def line(self, text=""):
        self.lines.append(text)

    def table(self, columns, rows, *, title=""):
        assert all(len(row) == len(columns) for row in rows)

    @contextmanager
    def progress(self, what):
        yield lambda done, total: None


@pytest.fixture
def url(tmp_path):
    """A log of its own for each test."""
    return f"sqlite:///{tmp_path}/desk.db"


@pytest.fixture
def part(tmp_path):
    """The first rows of the shipped log in a plain file."""
    with gzip.open(SHIPPED_LOG, "rb") as log:
        lines = list(itertools.islice(log, 301))
    file = tmp_path / "part.csv"
    file.write_bytes(b"".join(lines))
    return file


def _run_and_kill(url, *, after_rows, limit=0, mode="new"):
    """Run the demo in a process of its own and kill it with -9 once it has told of that many rows."""
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, url, str(limit), mode], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    with child:
        for line in child.stdout:
            if int(line) >= after_rows:
                break
        child.send_signal(signal.SIGKILL)
    assert child.returncode == -signal.SIGKILL


async def test_every_figure_of_a_part_is_equal(url):
    """Commands in, figures out, compared with a count over the raw rows."""
    report = Quiet()

    result = await run_demo(DemoOptions(url=url, limit=ROWS), report)

    assert (result.rows, result.refused, result.figures_equal, result.differences) == (ROWS, 0, True, [])
    assert result.events == result.commands > ROWS
    assert any(line.startswith("All 4") and "are equal" in line for line in report.lines)


async def test_again_appends_nothing(url):
    """The same commands with the same keys."""
    first = await run_demo(DemoOptions(url=url, limit=ROWS), Quiet())

    again = await run_demo(DemoOptions(url=url, limit=ROWS, again=True), Quiet())

    assert (again.events, again.repeated, again.figures_equal) == (0, first.commands, True)


async def test_resume_sends_only_what_is_missing(url):
    """A run over fewer rows is as good as an interrupted one."""
    first = await run_demo(DemoOptions(url=url, limit=ROWS // 2), Quiet())

    rest = await run_demo(DemoOptions(url=url, limit=ROWS, resume=True), Quiet())

    assert (rest.skipped, rest.repeated, rest.figures_equal) == (first.commands, 0, True)


@pytest.mark.parametrize("after_rows", [512, 2_048])
async def test_killed_and_resumed_it_ends_with_the_same_figures(url, after_rows):
    """Nothing acknowledged is lost, nothing is done twice."""
    _run_and_kill(url, after_rows=after_rows, limit=4_000)

    result = await run_demo(DemoOptions(url=url, limit=4_000, resume=True), Quiet())

    assert result.figures_equal, result.differences
    assert result.skipped > 0
    assert (
        result.skipped + result.commands == (await run_demo(DemoOptions(url="memory:", limit=4_000), Quiet())).commands
    )


async def test_a_log_that_was_named_is_never_replaced(url):
    """The demo asks what to do with it; without a run before there is nothing to repeat."""
    with pytest.raises(DemoRefused, match="has nothing to repeat"):
        await run_demo(DemoOptions(url=url, again=True), Quiet())
    await run_demo(DemoOptions(url=url, limit=10), Quiet())

    with pytest.raises(DemoRefused, match="--resume goes on"):
        await run_demo(DemoOptions(url=url, limit=10), Quiet())


async def test_the_demos_own_log_is_replaced_and_it_says_so(tmp_path, monkeypatch):
    """Without a name each run begins anew, in the current directory."""
    monkeypatch.chdir(tmp_path)
    first, second = Quiet(), Quiet()

    await run_demo(DemoOptions(limit=10), first)
    result = await run_demo(DemoOptions(limit=10), second)

    assert (result.repeated, result.figures_equal) == (0, True)
    assert DEFAULT_FILE.exists()
    assert not any("is replaced" in line for line in first.lines)
    assert any("is replaced" in line for line in second.lines)


async def test_a_file_of_somebody_else_is_left_alone(tmp_path, monkeypatch):
    """Though it is called as the demo's own log is."""
    monkeypatch.chdir(tmp_path)
    DEFAULT_FILE.write_text("my notes")

    with pytest.raises(DemoRefused, match="did not make"):
        await run_demo(DemoOptions(limit=10), Quiet())

    assert DEFAULT_FILE.read_text() == "my notes"


async def test_a_broken_row_stops_it_and_once_mended_it_goes_on(url, part):
    """What came before the row is in the log; after the repair the figures are those of the whole file."""
    good = part.read_bytes()
    lines = good.splitlines(keepends=True)
    part.write_bytes(b"".join([*lines[:200], lines[200].replace(b"2016-", b"2O16-"), *lines[201:]]))

    with pytest.raises(BrokenRow, match="line 201, column timestamp"):
        await run_demo(DemoOptions(url=url, data=str(part)), Quiet())
    part.write_bytes(good)
    result = await run_demo(DemoOptions(url=url, data=str(part), resume=True), Quiet())

    assert (result.rows, result.figures_equal) == (300, True)
    assert result.skipped >= 199


async def test_broken_rows_left_out_are_told_and_the_figures_are_those_of_the_others(url, part):
    """Wrong values, a short line, another encoding: three rows are missing on both sides."""
    lines = part.read_bytes().splitlines(keepends=True)
    lines[50] = lines[50].replace(b"2016-", b"MMXVI-", 1)
    lines[60] = b"0000045,9\n"
    lines[70] = lines[70].replace(b"Phone", b"T\xe9l\xe9phone")
    part.write_bytes(b"".join(lines))
    report = Quiet()

    result = await run_demo(DemoOptions(url=url, data=str(part), skip_broken=True), report)

    assert (len(result.broken_rows), result.figures_equal) == (3, True), result.differences
    assert sum("left out: line" in line for line in report.lines) == 3


async def test_a_truncated_archive_keeps_what_it_had(url, tmp_path):
    """The error says how far it came; with the whole file the run goes on."""
    damaged = tmp_path / "log.csv.gz"
    damaged.write_bytes(SHIPPED_LOG.read_bytes()[:20_000])

    with pytest.raises(LogError, match="is damaged after line"):
        await run_demo(DemoOptions(url=url, data=str(damaged)), Quiet())
    result = await run_demo(DemoOptions(url=url, limit=1_000, resume=True), Quiet())

    assert result.skipped > 0
    assert result.figures_equal


async def test_a_directory_that_cannot_be_written_is_named(tmp_path):
    """The store's own error comes through."""
    with pytest.raises(StoreError):
        await run_demo(DemoOptions(url=f"sqlite:///{tmp_path}/nowhere/desk.db", limit=10), Quiet())


@pytest.mark.campaign
async def test_the_whole_log_killed_ten_times_has_every_figure(url):
    """The run of the demo, with a crash every 14,000 rows."""
    for number in range(1, 10):
        _run_and_kill(url, after_rows=14_000 * number, mode="new" if number == 1 else "resume")

    result = await run_demo(DemoOptions(url=url, resume=True), Quiet())

    assert (result.figures_equal, result.differences) == (True, [])
    assert result.figures == shipped_truth()
    assert result.skipped + result.commands == WHOLE_LOG
