"""Killed at any moment, the rows of several models, the groups and the checkpoint fit each other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.projections.test_several_models import APP, events, expected, stored

_ROOT = Path(__file__).parent.parent.parent
_PROGRAM = """
import asyncio, sys
from tests.unit.projections.test_several_models import APP, events

async def main(log, rows, seed):
    async with APP.open(log, read_store=rows) as desk:
        happened = [desk.codec.encode_event(each) for each in events(seed, 5_000)]
        at = await desk.event_store.head()
        while at < len(happened):
            await desk.event_store.append(happened[at : at + 7])
            at += 7
            sys.stdout.write(f"{at}\\n")
            sys.stdout.flush()
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:3], int(sys.argv[3])))
"""


@pytest.fixture(params=["sqlite", "postgres"])
def rows(request, tmp_path):
    """The URL of a read store of each kind."""
    return f"sqlite:///{tmp_path}/rows.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


def killed_after(log, rows, lines):
    """Let a process append and project, and kill it when it has said so many lines."""
    environment = {**os.environ, "PYTHONPATH": f"{_ROOT / 'src'}:{_ROOT}"}
    command = [sys.executable, "-c", _PROGRAM, log, rows, "5"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=_ROOT, env=environment) as process:
        for _ in range(lines):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)


def in_order(found):
    """Rows as they are read: by key."""
    cases, callers, loads = found
    return [cases, sorted(callers, key=lambda row: row.caller), sorted(loads, key=lambda row: row.group)]


async def test_rows_groups_and_checkpoint_fit_after_every_kill(tmp_path, rows):
    """Four times on the same files; whoever comes next ends with the right rows, also built anew."""
    log = f"sqlite:///{tmp_path}/log.db"
    happened = events(5, 5_000)
    for lines in (3, 20, 45, 70):
        killed_after(log, rows, lines)
        async with APP.open(log, read_store=rows, follow=False) as desk:
            reached = (await desk.read_store.checkpoints())["Desk"].position
            assert await stored(desk) == in_order(expected(happened[:reached]))
    async with APP.open(log, read_store=rows) as desk:
        head = await desk.caught_up(timeout=60)
        assert await stored(desk) == in_order(expected(happened[:head]))
        await desk.rebuild("Desk")
        assert await stored(desk) == in_order(expected(happened[:head]))
