"""``headwater new NAME``: a small project that runs. Reads: ../verb.py. The files lie in headwater/templates/."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path
from string import Template

import click

from headwater.cli.failures import CannotBegin
from headwater.cli.screen import Screen
from headwater.cli.verb import verb

_SUFFIX = ".template"


@click.command("new")
@click.argument("name", metavar="NAME")
@verb
def command(screen: Screen, name: str) -> None:
    """Write a small project into the new directory NAME: an aggregate, a read model with a query, an app and tests."""
    directory = Path(name)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", directory.name):
        raise click.UsageError(
            f"{directory.name!r} is no project name: start with a letter, then letters, digits, - or _"
        )
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise CannotBegin(f"{directory} is already there and not empty", remedy="choose another name")
    try:
        written = write_project(directory)
    except OSError as error:
        why = f"{directory} cannot be written: {error.strerror}"
        raise CannotBegin(why, remedy="choose another place") from error
    answer = {"directory": str(directory), "files": written, "next": f"cd {directory} && python -m pytest"}
    screen.answer(answer, lambda: _draw(screen, directory, written))


def write_project(directory: Path) -> list[str]:
    """Write the template's files into the directory, with the project's name filled in; returns their names."""
    directory.mkdir(parents=True, exist_ok=True)
    written: list[str] = []
    for source in sorted(files("headwater.templates").iterdir(), key=lambda each: each.name):
        if not source.name.endswith(_SUFFIX):
            continue
        target = directory / source.name.removesuffix(_SUFFIX)
        text = Template(source.read_text(encoding="utf-8")).substitute(name=directory.name)
        target.write_text(text, encoding="utf-8")
        written.append(target.name)
    return written


def _draw(screen: Screen, directory: Path, written: list[str]) -> None:
    screen.line(f"wrote {directory}/: {', '.join(written)}")
    screen.line("next:")
    for step in (
        f"cd {directory}",
        "python -m pytest",
        "headwater send app:app add-task --field task_id=t1 --field title='Buy milk'",
        "headwater ask app:app find-tasks",
        "headwater serve app:app",
    ):
        screen.line(f"  {step}")
