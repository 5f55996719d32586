"""The page on roles works as it is written: its commands and blocks, on a real server."""

from __future__ import annotations

import ast
import asyncio
import re
import shlex
import sys
import types
from pathlib import Path

import asyncpg
import pytest

from headwater.cli import main

_PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "separate-database-roles.md"
_ROLES = ("cinema_writer", "cinema_projector", "cinema_reader")


@pytest.fixture
def page(postgres_server, postgres_url):
    """The page with this test's database and its roles, which are dropped after the test."""
    server, _, database = postgres_url.rpartition("/")
    place = f"{server.rpartition('@')[2]}/{database}"
    text = _PAGE.read_text(encoding="utf-8").replace("db.example/cinema", place).replace("owner@", "headwater@")
    roles = {role: f"{database}_{role}" for role in _ROLES}
    for name, unique in roles.items():
        text = re.sub(rf"\b{name}\b", unique, text)
    yield text
    for role in roles.values():
        if postgres_server.execute(f"SELECT to_regrole('{role}') IS NOT NULL") == [(True,)]:
            postgres_server.execute(f"DROP OWNED BY {role}", url=postgres_url)
            postgres_server.execute(f"DROP ROLE {role}")


async def _run_script(url, text):
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(text)
    finally:
        await connection.close()


def _command(line, capsys):
    """Run a line of the console: this program in this process, and psql by what it would do."""
    line, _, target = line.partition(" > ")
    program, *words = shlex.split(line)
    if program == "psql":
        url, _, path = words
        asyncio.run(_run_script(url, Path(path).read_text(encoding="utf-8")))
        return
    assert program == "headwater"
    code, shown = main(words), capsys.readouterr()
    assert code == 0, shown.err
    if target:
        Path(target).write_text(shown.out, encoding="utf-8")


def test_the_page_works_as_it_is_written(page, tmp_path, monkeypatch, capsys):
    """Tables, roles, an application under them, and what they may not do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    blocks = re.findall(r"```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    Path("cinema.py").write_text(blocks[0], encoding="utf-8")
    for line in re.findall(r"^\$ (.+)$", page, re.MULTILINE):
        _command(line, capsys)
    module = types.ModuleType("page_cinema")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.delitem(sys.modules, "cinema", raising=False)
    with asyncio.Runner() as runner:
        for number, code in enumerate(blocks, start=1):
            compiled = compile(code, f"block {number}", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
            result = eval(compiled, module.__dict__)
            if asyncio.iscoroutine(result):
                runner.run(result)
    assert len(blocks) == 4
    writer = module.__dict__["WRITER"]
    _command(f"headwater send cinema:app take-seat -f seat_id=b1 -f guest=Eve --url {writer}", capsys)
