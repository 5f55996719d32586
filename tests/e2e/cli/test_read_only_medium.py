"""A log on a disc or a snapshot that is mounted to be read, with the read models beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import msgspec
import pytest


@pytest.fixture
def mounted(project, tasks, headwater):
    """Run a command line where the project's directory is mounted to be read. Its read models include all events."""
    assert headwater("projections", "status", "app:app", "--catch-up").code == 0
    alone, mount = ("unshare", "--mount", "sh", "-c"), f"mount --bind {project} {project}"
    mount = f"{mount} && mount -o remount,ro,bind {project}"
    if os.name != "posix" or not shutil.which("unshare") or subprocess.run([*alone, mount], check=False).returncode:
        pytest.skip("only root may mount")
    before = sorted(project.iterdir())

    def run(words):
        line = f"{mount} && cd {project} && ! touch here 2>/dev/null && {sys.executable} -m headwater {words} --json"
        ended = subprocess.run([*alone, line], capture_output=True, text=True, check=False)
        assert sorted(project.iterdir()) == before
        return ended

    return run


@pytest.mark.parametrize(
    "words",
    [
        "events sqlite:///todo.db",
        "ask app:app find-tasks",
        "ask app:app find-tasks --as-of 3",
        "projections status app:app",
        "projections diff app:app Tasks",
        "parked list app:app",
        "migrate sqlite:///todo.db",
        "doctor sqlite:///todo.db",
        "replicate sqlite:///todo.db memory:",
        "verify sqlite:///todo.db",
    ],
)
def test_it_is_read_as_it_is(mounted, words):
    """Nothing is made beside it, which a file in write-ahead mode else needs."""
    ended = mounted(words)
    assert ended.returncode == 0, ended.stderr


def test_an_answer_from_there_is_complete(mounted):
    """It is the one that was there when the medium was made."""
    answer = msgspec.json.decode(mounted("ask app:app find-tasks").stdout)
    assert (answer["position"], len(answer["value"]["items"])) == (4, 3)


@pytest.mark.parametrize(
    "words",
    ["send app:app add-task task_id=t9 title=x", "projections pause app:app Tasks", "demo --url sqlite:///x.db"],
)
def test_what_writes_is_refused(mounted, words):
    """With a typed error, as elsewhere."""
    ended = mounted(words)
    assert (ended.returncode, msgspec.json.decode(ended.stderr)["code"]) == (3, "store-read-only")
