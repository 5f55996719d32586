from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import apsw
import pytest

from headwater.cli import diagnosis
from headwater.cli.diagnosis import look_at_machine, sqlite_is_sound


@pytest.mark.parametrize(
    ("version", "sound"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 45, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 0), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 54, 1), True),
        ((4, 0, 0), True),
    ],
)
def test_the_versions_with_the_race_are_known(version, sound):
    """Fixed in 3.51.3, and in the two releases the fix was carried back to."""
    assert sqlite_is_sound(version) is sound


def test_an_sqlite_with_the_race_fails(monkeypatch):
    """It can damage a file, so it is no mere warning."""
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.45.0")
    found = {each.name: each for each in look_at_machine()}
    assert (found["sqlite"].state, found["sqlite"].remedy) == ("failed", "pip install -U apsw")


def test_a_missing_extra_comes_with_its_line(monkeypatch):
    """The doctor says what to type, and a missing extra is no fault."""

    def version(package):
        if package == "uvicorn":
            raise PackageNotFoundError(package)
        return "1.0"

    monkeypatch.setattr(diagnosis, "version", version)
    found = {each.name: each for each in look_at_machine()}
    assert found["[web]"].state == "note"
    assert found["[web]"].value == "missing: uvicorn"
    assert found["[web]"].remedy == "pip install 'headwater[web]'"
