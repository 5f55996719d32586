"""``headwater work`` and the roles of ``headwater serve``, as processes of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import msgspec
import pytest
from tests.e2e.cli.test_serve import call, served

from headwater.cli import main
from headwater.errors import InvalidSetting
from headwater.http import HttpOptions, UnknownRole
from headwater.read_store import open_read_store

ROWS = "sqlite:///todo.read.db"


@contextmanager
def working(project, *words):
    """A worker as a process of its own, and what it says of itself; it is stopped at the end."""
    command = [sys.executable, "-m", "headwater", "work", "app:app", "--json", *words]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process, msgspec.json.decode(process.stdout.readline())
        finally:
            process.terminate()
            process.communicate(timeout=60)


async def fleet():
    """The read store's picture of the fleet."""
    async with open_read_store(ROWS) as rows:
        return await rows.fleet()


async def until(check):
    """Wait until that holds for the fleet."""
    async with asyncio.timeout(60):
        while True:
            if check(await fleet()):
                return
            await asyncio.sleep(0.02)


def owners(found):
    """Who holds something."""
    return {share.checkpoint.owner for share in found.shares} - {""}


def test_commands_work_and_queries_in_three_processes(project):
    """One takes commands, one projects, one answers; each only that."""
    with (
        served(project, "--role", "command") as (_, commands),
        working(project),
        served(project, "--role", "query") as (_, queries),
    ):
        assert call(f"{commands}/commands/add-task", {"task_id": "t1", "title": "Milk"})[0] == 200
        _, page = call(f"{queries}/queries/find-tasks", **{"headwater-position": "1"})
        assert [row["task_id"] for row in page["items"]] == ["t1"]
        assert call(f"{queries}/commands/add-task", {"task_id": "t2", "title": "Bread"})[0] == 404
        assert call(f"{commands}/queries/find-tasks")[0] == 404
        assert call(f"{queries}/health/ready")[1]["projections"][0]["workers"] == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_hands_everything_over(project, tasks, number):
    """The exit code is 0, nothing is held any more, and the worker is forgotten."""
    with working(project) as (process, said):
        assert (said["working"], said["health"]) == ("todo", None)
        await until(lambda found: owners(found) and not any(s.checkpoint.position < 4 for s in found.shares))
        process.send_signal(number)
        assert process.wait(timeout=60) == 0
    found = await fleet()
    assert (owners(found), found.workers) == (set(), ())


async def test_several_workers_share_the_work_and_one_that_ends_is_replaced(project, tasks):
    """As many as asked for; when they are stopped, nothing is held."""
    with working(project, "--workers", "2") as (process, said):
        assert said["workers"] == 2
        await until(lambda found: len(owners(found)) == 2)
        victim = (await fleet()).workers[0]
        os.kill(victim.pid, signal.SIGKILL)
        await until(lambda found: len(owners(found)) == 2 and victim.id not in owners(found))
        process.terminate()
        assert process.wait(timeout=60) == 0
    found = await fleet()
    assert (owners(found), [w.id for w in found.workers if w.is_live and w.id != victim.id]) == (set(), [])


async def test_workers_stop_when_who_watches_over_them_is_killed(project, tasks):
    """Nobody is left behind."""
    with working(project, "--workers", "2") as (process, _):
        await until(lambda found: len(owners(found)) == 2)
        process.kill()
        await until(lambda found: not owners(found))


def test_health_fails_while_work_waits_and_nobody_goes_on(project, tasks):
    """A process that only answers queries says so, until somebody works; then it is well again."""
    with served(project, "--role", "query", "--patience", "0") as (_, address):
        assert call(f"{address}/health") == (200, {"status": "ok"})
        status, problem = call(f"{address}/health/ready")
        assert (status, problem["type"]) == (503, "urn:headwater:problem:projection-stalled")
        assert (problem["fields"]["projection"], problem["fields"]["position"], problem["fields"]["head"]) == (
            "Tasks",
            0,
            4,
        )
        with working(project, "--health-port", "0") as (_, said):
            call(f"{address}/queries/find-tasks", **{"headwater-position": "4", "prefer": "wait=30"})
            assert call(f"{address}/health/ready")[0] == 200
            assert call(f"{said['health']}/health/ready")[1]["projections"][0]["state"] == "live"


def test_a_store_that_cannot_be_opened_ends_work_in_its_own_error(process, project):
    """Also where several processes would have been started."""
    (project / "todo.db").write_bytes(b"something else entirely" * 400)
    for workers in ("1", "2"):
        ended = process("work", "app:app", "--workers", workers, "--json")
        assert (ended.code, ended.problem["code"]) == (3, "store-corrupt")


def test_a_role_that_is_none_is_refused(project, capsys):
    """On the command line, and in code."""
    assert main(["serve", "app:app", "--role", "queen"]) == 2
    assert "queen" in capsys.readouterr().err
    with pytest.raises(UnknownRole, match="command, query, all"):
        HttpOptions(role="queen")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("authenticate", "ada"),
        ("doors", None),
        ("doors", ["/ui"]),
        ("routes", "/hello"),
        ("max_body_bytes", 0),
        ("max_body_bytes", 1e6),
        ("wait_seconds", float("nan")),
        ("longest_wait_seconds", -1),
        ("heartbeat_seconds", 0),
        ("patience_seconds", "30"),
        ("docs", "no"),
    ],
)
def test_a_setting_of_the_door_that_is_none_is_refused(name, value):
    """Where it is given, by name, and not by the first request that comes upon it."""
    with pytest.raises(InvalidSetting, match=name) as caught:
        HttpOptions(**{name: value})
    assert (caught.value.setting, caught.value.remedy[:5]) == (name, "give ")
