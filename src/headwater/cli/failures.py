"""How a failure leaves the process: one clear line (or a problem document), and an exit code.

Reads: errors.py. Read next: root.py, which calls ``report``.
"""

from __future__ import annotations

import os
import traceback
from enum import IntEnum
from typing import Any

import click
import msgspec

from headwater.cli.screen import visible
from headwater.errors import HeadwaterError, Refused, StoreError, WrongApp


class ExitCode(IntEnum):
    """What the exit code of every verb means."""

    OK = 0
    FAILED = 1
    """Refused, invalid, or a check that did not pass."""
    USAGE = 2
    """The command line itself is wrong."""
    STORE = 3
    """A store could not be opened, read or written."""
    INTERRUPTED = 130


class CannotBegin(HeadwaterError):
    """A verb cannot begin: the folder or the port that it was given cannot be had."""

    code = "cannot-begin"


def exit_code_of(error: BaseException) -> ExitCode:
    """The exit code for an error that ended a verb."""
    if isinstance(error, StoreError):
        return ExitCode.STORE
    if isinstance(error, (click.UsageError, WrongApp)):
        return ExitCode.USAGE
    return ExitCode.INTERRUPTED if isinstance(error, click.Abort) else ExitCode.FAILED


def report(error: BaseException, *, as_json: bool, debug: bool) -> ExitCode:
    """Write the error to standard error, as a line or as a problem document (RFC 9457), and return its exit code."""
    cause = innermost(error)
    code = exit_code_of(cause)
    if _asks_for_help(cause) and not as_json:
        click.echo(line_of(cause), err=True)
        return code
    if debug:
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    if as_json:
        click.echo(msgspec.json.encode(problem(cause)).decode(), err=True)
    elif code is not ExitCode.INTERRUPTED:
        colour = None if os.environ.get("NO_COLOR") else "red"
        click.echo(f"{click.style('error:', fg=colour)} {line_of(cause)}", err=True)
    return code


def innermost(error: BaseException) -> BaseException:
    """The one error inside task groups that failed with only one."""
    inner: tuple[BaseException, ...] = getattr(error, "exceptions", ())  # only groups have any
    return innermost(inner[0]) if len(inner) == 1 else error


def line_of(error: BaseException) -> str:
    """What a person reads: what went wrong and what to do about it."""
    if isinstance(error, HeadwaterError):
        return "\n".join(map(visible, str(error).split("\n")))
    if isinstance(error, click.UsageError):
        if _asks_for_help(error):
            return error.format_message()
        hint = f" (see: {error.ctx.command_path} --help)" if error.ctx else ""
        return error.format_message() + hint
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, click.Abort):
        return "interrupted"
    return f"unexpected {type(error).__name__}: {error} (run it again with --debug to see where)"


def _asks_for_help(error: BaseException) -> bool:
    """Whether a bare ``headwater`` or ``headwater contracts`` was typed: what it says is the help. From click 8.2."""
    return type(error).__name__ == "NoArgsIsHelpError"


def problem(error: BaseException) -> dict[str, Any]:
    """The error as a problem document: ``type title detail code`` and, where there are any, ``remedy`` and facts."""
    kind = _slug(error)
    document: dict[str, Any] = {
        "type": f"urn:headwater:problem:{kind}",
        "title": kind.replace("-", " "),
        "detail": error.message if isinstance(error, HeadwaterError) else line_of(error),
        "code": error.code if isinstance(error, Refused) else kind,
    }
    if isinstance(error, HeadwaterError):
        if error.remedy:
            document["remedy"] = error.remedy
        document |= {
            name: msgspec.to_builtins(value, enc_hook=str)
            for name, value in error.fields.items()
            if name not in document
        }
    return document


def _slug(error: BaseException) -> str:
    if isinstance(error, HeadwaterError):
        return type(error).code
    if isinstance(error, click.UsageError):
        return "usage-error"
    return "interrupted" if isinstance(error, click.Abort) else "unexpected-error"
