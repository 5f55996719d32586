from __future__ import annotations

import click
import msgspec
import pytest

from headwater.cli.failures import ExitCode, exit_code_of, problem, report
from headwater.errors import (
    FieldError,
    HeadwaterError,
    InvalidMessage,
    MissingExtra,
    Refused,
    StoreFull,
    UnsupportedUrl,
    WrongApp,
)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused("too-late"), ExitCode.FAILED),
        (InvalidMessage("Open", (FieldError("/a", "missing"),)), ExitCode.FAILED),
        (MissingExtra("web", "uvicorn", "serving"), ExitCode.FAILED),
        (WrongApp("x", "is wrong"), ExitCode.USAGE),
        (click.UsageError("no"), ExitCode.USAGE),
        (StoreFull("full"), ExitCode.STORE),
        (UnsupportedUrl("what"), ExitCode.STORE),
        (click.Abort(), ExitCode.INTERRUPTED),
        (KeyError("x"), ExitCode.FAILED),
    ],
)
def test_every_kind_of_failure_has_its_exit_code(error, code):
    """Refusals and checks end in 1, wrong command lines in 2, stores in 3."""
    assert exit_code_of(error) is code


def test_a_person_reads_one_line_with_the_remedy(capsys):
    """The line holds what happened and what to do, on standard error, and no traceback."""
    report(StoreFull("no space left"), as_json=False, debug=False)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "error: no space left (free disk space; no restart is needed)\n"


def test_what_somebody_sent_does_not_command_the_terminal(capsys):
    """A refusal may quote it. Lines of several faults stay lines."""
    report(Refused("taken", "by \x1b]0;evil\x07\nand others"), as_json=False, debug=False)
    assert capsys.readouterr().err == "error: by \\x1b]0;evil\\x07\nand others\n"


def test_a_program_reads_a_problem_document(capsys):
    """With --json the error is one JSON object with type, code, remedy and the facts."""
    report(Refused("too-late", "closed at six", hour=6), as_json=True, debug=False)
    document = msgspec.json.decode(capsys.readouterr().err)
    assert document == {
        "type": "urn:headwater:problem:refused",
        "title": "refused",
        "detail": "closed at six",
        "code": "too-late",
        "hour": 6,
    }


def test_an_interruption_is_told_to_a_program_and_not_to_who_caused_it(capsys):
    """It is nothing unexpected."""
    report(click.Abort(), as_json=False, debug=False)
    assert capsys.readouterr().err == ""
    report(click.Abort(), as_json=True, debug=False)
    assert msgspec.json.decode(capsys.readouterr().err)["detail"] == "interrupted"


def test_every_fault_of_a_message_is_in_the_problem():
    """The pointers of an invalid message reach the program."""
    found = problem(InvalidMessage("Open", (FieldError("/a", "missing"), FieldError("/b", "wrong"))))
    assert [each["pointer"] for each in found["errors"]] == ["/a", "/b"]


def test_an_unforeseen_error_is_one_line_too(capsys):
    """Even a fault in Headwater shows no traceback, but the way to one."""
    assert report(KeyError("x"), as_json=False, debug=False) is ExitCode.FAILED
    assert capsys.readouterr().err == "error: unexpected KeyError: 'x' (run it again with --debug to see where)\n"


def test_debug_shows_the_traceback(capsys):
    """With --debug the traceback comes before the line."""
    try:
        raise HeadwaterError("broken")
    except HeadwaterError as error:
        report(error, as_json=False, debug=True)
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback")
    assert shown.endswith("error: broken\n")


def test_the_one_error_of_a_task_group_is_shown_by_itself(capsys):
    """A failure inside a task group reads like the failure itself."""
    group = ExceptionGroup("unhandled errors", [ExceptionGroup("inner", [StoreFull("no space left")])])
    assert report(group, as_json=False, debug=False) is ExitCode.STORE
    assert "no space left" in capsys.readouterr().err
