"""Processes of two versions come and go beside each other: neither drops the rows that the other has just made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.accounts import Balances, bank, expected_balances
from tests.unit.followers.test_building_beside import Doubled, deposits, until, versions_of

_ROOT = Path(__file__).parent.parent.parent
_OLD_CODE = """
import asyncio, sys
from tests.accounts import Balances, bank
from headwater.read_store import open_read_store

def say(word):
    sys.stdout.write(f"{word}\\n")
    sys.stdout.flush()

async def main(log, rows):
    async with open_read_store(rows) as store:
        prepare = store.prepare
        async def prepare_and_stand_still(tables):
            await prepare(tables)
            say("made")
            await asyncio.to_thread(sys.stdin.readline)
        store.prepare = prepare_and_stand_still
        async with bank(Balances, events=log, rows=store, lease_seconds=60) as desk:
            await desk.caught_up()
            say(sum(row.amount for row in (await desk.balances()).values()))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture(params=["sqlite", "postgres"])
def stores(request, tmp_path):
    """A log and a read store that processes share."""
    rows = f"sqlite:///{tmp_path}/rows.db" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return {"events": f"sqlite:///{tmp_path}/log.db", "rows": rows}


def old_code(stores):
    """A process of version 1, which stands still when it has made its tables until it is told to go on."""
    environment = {**os.environ, "PYTHONPATH": f"{_ROOT / 'src'}:{_ROOT}"}
    command = [sys.executable, "-c", _OLD_CODE, *stores.values()]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=_ROOT, env=environment, **pipes)


async def has_retired(desk, process):
    """Whether version 2 is alone."""
    return process.poll() is not None and await versions_of(desk) == {2}


async def test_old_code_that_begins_beside_new_code_keeps_its_rows(stores):
    """Version 2 follows the log and drops what is left over; version 1 has made its tables, and not begun to follow."""
    events = deposits(200)
    async with bank(Doubled, **stores) as new:
        await new.append(*events)
        await new.caught_up()
        with old_code(stores) as process:
            assert process.stdout.readline() == "made\n"
            await new.follower._look()
            await new.follower._runner.retire("Balances")
            await new.rows.retire("Balances")
            assert await versions_of(new) == {1, 2}
            process.stdin.write("go on\n")
            process.stdin.flush()
            amount = sum(row.amount for row in expected_balances(events).values())
            assert process.stdout.readline() == f"{amount}\n"
        await until(has_retired, new, process)


async def test_rows_go_when_the_process_that_announced_them_was_killed(stores):
    """Its lease ends, or the machine says that it is no more."""
    async with bank(Doubled, **stores) as new, bank(Balances, **stores, follow=False, lease_seconds=0.2) as old:
        assert await versions_of(new) == {1, 2}
        old.follower._is_announced = False  # it says no goodbye
        await until(_is_alone_after_the_lease, new)


async def _is_alone_after_the_lease(desk):
    await desk.rows.retire("Balances")
    return await versions_of(desk) == {2}
