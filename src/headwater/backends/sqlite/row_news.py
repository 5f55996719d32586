"""Whether another process has written to the file of a read store. Reads: commit_stamps.py. Read next: read_store.py.

Files tell nobody, so somebody has to look.
"""

from __future__ import annotations

import asyncio

from headwater.backends.sqlite.commit_stamps import CommitStamps, Stamp

_LOOK_SECONDS = 0.01


class FileNews:
    """See ``News``. It looks only when it is asked, however many wait for the answer."""

    def __init__(self, stamps: CommitStamps) -> None:
        self._stamps = stamps
        self._seen: Stamp | None = None

    def heard(self) -> bool:
        """See ``News.heard``. Raises ``StoreError``."""
        found = self._stamps.now()
        is_new, self._seen = found != self._seen, found
        return is_new

    async def wait(self) -> None:
        """See ``News.wait``."""
        await asyncio.sleep(_LOOK_SECONDS)
