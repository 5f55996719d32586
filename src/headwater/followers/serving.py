"""Which rows queries read while others are being built: those that are complete. Reads: progress.py.

A new version of a projection is built from the start of the log. Until it is as far as the version before, queries are
answered from that one's rows, if these have the same shape; otherwise they wait. Then it is switched, at once and for
good, as far as this process is concerned. Read next: standing.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from headwater.followers.progress import Progress
from headwater.read_store.checkpoints import Checkpoint

Serve = Callable[[str, int, int], None]
"""Projection, version, side: see ``ReadStore.serve``."""


class Serving:
    """What each projection is answered from."""

    def __init__(self, versions: Mapping[str, int], serve: Serve, progress: Progress) -> None:
        self._versions = versions
        self._serve = serve
        self._progress = progress
        self._readable: dict[str, frozenset[int]] = {}
        self._switched: set[str] = set()
        self._now: dict[str, tuple[int, int]] = {}

    def may_read(self, name: str, versions: frozenset[int]) -> None:
        """The rows of these other versions have the shape of this one."""
        self._readable[name] = versions

    def read_own(self, name: str) -> None:
        """There is no other version to wait for."""
        self._switched.add(name)

    def version(self, name: str) -> int:
        """Which version queries read."""
        return self._now.get(name, (self._versions[name], 0))[0]

    def decide(self, name: str, own: Checkpoint, others: Mapping[int, Checkpoint]) -> int:
        """Have readers read what is best, given where this version and others stand; the position they then see."""
        if name not in self._switched:
            version, before = max(others.items(), key=lambda each: each[1].position, default=(0, own))
            if own.position < before.position:
                return self._wait(name, own, version, before)
            self._switched.add(name)
            self._progress.building.pop(name, None)
            self._progress.unready.pop(name, None)
        self._point(name, self._versions[name], own.side)
        return own.position

    def _wait(self, name: str, own: Checkpoint, version: int, before: Checkpoint) -> int:
        self._progress.building[name] = own.position
        if version in self._readable.get(name, ()):
            self._point(name, version, before.side)
            return before.position
        self._progress.unready[name] = before.position
        self._point(name, self._versions[name], own.side)
        return own.position

    def _point(self, name: str, version: int, side: int) -> None:
        if self._now.get(name, (self._versions[name], 0)) != (version, side):
            self._now[name] = version, side
            self._serve(name, version, side)
