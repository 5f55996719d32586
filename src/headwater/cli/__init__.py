"""The command line: ``headwater VERB``. It translates and calls the app, nothing more.

Reads: nothing at import time. Read next: root.py (the verbs), verb.py (what they share), failures.py (exit codes).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from headwater.errors import MissingExtra

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (default: this process's own) and return its exit code; see ``failures.ExitCode``."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    try:
        from headwater.cli.root import run
    except ModuleNotFoundError as error:
        if error.name not in {"click", "rich"}:
            raise
        sys.stderr.write(f"error: {MissingExtra('cli', error.name, 'the command line')}\n")
        return 1
    return run(given)
