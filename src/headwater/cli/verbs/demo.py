"""``headwater demo``: replay a real service desk's log through commands. Reads: servicedesk/demo.py, ../screen.py."""

from __future__ import annotations

from contextlib import AbstractContextManager, AsyncExitStack
from socket import socket

import click

from headwater.cli.failures import ExitCode
from headwater.cli.screen import Screen
from headwater.cli.verb import verb
from headwater.cli.verbs.serve import HOST_OPTION, PORT_OPTION
from headwater.runtime import Runtime


@click.command("demo")
@click.option("--url", metavar="URL", help="The log to write.  [default: a fresh headwater-demo.db]")
@click.option("--data", metavar="FILE", type=click.Path(dir_okay=False), help="Another log, .csv or .csv.gz.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N rows.")
@click.option("--again", is_flag=True, help="Replay onto the same log once more; it appends 0 events.")
@click.option("--resume", is_flag=True, help="Go on after a run that was interrupted.")
@click.option("--skip-broken", is_flag=True, help="Leave out rows that cannot be read, instead of stopping there.")
@click.option("--serve", is_flag=True, help="Keep serving the desk over HTTP afterwards.")
@HOST_OPTION
@PORT_OPTION
@verb
async def command(
    screen: Screen,
    url: str | None,
    data: str | None,
    limit: int | None,
    again: bool,  # noqa: FBT001  an option of the command line
    resume: bool,  # noqa: FBT001  as above
    skip_broken: bool,  # noqa: FBT001  as above
    serve: bool,  # noqa: FBT001  as above
    host: str,
    port: int,
) -> int:
    """Replay the log of a real service desk as commands, and check every figure of the read models.

    Fails if a figure is not what the raw rows say.
    """
    from headwater.servicedesk.demo import DemoOptions, open_desk, replay_and_check, url_of

    if again and resume:
        raise click.UsageError("--again sends every command once more, --resume only those missing: give one of them")
    options = DemoOptions(url=url, data=data, limit=limit, again=again, resume=resume, skip_broken=skip_broken)
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(_listening(host, port)) if serve else None
        desk = await stack.enter_async_context(open_desk(options, screen))
        result = await replay_and_check(desk, options, screen)
        screen.answer(result, lambda: None)
        if listener:
            await _serve(screen, desk, url_of(options), listener)
    return ExitCode.OK if result.figures_equal else ExitCode.FAILED


def _listening(host: str, port: int) -> AbstractContextManager[socket]:
    """The port is taken before the replay: that it is in use should not be told only afterwards."""
    from headwater.cli.serving import listening

    return listening(host, port)


async def _serve(screen: Screen, desk: Runtime, url: str, listener: socket) -> None:
    from headwater.cli.serving import serve_runtime
    from headwater.http import HttpOptions
    from headwater.servicedesk.ui import ui

    await serve_runtime(screen, desk, url, listener, HttpOptions(doors=[ui]))
