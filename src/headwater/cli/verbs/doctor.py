"""``headwater doctor [URL]``: is this machine, and is that log, fit for use? Reads: ../diagnosis.py."""

from __future__ import annotations

import click
import msgspec

from headwater.cli.diagnosis import Finding, look_at_log, look_at_machine
from headwater.cli.failures import ExitCode
from headwater.cli.screen import Screen
from headwater.cli.verb import verb

_SHOWN_AS = {"ok": "ok", "note": "-", "warning": "warning", "failed": "FAILED"}


@click.command("doctor")
@click.argument("url", metavar="[URL]", envvar="HEADWATER_URL", required=False)
@verb
async def command(screen: Screen, url: str | None) -> int:
    """Check Python, the libraries and the extras here and, with URL, whether that log can be used.

    Fails if something must be changed before Headwater can be relied on; warnings and missing extras do not fail.
    """
    found = look_at_machine()
    if url:
        found += await look_at_log(url)
    healthy = all(each.state != "failed" for each in found)
    shown = {"healthy": healthy, "findings": [msgspec.structs.asdict(each) for each in found]}
    screen.answer(shown, lambda: _draw(screen, found))
    return ExitCode.OK if healthy else ExitCode.FAILED


def _draw(screen: Screen, found: list[Finding]) -> None:
    rows = [(_SHOWN_AS[each.state], each.name, each.value, each.remedy) for each in found]
    screen.table(("", "what", "found", "to do"), rows)
