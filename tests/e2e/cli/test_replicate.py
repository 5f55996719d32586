from __future__ import annotations

import asyncio
import random
import signal
import subprocess
import sys
from contextlib import contextmanager

import pytest

from headwater.event_store import NewEvent, open_store

LOG, COPY = "sqlite:///todo.db", "sqlite:///copy.db"
START = [sys.executable, "-m", "headwater", "replicate"]


def fill(url, count):
    """Append so many events, a few at a time."""

    async def work():
        async with open_store(url) as store:
            for start in range(0, count, 50):
                await store.append(
                    [NewEvent("Counted", b'{"n":%d}' % n, (f"n:{n % 97}",)) for n in range(start, start + 50)]
                )

    asyncio.run(work())


def events_of(url):
    """Everything the log holds, as the store gives it back."""

    async def work():
        async with open_store(url) as store:
            return (await store.read()).events

    return asyncio.run(work())


def reaches(url, position):
    """Wait until the log has that many events."""

    async def work():
        async with open_store(url) as store:
            async for news in store.subscribe():
                if news.head >= position:
                    return

    asyncio.run(work())


@contextmanager
def replicating(project, *options, to=COPY):
    """The verb as a process of its own; gone at the end of the block."""
    with subprocess.Popen(
        [*START, LOG, to, *options], cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_log_is_copied_and_verified(headwater, tasks):
    """People see how many events and the hash that `verify` prints of either; programs see the same."""
    shown = headwater("replicate", LOG, COPY)
    assert (shown.code, shown.out.splitlines()[0]) == (0, "4 events copied, 0 were there; both logs end at 4")
    again = headwater("replicate", LOG, COPY, "--json").json
    assert (again["head"], again["compared"], again["copied"]) == (4, 4, 0)
    assert headwater("verify", LOG, "--json").json["chain"] == again["chain"]
    assert headwater("verify", COPY, "--expect", again["chain"]).code == 0
    assert events_of(COPY) == events_of(LOG)


def test_a_target_with_another_history_is_refused(headwater, tasks):
    """Exit code 3 and the place; a target that is ahead is another history, too."""
    fill(COPY, 50)
    assert headwater("replicate", LOG, COPY, "--json").problem["code"] == "other-history"
    assert headwater("replicate", LOG, "sqlite:///other.db").code == 0
    fill(LOG, 50)
    refused = headwater("replicate", COPY, "sqlite:///other.db")
    assert (refused.code, len(events_of(COPY))) == (3, 50)
    assert "the target has another event at 4 than the source" in refused.err
    assert "the target is ahead" in headwater("replicate", "sqlite:///other.db", LOG).err


def test_a_source_that_is_not_there_is_not_made(headwater, project):
    """Nor is the target."""
    assert headwater("replicate", LOG, COPY).code == 3
    assert list(project.glob("*.db")) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_it_goes_on_after_kill_9(headwater, project, seed):
    """Killed at random places again and again, it ends with the same log, and every run went on from the last."""
    fill(LOG, 4_000)
    assert_it_survives(headwater, project, COPY, random.Random(seed))


def test_it_goes_on_after_kill_9_on_postgresql(headwater, project, postgres_url):
    """The same from SQLite to PostgreSQL, and back from there."""
    fill(LOG, 1_000)
    assert_it_survives(headwater, project, postgres_url, random.Random(3))
    assert headwater("replicate", postgres_url, COPY).code == 0
    assert events_of(COPY) == events_of(LOG)


def assert_it_survives(headwater, project, copy, chance):
    """Kill it until three quarters are there, then let it end."""
    size, reached, kills = len(events_of(LOG)), 0, 0
    while reached < 3 * size // 4:
        with replicating(project, "--batch", "2", to=copy) as process:
            reaches(copy, min(reached + chance.randint(1, size // 4), size - 100))
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
        left = len(events_of(copy))
        assert left >= reached
        assert left % 2 == 0
        reached = left
    ended = headwater("replicate", LOG, copy, "--json").json
    assert kills > 0
    assert (ended["compared"], ended["head"]) == (reached, size)
    assert events_of(copy) == events_of(LOG)
    assert headwater("verify", copy, "--expect", ended["chain"]).code == 0


def test_following_goes_on_until_a_signal(project, tasks):
    """What is appended while it follows arrives; SIGTERM ends it with its answer and exit code 0."""
    with replicating(project, "--follow", "--json") as process:
        reaches(COPY, 4)
        fill(LOG, 100)
        reaches(COPY, 104)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate()
    assert (process.returncode, err) == (0, b"")
    assert b'"head":104' in out
    assert events_of(COPY) == events_of(LOG)
