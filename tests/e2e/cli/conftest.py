"""A project as ``headwater new`` writes it, and a way to run command lines in its directory."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from headwater.cli import main
from headwater.cli.verbs.new import write_project

_MODULES = ("app", "task", "tasks", "test_task")


@dataclass
class Ended:
    """How a command line ended: exit code and both streams."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value on standard output."""
        return msgspec.json.decode(self.out)

    @property
    def problem(self) -> Any:
        """The problem document on standard error."""
        return msgspec.json.decode(self.err)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The directory of a new project named todo, which is the current one."""
    directory = tmp_path / "todo"
    write_project(directory)
    monkeypatch.chdir(directory)
    monkeypatch.delenv("HEADWATER_URL", raising=False)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield directory
    for name in _MODULES:
        sys.modules.pop(name, None)


@pytest.fixture
def headwater(project, capsys):
    """Run a command line in the project's directory, in this process."""

    def run(*words):
        code = main([str(word) for word in words])
        shown = capsys.readouterr()
        return Ended(int(code), shown.out, shown.err)

    return run


@pytest.fixture
def process(project):
    """Run a command line as a process of its own, with this standard input."""

    def run(*words, given=""):
        ended = subprocess.run(
            [sys.executable, "-m", "headwater", *map(str, words)],
            input=given,
            capture_output=True,
            text=True,
            check=False,
            cwd=project,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    return run


@pytest.fixture
def tasks(headwater):
    """Three tasks in the project's log, of which one is done: four events."""
    for number in (1, 2, 3):
        sent = headwater("send", "app:app", "add-task", "-f", f"task_id=t{number}", "-f", f"title=Task {number}")
        assert sent.code == 0, sent.err
    assert headwater("send", "app:app", "complete-task", "-f", "task_id=t2").code == 0
