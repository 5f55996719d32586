"""The public face: curated, sorted, documented, and light."""

from __future__ import annotations

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import headwater
import headwater.read_store
import headwater.testing

_HEAVY = ("apsw", "asyncio", "click", "hypothesis", "pytest", "rich", "sqlite3", "starlette", "uvicorn")


def test_the_face_is_sorted_and_has_no_name_twice():
    """Constants first, then classes, then functions, each in alphabetical order."""
    ordered = sorted(set(headwater.__all__), key=lambda name: (not name.isupper(), not name[0].isupper(), name))

    assert headwater.__all__ == ordered


@pytest.mark.parametrize("name", headwater.__all__)
def test_every_public_name_loads(name):
    """The lazy table points to names that exist."""
    assert getattr(headwater, name) is not None


@pytest.mark.parametrize("name", headwater.__all__)
def test_every_public_class_and_function_has_a_docstring(name):
    """What is public says what it is."""
    value = getattr(headwater, name)
    if not (inspect.isclass(value) or inspect.isfunction(value)):
        pytest.skip("a constant or an alias is documented where it is defined")

    assert (value.__doc__ or "").strip()


@pytest.mark.parametrize("package", [headwater, headwater.read_store, headwater.testing], ids=lambda it: it.__name__)
def test_what_a_type_checker_sees_is_what_the_table_loads(package):
    """The imports for type checkers and the lazy table name the same things from the same modules."""
    seen = _imports_for_type_checkers(Path(package.__file__).read_text(encoding="utf-8"))
    modules = {name: home for name, home in seen.items() if home == package.__name__}

    assert seen == package._MODULE_OF | modules
    assert sorted(seen) == sorted(package.__all__)
    assert all(getattr(package, name) is not None for name in seen)


def test_an_unknown_name_is_an_attribute_error():
    """A typo fails as it does with any module."""
    with pytest.raises(AttributeError, match="Comand"):
        _ = headwater.Comand


def test_dir_lists_the_public_names():
    """Completion in a console offers the public names and nothing else."""
    assert set(dir(headwater)) == {*headwater.__all__, "__version__"}


def test_importing_headwater_loads_no_database_server_or_event_loop():
    """``import headwater`` and the words of a contract module stay light."""
    assert _loaded_by("import headwater; headwater.Command, headwater.Event, headwater.Tag") == []


def test_declaring_an_application_needs_no_extra():
    """Aggregates, projections and ``App`` itself load no event loop until the application opens."""
    assert _loaded_by("from headwater import App, Aggregate, Projection, Query, answers; App('empty')") == []


def _loaded_by(code):
    listing = f"{code}\nimport sys, json; print(json.dumps([m for m in {_HEAVY!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", listing], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def _imports_for_type_checkers(source):
    blocks = [node.body for node in ast.parse(source).body if isinstance(node, ast.If)]
    return {
        alias.name: statement.module
        for block in blocks
        for statement in block
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
