"""The house rules, as a test: see CONTRIBUTING.md for the reasons."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent
_SOURCE = sorted((_ROOT / "src" / "headwater").rglob("*.py"))
_TESTS = sorted((_ROOT / "tests").rglob("test_*.py"))
_LONGEST_MODULE = 400
_LONGEST_FUNCTION = 60
_LONGEST_TEST = 45
_LONGEST_REFERENCE = 150

_BANNED = {
    r"\bTODO\b|\bFIXME\b|\bXXX\b": "finish it, or write it into the README's list of what is not there",
    r"(?<![\w.])/(?:home|root|Users|work)/": "no path of one machine",
    r"\btype: ignore\b|\bpyright: ignore\b": "make the types right",
    r"\butcnow\b|\bdatetime\.now\(\)|\btime\.time\(\)": "time comes from clock.py",
    r"\buuid[14]\(": "identity comes from ids.py",
    r"(?<!\.)\bprint\(": "a library does not print; the command line has its screen",
}
_MAY_USE = {"clock.py": r"\bdatetime\.now"}


def _name(path):
    return str(path.relative_to(_ROOT))


@pytest.mark.parametrize("path", _SOURCE, ids=_name)
def test_a_module_keeps_the_house_rules(path):
    """It opens with its role, stays short, says nothing banned, and documents what is public."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)

    assert [
        *_role(tree, text),
        *_length(text),
        *_banned(path, text),
        *_long_functions(tree, _LONGEST_FUNCTION),
        *_undocumented(tree),
        *_unsorted_all(tree),
        *_hidden_imports(path, tree),
    ] == []


@pytest.mark.parametrize("path", _TESTS, ids=_name)
def test_a_test_is_short_and_has_a_sentence(path):
    """Each test says in a sentence what behaviour it proves, and proves one."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tests = [node for node in ast.walk(tree) if _is_function(node) and node.name.startswith("test_")]
    silent = [f"{test.name} has no docstring" for test in tests if not ast.get_docstring(test)]

    assert silent + list(_long_functions(tree, _LONGEST_TEST)) == []


@pytest.mark.parametrize("folder", ["src", "tests", "docs"])
def test_nothing_speaks_of_the_place_where_it_was_written(folder):
    """Files speak of the project only: no path of one machine, no unfinished notes."""
    rules = [pattern for pattern in _BANNED if "TODO" in pattern or "Users" in pattern]
    files = [p for p in (_ROOT / folder).rglob("*") if p.suffix in {".md", ".sql", ".toml", ".template", ".py"}]
    found = [
        f"{_name(path)}: {match.group()}"
        for path in files
        if path != Path(__file__)
        for pattern in rules
        for match in re.finditer(pattern, path.read_text(encoding="utf-8"))
    ]

    assert found == []


def test_nothing_generated_is_committed():
    """Databases, caches and environments stay out of the repository."""
    listed = subprocess.run(["git", "ls-files"], cwd=_ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout")

    assert re.findall(r".*(?:\.db|\.db-wal|\.pyc|\.egg-info.*)$", listed.stdout, re.MULTILINE) == []


def test_the_reference_for_backend_authors_can_be_read_at_a_sitting():
    """What a store promises stands there in its plainest form."""
    reference = _ROOT / "src" / "headwater" / "event_store" / "memory.py"
    assert len(reference.read_text(encoding="utf-8").splitlines()) <= _LONGEST_REFERENCE


def _role(tree, text):
    if text.strip() and not ast.get_docstring(tree):
        yield "no module docstring"


def _length(text):
    lines = text.count("\n")
    if lines > _LONGEST_MODULE:
        yield f"{lines} lines: two roles? (at most {_LONGEST_MODULE})"


def _banned(path, text):
    for pattern, instead in _BANNED.items():
        if re.search(pattern, text) and not re.search(_MAY_USE.get(path.name, "$^"), text):
            yield f"{re.search(pattern, text).group()!r}: {instead}"


def _long_functions(tree, longest):
    for node in ast.walk(tree):
        if _is_function(node) and node.end_lineno - node.lineno >= longest:
            yield f"{node.name} is {node.end_lineno - node.lineno + 1} lines (at most {longest})"


def _undocumented(tree):
    for node in tree.body:
        named = isinstance(node, ast.ClassDef) or _is_function(node)
        if named and not node.name.startswith("_") and not ast.get_docstring(node) and not _is_overload(node):
            yield f"{node.name} has no docstring"


def _unsorted_all(tree):
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names = ast.literal_eval(node.value)
            if sorted(names, key=lambda name: (not name.isupper(), not name[0].isupper(), name)) != list(names):
                yield "__all__ is not sorted"


def _hidden_imports(path, tree):
    """An import that only a type checker sees would escape the layers; lazy faces and four names of modules may."""
    if path.name == "__init__.py":
        return
    allowed = {"headwater.app", "headwater.blocking", "headwater.runtime", "headwater.testing.app"}
    for node in tree.body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for statement in ast.walk(node):
                module = getattr(statement, "module", None)
                if isinstance(module, str) and module.startswith("headwater") and module not in allowed:
                    yield f"{module} is imported for type checkers only"


def _is_function(node):
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))


def _is_overload(node):
    return any("overload" in ast.unparse(decorator) for decorator in node.decorator_list)
