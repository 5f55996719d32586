"""``python -m headwater`` is the same as ``headwater``. Reads: cli/__init__.py."""

from __future__ import annotations

import sys

from headwater.cli import main

if __name__ == "__main__":
    sys.exit(main())
