"""``headwater verify URL``: is the log whole? Reads: integration/verify.py, backends/sqlite/integrity.py."""

from __future__ import annotations

from typing import Any

import click

from headwater.cli.applications import existing
from headwater.cli.failures import ExitCode
from headwater.cli.screen import Screen
from headwater.cli.verb import verb
from headwater.errors import StoreCorrupt
from headwater.event_store import open_store
from headwater.integration.verify import Check, Verification, checked, verify_log


@click.command("verify")
@click.argument("url", metavar="URL", envvar="HEADWATER_URL")
@verb
async def command(screen: Screen, url: str) -> int:
    """Check the log at URL: positions, ids, bodies, tag index, the file itself and what keeps it immutable.

    Reads every event; changes nothing. Fails if any check finds a fault.
    """
    existing(url)
    with screen.progress("verifying") as moved:
        own = backend_checks(url)
        try:
            async with open_store(url, migrate=False) as store:
                outcome = await verify_log(store, moved=moved)
        except StoreCorrupt as error:
            outcome = Verification(0, {}, (checked("the log can be read", 0, [str(error)]),))
    outcome = outcome.with_checks(own)
    screen.answer(as_object(url, outcome), lambda: _draw(screen, url, outcome))
    return ExitCode.OK if outcome.passed else ExitCode.FAILED


def backend_checks(url: str) -> tuple[Check, ...]:
    """What only the backend itself can check."""
    if not url.startswith("sqlite:"):
        return ()
    from headwater.backends.sqlite.integrity import file_checks

    return file_checks(url)


def as_object(url: str, outcome: Verification) -> dict[str, Any]:
    """The outcome as plain values."""
    checks = [
        {
            "name": each.name,
            "passed": each.passed,
            "count": each.count,
            "faults": each.fault_count,
            "first": each.faults,
        }
        for each in outcome.checks
    ]
    return {"url": url, "passed": outcome.passed, "head": outcome.head, "figures": outcome.figures, "checks": checks}


def _draw(screen: Screen, url: str, outcome: Verification) -> None:
    rows = [["ok" if each.passed else "FAULT", each.name, each.count, each.fault_count] for each in outcome.checks]
    screen.table(("", "check", "of", "faults"), rows, title=url)
    for each in outcome.checks:
        for fault in each.faults:
            screen.line(f"{each.name}: {fault}")
    screen.line("  ".join(f"{name} {value:,}" for name, value in {"head": outcome.head, **outcome.figures}.items()))
    screen.line("the log is whole" if outcome.passed else "the log is damaged: restore it from a backup")
