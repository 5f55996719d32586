"""``headwater verify URL``: is the log whole? Reads: integration/verify.py, backends/*/integrity.py."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import click

from headwater.cli.applications import existing_log
from headwater.cli.failures import ExitCode
from headwater.cli.screen import Screen
from headwater.cli.verb import verb
from headwater.errors import StoreCorrupt
from headwater.event_store import open_store
from headwater.event_store.opening import url_to_show
from headwater.integration.verify import Check, ExpectedChain, ReadableLog, Verification, checked, verify_log


@click.command("verify")
@click.argument("url", metavar="URL", envvar="HEADWATER_URL")
@click.option(
    "--expect",
    metavar="HASH[@N]",
    help="Fail unless the log's hash chain is this one (at position N).",
)
@verb
async def command(screen: Screen, url: str, expect: str | None) -> int:
    """Check the log at URL: positions, ids, bodies, tag index, the file itself and what keeps it immutable.

    Reads every event; changes nothing. Fails if any check finds a fault. The last line is the log's hash chain: two
    logs with the same one hold the same events, and --expect proves later that nothing before it was changed.
    """
    wanted = expected(expect)
    await existing_log(url)
    with screen.progress("verifying") as moved:
        own = await backend_checks(url)
        try:
            async with _opened(url) as log:
                outcome = await verify_log(log, expect=wanted, moved=moved, compared=bool(own))
        except StoreCorrupt as error:
            outcome = Verification(0, {}, (checked("the log can be read", 0, [str(error)]),))
    outcome = outcome.with_checks(own)
    screen.answer(as_object(url, outcome), lambda: _draw(screen, url, outcome))
    return ExitCode.OK if outcome.passed else ExitCode.FAILED


@asynccontextmanager
async def _opened(url: str) -> AsyncGenerator[ReadableLog, None]:
    """The log, without anything that could write it: a file may be on a medium that is only read."""
    if url.startswith("sqlite:"):
        from headwater.backends.sqlite.integrity import readable_log

        with readable_log(url) as log:
            yield log
        return
    async with open_store(url, migrate=False) as store:
        yield store


def expected(text: str | None) -> ExpectedChain | None:
    """What ``--expect`` says. Raises ``click.BadParameter``."""
    if text is None:
        return None
    found = re.fullmatch(r"([0-9a-f]{64})(?:@([0-9]{1,18}))?", text.strip().lower())
    if not found:
        raise click.BadParameter(
            "give the 64 hexadecimal digits that `headwater verify` prints as chain", param_hint="--expect"
        )
    return ExpectedChain(found[1], int(found[2]) if found[2] else None)


async def backend_checks(url: str) -> tuple[Check, ...]:
    """What only the backend itself can check."""
    if url.startswith(("postgresql:", "postgres:")):
        from headwater.backends.postgres.integrity import log_checks

        return await log_checks(url)
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
    return {
        "url": url_to_show(url),
        "passed": outcome.passed,
        "head": outcome.head,
        "chain": outcome.chain.hex,
        "figures": outcome.figures,
        "checks": checks,
    }


def _draw(screen: Screen, url: str, outcome: Verification) -> None:
    rows = [["ok" if each.passed else "FAULT", each.name, each.count, each.fault_count] for each in outcome.checks]
    screen.table(("", "check", "of", "faults"), rows, title=url_to_show(url))
    for each in outcome.checks:
        for fault in each.faults:
            screen.line(f"{each.name}: {fault}")
    screen.line("  ".join(f"{name} {value:,}" for name, value in {"head": outcome.head, **outcome.figures}.items()))
    screen.line(f"chain {outcome.chain}")
    screen.line("the log is whole" if outcome.passed else "the log is damaged: restore it from a backup")
