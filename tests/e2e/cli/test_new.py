from __future__ import annotations

import subprocess
import sys

import pytest

from headwater.cli import main


def test_a_new_projects_own_tests_pass(project):
    """What ``headwater new`` writes works as it stands, warnings being errors."""
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    assert "4 passed" in ended.stdout


def test_it_tells_what_it_wrote_and_what_to_do_next(tmp_path, capsys):
    """The answer names the files and the first commands to type."""
    assert main(["new", str(tmp_path / "shop")]) == 0
    shown = capsys.readouterr().out
    assert "task.py" in shown
    assert "headwater serve app:app" in shown
    assert (tmp_path / "shop" / "app.py").read_text().endswith('app = App("shop", Task, Tasks, find_tasks, GetTask)\n')


def test_an_empty_directory_is_filled(tmp_path):
    """A directory that was made beforehand is used."""
    (tmp_path / "shop").mkdir()
    assert main(["new", str(tmp_path / "shop")]) == 0


def test_what_is_there_is_never_overwritten(tmp_path, capsys):
    """A directory with anything in it is refused and left as it is."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "app.py").write_text("mine")
    assert main(["new", str(tmp_path / "shop")]) == 1
    assert "not empty" in capsys.readouterr().err
    assert (tmp_path / "shop" / "app.py").read_text() == "mine"


def test_a_place_that_cannot_be_written_is_one_clear_line(tmp_path, capsys):
    """No traceback and no 'unexpected'."""
    (tmp_path / "file").write_text("in the way")
    assert main(["new", str(tmp_path / "file" / "shop")]) == 1
    shown = capsys.readouterr().err
    assert "cannot be written" in shown
    assert "unexpected" not in shown
    assert main(["new", str(tmp_path / "file" / "shop"), "--json"]) == 1
    assert '"code":"cannot-begin"' in capsys.readouterr().err


@pytest.mark.parametrize("name", ["1st", "a b", "a.b", "-x", ".."])
def test_a_name_that_is_none_is_a_usage_error(name, tmp_path, monkeypatch):
    """Names start with a letter and hold letters, digits, - and _."""
    monkeypatch.chdir(tmp_path)
    assert main(["new", "--", name]) == 2
    assert list(tmp_path.iterdir()) == []
