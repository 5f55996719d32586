"""Streams: whatever they are, a verb does its work and ends as it should."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

_HEADWATER = f'"{sys.executable}" -m headwater'


def run(words, **environment):
    """Run a line of shell, in which ``headwater`` is this one."""
    line = words.replace("headwater", _HEADWATER, 1)
    return subprocess.run(
        ["sh", "-c", line], capture_output=True, check=False, env={**os.environ, "PYTHONUTF8": "0", **environment}
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_process_without_a_stream_does_its_work(closed):
    """As when a service is started by something that closes them: libuv would abort the process."""
    assert run(f"headwater events memory: {closed}").returncode == 0


@pytest.mark.parametrize("no_color", ["", "1"])
def test_no_color_is_honoured_on_a_terminal(no_color):
    """Source: no-color.org. Empty means nothing."""
    ours, theirs = pty.openpty()
    subprocess.run(
        [sys.executable, "-m", "headwater", "nonsense"],
        stderr=theirs,
        check=False,
        env={**os.environ, "TERM": "xterm", "NO_COLOR": no_color},
    )
    os.close(theirs)
    with os.fdopen(ours, "rb") as shown:
        assert (b"\x1b[31m" in shown.readline()) is not bool(no_color)


def test_a_table_loses_only_what_the_locale_has_no_character_for():
    """Lines are drawn with characters that not every terminal has."""
    ended = run("headwater events memory:", PYTHONIOENCODING="ascii")
    assert ended.returncode == 0
    assert ended.stdout.startswith(b"position   recorded at")
