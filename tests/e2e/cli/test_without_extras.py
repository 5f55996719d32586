from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("package", "extra", "words"),
    [
        ("uvicorn", "web", ("serve", "app:app")),
        ("starlette", "web", ("serve", "app:app")),
        ("uvicorn", "web", ("demo", "--serve")),
        ("jinja2", "web", ("serve", "app:app")),
        ("click", "cli", ("doctor",)),
        ("rich", "cli", ("doctor",)),
    ],
)
def test_a_missing_extra_is_named_with_its_line(project, package, extra, words):
    """The verb that needs it says so, and how to install it."""
    code = (
        f"import sys; sys.modules[{package!r}] = None; import headwater.cli; sys.exit(headwater.cli.main({[*words]!r}))"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=project, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert package in ended.stderr
    assert f"pip install 'headwater[{extra}]'" in ended.stderr
    assert "Traceback" not in ended.stderr
