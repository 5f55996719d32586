"""Written blocks ahead of the end of the write-ahead log. Reads: nothing. Read next: ledger.py.

A commit that makes its file longer waits until the file system has noted the new length, which takes as long as the
flush itself. So the log is made longer in steps that serve many commits. SQLite takes zeros for the end of the log.
"""

from __future__ import annotations

import os
from contextlib import suppress

_FRAME_BYTES = 4_096 + 24
_FRAMES_AHEAD = 32
_STEP = bytes(256 << 10)


class WalRoom:
    """The room in one log's write-ahead log. Only who holds the write lock of the log may ask for more."""

    def __init__(self, path: str) -> None:
        self._path = f"{path}-wal"
        self._frames = 0
        self._used = 0
        self._descriptor = -1

    def ensure(self, used_frames: int) -> None:
        """See to it that a usual commit fits behind the frames that are in use. A disk that is full is left alone."""
        if used_frames < self._used:  # the log started over, and may have been cut
            self._frames = 0
        self._used = used_frames
        if used_frames + _FRAMES_AHEAD > self._frames:
            with suppress(OSError, AttributeError):  # some systems have no ``pwrite``
                self._grow(used_frames)

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _grow(self, used_frames: int) -> None:
        if self._descriptor < 0:
            self._descriptor = os.open(self._path, os.O_WRONLY)
        size = os.fstat(self._descriptor).st_size
        if size < (used_frames + _FRAMES_AHEAD) * _FRAME_BYTES:
            size += os.pwrite(self._descriptor, _STEP, size)
        self._frames = size // _FRAME_BYTES
