"""The layers: imports point only upward in the reading order that ARCHITECTURE.md prints."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

_ROOT = Path(__file__).parent.parent
_CONFIG = tomllib.loads((_ROOT / "pyproject.toml").read_text())


def test_imports_point_only_upward():
    """import-linter keeps every contract."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-logo", "--no-cache"], cwd=_ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_every_module_has_a_place_in_the_layers():
    """A module that no layer names would escape the check."""
    placed = set(re.findall(r"headwater\.(\w+)", " ".join(_layers())))
    package = _ROOT / "src" / "headwater"
    there = {p.stem for p in package.glob("*.py")} | {p.name for p in package.iterdir() if (p / "__init__.py").exists()}

    assert there - placed - {"__init__", "__main__"} == set()


def test_the_architecture_page_prints_the_same_layers():
    """The list a person reads is the list the machine checks, from the foundations up."""
    page = (_ROOT / "ARCHITECTURE.md").read_text()
    block = page.split("```layers\n", 1)[1].split("```", 1)[0]
    printed = [re.findall(r"[a-z_]+", line.split("#")[0]) for line in block.splitlines() if line.strip()]
    checked = [re.findall(r"headwater\.(\w+)", layer) for layer in reversed(_layers())]

    assert printed == checked


def _layers():
    contracts = _CONFIG["tool"]["importlinter"]["contracts"]
    return next(contract["layers"] for contract in contracts if contract["type"] == "layers")
