"""The standard streams, so that nothing a verb writes can fail on them. Reads: nothing. Read next: root.py."""

from __future__ import annotations

import io
import os
import sys


def ready_streams(*, as_json: bool) -> None:
    """Make the streams take whatever is written: JSON as UTF-8 (RFC 8259), and for people what their encoding has.

    A process that was started without a stream gets an empty one. Else the next file or socket would take its number,
    and libuv ends a process that closes one of these.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_RDWR), number)
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8" if as_json else None, errors="replace")
