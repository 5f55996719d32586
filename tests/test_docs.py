"""The documentation cannot lie: every Python block of README and docs/ is executed, page by page, top to bottom.

A page runs in a directory of its own, its blocks share one namespace, and top-level ``await`` works. A comment
``<!-- not executed: reason -->`` on the line before a block leaves it out.
"""

from __future__ import annotations

import ast
import asyncio
import re
import sys
import types
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent
_PAGES = [
    page
    for page in (_ROOT / "README.md", _ROOT / "ARCHITECTURE.md", _ROOT / "CONTRIBUTING.md", *_ROOT.glob("docs/**/*.md"))
    if "```python\n" in page.read_text(encoding="utf-8")
]
_BLOCK = re.compile(
    r"(?:<!-- not executed: (?P<why>.+?) -->\n+)?```python\n(?P<code>.*?)^```", re.DOTALL | re.MULTILINE
)


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_ROOT)))
def test_every_python_block_of_the_page_runs(page, tmp_path, monkeypatch):
    """What a reader copies from this page works."""
    monkeypatch.chdir(tmp_path)
    module = types.ModuleType(f"page_{page.stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    with asyncio.Runner() as runner:
        for number, code in enumerate(_blocks(page), start=1):
            _run(code, f"{page.name}, block {number}", module.__dict__, runner)


@pytest.mark.parametrize("page", sorted(_ROOT.glob("*.md")) + sorted(_ROOT.glob("docs/**/*.md")), ids=lambda p: p.name)
def test_every_relative_link_of_the_page_leads_somewhere(page):
    """A link inside the project points to a file that exists."""
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text(encoding="utf-8"))

    assert [link for link in links if not (page.parent / link).exists()] == []


def _blocks(page):
    text = page.read_text(encoding="utf-8")
    return [match["code"] for match in _BLOCK.finditer(text) if match["why"] is None]


def _run(code, where, namespace, runner):
    compiled = compile(code, where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
    result = eval(compiled, namespace)
    if asyncio.iscoroutine(result):
        runner.run(result)
