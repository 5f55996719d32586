"""What every verb shares: ``--json``, ``--debug``, and running its coroutine.

Reads: screen.py. Read next: applications.py (APP and --url), then verbs/.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from math import isfinite
from typing import Any, Concatenate, ParamSpec

import click

from headwater.cli.screen import Screen

P = ParamSpec("P")

URL_OPTION = click.option(
    "--url", metavar="URL", envvar="HEADWATER_URL", help="The log.  [default: $HEADWATER_URL, else sqlite:///<app>.db]"
)


class Seconds(click.FloatRange):
    """A time in seconds. ``nan`` is in every range, and no time."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse what is not finite, too."""
        found = super().convert(value, param, ctx)
        return found if isfinite(found) else self.fail(f"{value} is no time in seconds.", param, ctx)


PATIENCE_OPTION = click.option(
    "--patience",
    type=Seconds(min=0),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="For how long a projection may have work and not get further before the health check fails.",
)

READ_STORE_OPTION = click.option("--read-store", metavar="URL", help="The read store.  [default: beside the log]")
NO_READ_STORE = "memory:"
"""For who only sends commands: its database role may not even read tables of read models."""


def verb(
    function: Callable[Concatenate[Screen, P], Coroutine[Any, Any, int | None] | int | None],
) -> Callable[P, int | None]:
    """Give a verb's function its ``Screen`` and the two common options; run it to its end if it is a coroutine."""

    @click.option("--json", "as_json", is_flag=True, help="Write one JSON value for programs.")
    @click.option("--debug", is_flag=True, help="Show the traceback of a failure.")
    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> int | None:
        screen = Screen(as_json=bool(kwargs.pop("as_json")), debug=bool(kwargs.pop("debug")))
        result = function(screen, *args, **kwargs)
        return run_to_end(result) if isinstance(result, Coroutine) else result

    return call


def run_to_end(work: Coroutine[Any, Any, int | None]) -> int | None:
    """Run a coroutine on uvloop if it is installed, else on the standard loop."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return asyncio.run(work)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(work)
