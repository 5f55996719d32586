from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from headwater import errors

_ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def script():
    """``scripts/docs.py`` as a module."""
    spec = importlib.util.spec_from_file_location("docs_script", _ROOT / "scripts" / "docs.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_documentation_has_no_fault(script):
    """Generated pages are fresh, links lead somewhere, and the index leads to every page."""
    assert list(script.check()) == []


def test_every_error_stands_in_the_reference_and_in_the_tree(script):
    """With its code; the tree at the head of the module names it as well."""
    page = script.errors_page()
    tree = page.partition("```text\n")[2].partition("```")[0]
    found = [value for value in vars(errors).values() if isinstance(value, type) and _is_error(value)]

    assert [error.__name__ for error in found if f"## {error.__name__}\n\n`{error.code}`" not in page] == []
    assert [error.__name__ for error in found if error.__name__ not in tree.replace("─", " ").split()] == []


def test_faults_are_named(script, tmp_path, monkeypatch):
    """A stale page, a dead link, a missing heading, a lonely page: each in a line of its own."""
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("# Index\n[gone](gone.md) [no heading](#nowhere) [here](#index)\n")
    (docs / "lonely.md").write_text("# Lonely\n```text\n[in code](gone.md)\n```\n")
    for name, value in {"ROOT": tmp_path, "DOCS": docs, "ERRORS_PAGE": docs / "reference" / "errors.md"}.items():
        monkeypatch.setattr(script, name, value)

    assert list(script.check()) == [
        "docs/reference/errors.md is stale: run `python scripts/docs.py`",
        "docs/index.md: no file gone.md",
        "docs/index.md: index.md has no heading #nowhere",
        "docs/lonely.md: no way leads there from docs/index.md",
    ]


def _is_error(value):
    return issubclass(value, errors.HeadwaterError)
