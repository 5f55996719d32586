from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import msgspec
import pytest

from headwater.cli import main
from headwater.cli.root import VERBS


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_command_of_its_name(verb):
    """The table and the modules agree."""
    assert import_module(f"headwater.cli.verbs.{verb}").command.name == verb


def test_help_lists_every_verb(capsys):
    """``headwater --help`` is the table of verbs."""
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {verb} " in shown for verb in VERBS)


@pytest.mark.parametrize("words", [[], ["contracts"]])
def test_nothing_more_to_do_is_answered_with_the_help(words, capsys):
    """Plain help, not an error that contains it."""
    main(words)
    shown = capsys.readouterr()
    assert (shown.out + shown.err).startswith("Usage: headwater")


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "bench"])
def test_every_verb_explains_itself(verb, capsys):
    """``headwater VERB --help`` works without any app."""
    assert main([verb, "--help"]) == 0
    assert "Usage: headwater" in capsys.readouterr().out


def test_a_wrong_verb_is_told_the_nearest(capsys):
    """A slip of the pen gets the right name back."""
    assert main(["evnets"]) == 2
    assert "did you mean events?" in capsys.readouterr().err


def test_a_usage_error_is_a_problem_document_with_json(capsys):
    """Programs can tell a wrong command line from a refusal."""
    assert main(["send", "--json"]) == 2
    assert msgspec.json.decode(capsys.readouterr().err)["code"] == "usage-error"


@pytest.mark.parametrize(
    "words",
    [
        ("work", "desk:app", "--lease", "nan"),
        ("work", "desk:app", "--patience", "nan"),
        ("serve", "desk:app", "--patience", "nan"),
        ("ask", "desk:app", "find-tasks", "--timeout", "nan"),
    ],
)
def test_what_is_no_time_is_a_usage_error(words, capsys):
    """A health check with the patience of ``nan`` would never fail."""
    assert main([*words]) == 2
    assert "no time in seconds" in capsys.readouterr().err


@pytest.mark.parametrize("seconds", ["0", "3601", "inf"])
def test_a_lease_of_no_use_is_a_usage_error(seconds, capsys):
    """After an hour a worker that has not been heard of is not even listed."""
    assert main(["work", "desk:app", "--lease", seconds]) == 2
    assert "3600" in capsys.readouterr().err


def test_help_imports_nothing_heavy():
    """Asking for help loads neither a driver, nor a server, nor an app."""
    look = "import sys, headwater.cli; headwater.cli.main(['--help']); print(sorted(sys.modules), file=sys.stderr)"
    loaded = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stderr
    assert not [name for name in ("apsw", "rich", "starlette", "uvicorn", "headwater.app") if f"'{name}'" in loaded]


def test_without_click_the_extra_is_named():
    """Without the extra, the command line says how to get it."""
    block = "import sys; sys.modules['click'] = None; import headwater.cli; sys.exit(headwater.cli.main(['doctor']))"
    ended = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert (
        ended.stderr == "error: the command line needs click, which is not installed (pip install 'headwater[cli]')\n"
    )
