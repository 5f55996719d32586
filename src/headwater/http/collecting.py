"""Looking for garbage less often while serving. Reads: nothing.

Hundreds of requests under way at once hold thousands of young objects, none of which is garbage. Python looks through
them after every 700 it makes, and through everything that was ever imported every few seconds, which costs a command
some four microseconds and now and then one of them ten milliseconds.
"""

from __future__ import annotations

import gc

_YOUNG = 20_000
_OLDER = 20
_OLDEST = 20


def collect_seldom() -> None:
    """For a process that does nothing but serve: spare what is there by now, and let more young objects gather."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _OLDER, _OLDEST)
