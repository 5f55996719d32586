"""The table of verbs, and how one command line is run.

Reads: failures.py. Read next: verb.py, then any module of verbs/.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from importlib import import_module

import click

from headwater.cli.failures import ExitCode, report
from headwater.cli.streams import ready_streams

VERBS = {
    "new": "Write a small runnable project.",
    "demo": "Replay a real service desk's log and check every figure.",
    "serve": "Serve an app over HTTP.",
    "work": "Run an app's projections, and nothing else.",
    "send": "Send one command to an app.",
    "ask": "Ask one query of an app.",
    "events": "Read or follow the events of a log.",
    "projections": "List, watch, rebuild, pause or check an app's projections.",
    "parked": "See what projections have set aside, and let it go on.",
    "contracts": "Freeze the message contracts, or check that none broke.",
    "export": "Write a log and its read models to files.",
    "report": "Run SQL over a log and its read models.",
    "replicate": "Copy a log to another store, and keep it up to date.",
    "verify": "Check that a log is whole.",
    "doctor": "Check this machine and, if given, a log.",
    "migrate": "Bring the schemas of a log and its read store up to this version.",
    "grants": "Print SQL for separate database roles.",
    "bench": "Run the benchmarks.",
}
"""Every verb and its one line; ``verbs/<name>.py`` holds its ``command``."""


class Root(click.Group):
    """Imports a verb's module only when that verb is used, so that ``headwater --help`` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order of the table, which is the order a newcomer meets them."""
        del ctx
        return list(VERBS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb that the words start with. Raises ``click.UsageError`` with the nearest verb for a wrong one."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            nearest = get_close_matches(args[0], VERBS, n=1)
            hint = f"; did you mean {nearest[0]}?" if nearest else ""
            raise click.UsageError(f"no verb is called {args[0]!r}{hint}", ctx)
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, or ``None`` if there is no such verb."""
        del ctx
        if cmd_name not in VERBS:
            return None
        made: click.Command = import_module(f"headwater.cli.verbs.{cmd_name}").command
        return made

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of verbs from their lines alone, without importing any."""
        del ctx
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.command(cls=Root, subcommand_metavar="VERB [ARGS]...", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="headwater", message="%(package)s %(version)s")
def root() -> None:
    """Headwater: commands, events and queries on one log.

    Every verb takes --json (one JSON value on standard output, errors as problem documents on standard error) and
    --debug. Exit codes: 0 done, 1 refused, invalid or a failed check, 2 wrong command line, 3 store error.
    """


def run(arguments: Sequence[str]) -> int:
    """Run one command line; failures become one line on standard error and an exit code, never a traceback."""
    as_json = "--json" in arguments
    ready_streams(as_json=as_json)
    try:
        result = root.main(list(arguments), prog_name="headwater", standalone_mode=False)
    except Exception as error:  # noqa: BLE001  the last door: whatever comes is shown as one line
        return report(error, as_json=as_json, debug="--debug" in arguments)
    return result if isinstance(result, int) else ExitCode.OK
