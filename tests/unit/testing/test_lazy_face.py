from __future__ import annotations

import subprocess
import sys

import pytest

import headwater.testing


@pytest.mark.parametrize("name", headwater.testing.__all__)
def test_every_public_name_loads(name):
    """The lazy table points to names that exist."""
    assert getattr(headwater.testing, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    """A typo fails as it does with any module."""
    with pytest.raises(AttributeError, match="scenaro"):
        _ = headwater.testing.scenaro


def test_scenario_is_the_function_whatever_was_imported_before():
    """No module of that name may stand in its place."""
    code = (
        "import headwater.testing.scenarios, headwater.testing.app; from headwater.testing import scenario; "
        "assert callable(scenario)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_scenario_needs_no_extra():
    """Neither pytest nor Hypothesis is loaded for given, when, then."""
    code = (
        "import sys; from headwater.testing import scenario; "
        "assert not {'pytest', 'hypothesis', 'apsw'} & set(sys.modules), sys.modules"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("package", ["pytest", "pytest_asyncio", "hypothesis"])
def test_the_conformance_suites_name_their_extra(package):
    """Without it they say what to install."""
    code = f"import sys; sys.modules[{package!r}] = None; from headwater.testing import conformance"

    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)

    assert f"needs {package}, which is not installed (pip install 'headwater[testing]')" in ended.stderr
