"""Killed at any moment, rows and checkpoint fit each other: the read model is the fold of the log up to there."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from tests.accounts import CODEC, Balances, Entries, bank, expected_balances, expected_entries
from tests.campaigns.projecting import stores

_ROOT = Path(__file__).parent.parent.parent
_KILLS = 6


def killed_after(directory, seed, lines):
    """Let a process append and project, and kill it when it has said so many lines."""
    command = [sys.executable, "-m", "tests.campaigns.projecting", str(directory), str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=_ROOT, env=environment) as process:
        for _ in range(lines):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)


async def logged(desk):
    """All events of the log."""
    return [CODEC.decode(event) for event in (await desk.events.read()).events]


async def test_a_killed_process_leaves_rows_that_fit_their_checkpoint(tmp_path):
    """Six times on the same files; then whoever comes next ends with the right rows."""
    chance = random.Random(7)
    for seed in range(_KILLS):
        killed_after(tmp_path, seed, chance.randrange(1, 60))
        async with bank(Balances, Entries, **stores(tmp_path), follow=False) as desk:
            events = await logged(desk)
            reached = {name: found.position for name, found in (await desk.rows.checkpoints()).items()}
            assert max(reached.values()) <= len(events)
            assert await desk.balances() == expected_balances(events[: reached["Balances"]])
            assert await desk.entries() == expected_entries(events[: reached["Entries"]])
    async with bank(Balances, Entries, **stores(tmp_path)) as desk:
        await desk.caught_up()
        assert await desk.balances() == expected_balances(await logged(desk))
        assert await desk.entries() == expected_entries(await logged(desk))
