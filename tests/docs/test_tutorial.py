"""The tutorial as a reader does it: the file is saved, the prompt typed into, the server started, the shell used."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

_PAGE = (Path(__file__).parent.parent.parent / "docs" / "tutorial.md").read_text(encoding="utf-8")
_PYTHON = re.findall(r"```python\n(.*?)^```", _PAGE, re.DOTALL | re.MULTILINE)
_CONSOLE = re.findall(r"```console\n(.*?)^```", _PAGE, re.DOTALL | re.MULTILINE)
_FILE = [block for block in _PYTHON if block.startswith("# library.py\n")]
_PROMPT = [block for block in _PYTHON if not block.startswith("# library.py\n")]
_SHELL = [tuple(block.removeprefix("$ ").partition("\n")[::2]) for block in _CONSOLE]

_ASYNC_PROMPT = """
import ast, asyncio, code, inspect, types
here = {}
prompt = code.InteractiveConsole(here)
prompt.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
with asyncio.Runner() as loop:
    async def typed(compiled):
        made = types.FunctionType(compiled, here)()
        return await made if inspect.iscoroutine(made) else made
    def run(compiled):
        try:
            loop.run(typed(compiled))
        except Exception:
            prompt.showtraceback()
    prompt.runcode = run
    prompt.interact(banner="", exitmsg="")
"""
"""What ``python -m asyncio`` does. That of 3.13.0 does not wait for the rest of a block when it reads from a pipe."""


@pytest.fixture
def library(tmp_path):
    """The directory in which the reader works, with ``library.py`` saved and everything typed into the prompt."""
    (tmp_path / "library.py").write_text("\n\n".join(_FILE), encoding="utf-8")
    typed = "\n".join(["from library import *", *_PROMPT, "print('all', 'typed')\n"])
    prompt = subprocess.run(
        [sys.executable, "-c", _ASYNC_PROMPT],
        cwd=tmp_path,
        input=typed,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "all typed" in prompt.stdout
    assert "Traceback" not in prompt.stderr, prompt.stderr
    return tmp_path


@pytest.fixture
def shell(library):
    """A shell in that directory, with the commands of this environment, and a free port instead of the tutorial's."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def start(line):
        return subprocess.Popen(
            ["sh", "-c", "exec " + line.replace("8000", str(port))],
            cwd=library,
            env={**os.environ, "PATH": path, "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


@pytest.mark.skipif(shutil.which("curl") is None, reason="the tutorial uses curl")
def test_what_the_tutorial_shows_in_the_shell_is_what_happens(shell):
    """The server starts, every command line works, and says what the page says."""
    (serve,) = [line for line, _ in _SHELL if line.startswith("headwater serve")]
    server = shell(serve)
    try:
        assert "serving library" in server.stdout.readline()
        answers = [(line, told, shell(line).communicate(timeout=30)[0]) for line, told in _SHELL if _is_run(line)]
    finally:
        server.terminate()
        server.communicate(timeout=30)

    assert len(answers) >= 4
    assert [(line, answer) for line, told, answer in answers if not _agrees(told, answer)] == []
    assert server.returncode == 0


def _is_run(line):
    return not line.startswith(("pip", "headwater serve"))


def _agrees(told, answer):
    """The same text, however it is wrapped and drawn; ``...`` stands for what differs from run to run."""
    told, answer = (re.sub(r"[\s─]+", "", text) for text in (told, answer))
    return re.fullmatch(re.escape(told).replace(re.escape("..."), ".*"), answer) is not None
