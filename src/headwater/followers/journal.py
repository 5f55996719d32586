"""What the last commits of this process changed, by table and row. Reads: read_store/protocol.py. Read next: feed.py.

Who keeps an answer asks here whether anything it was made from has changed since. The journal knows only what this
process committed, and says so when that is not enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from sys import maxsize
from typing import TypeAlias

from headwater.read_store.checkpoints import Checkpoint
from headwater.read_store.protocol import Changes, TableChanges
from headwater.read_store.tables import RowKey

Looked: TypeAlias = Mapping[str, frozenset[RowKey] | None]
"""Tables by name, with the keys of the rows that were looked at; ``None`` for all of them."""

_MOST_KEYS = 20_000


class Journal:
    """For each range of a projection, when its tables and rows changed last. Belongs to one event loop."""

    def __init__(self) -> None:
        self._trails: dict[tuple[str, int, int], _Trail] = {}
        self._keyed: set[str] = set()

    def note(self, changes: Iterable[Changes]) -> None:
        """These changes have been committed by this process."""
        for each in changes:
            start, place = each.start, _place(each.projection, each.start)
            trail = self._trails.get(place)
            if trail is None or not trail.goes_on_from(start):
                trail = self._trails[place] = _Trail(start)
            trail.position = each.position
            for part in each.tables:
                if part.puts or part.deletes:
                    trail.note(part, each.position, keyed=part.table.identity in self._keyed)

    def touched(self, projection: str, since: Checkpoint, until: Checkpoint, looked: Looked) -> bool | None:
        """Whether what was looked at changed after ``since``, up to ``until``; ``None`` if the journal cannot tell.

        It may say yes for rows of which nobody asked before: only from then on their changes are kept apart.
        """
        trail = self._trails.get(_place(projection, since))
        if trail is None or not trail.covers(since, until):
            return None
        return any(trail.touched(name, keys, since.position) for name, keys in looked.items())

    def keep_apart(self, projection: str, table: str) -> None:
        """From now on, tell the rows of this table apart."""
        if table not in self._keyed:
            self._keyed.add(table)
            for (name, _, _), trail in self._trails.items():
                if name == projection:
                    trail.table(table).keys_from = trail.position


def _place(projection: str, checkpoint: Checkpoint) -> tuple[str, int, int]:
    return projection, checkpoint.low, checkpoint.high


def _grant(checkpoint: Checkpoint) -> tuple[int, int]:
    return checkpoint.epoch, checkpoint.token


class _Trail:
    """The unbroken commits of one grant of one range of a projection, from position ``begins`` to ``position``."""

    __slots__ = ("_grant", "_tables", "begins", "position")

    def __init__(self, start: Checkpoint) -> None:
        self.begins = self.position = start.position
        self._grant = _grant(start)
        self._tables: dict[str, _TableTrail] = {}

    def goes_on_from(self, start: Checkpoint) -> bool:
        """Whether nobody else can have changed anything between."""
        return self.position == start.position and self._grant == _grant(start)

    def covers(self, since: Checkpoint, until: Checkpoint) -> bool:
        """Whether every commit between the two is known."""
        return (
            _grant(since) == _grant(until) == self._grant
            and self.begins <= since.position
            and until.position <= self.position
        )

    def table(self, name: str) -> _TableTrail:
        """The trail of a table."""
        found = self._tables.get(name)
        if found is None:
            found = self._tables[name] = _TableTrail(self.begins)
        return found

    def note(self, part: TableChanges, position: int, *, keyed: bool) -> None:
        trail = self.table(part.table.identity)
        trail.changed_at = position
        if keyed:
            trail.note([*map(part.table.key_of, part.puts), *part.deletes], position)
        else:
            trail.keys_from = maxsize

    def touched(self, name: str, keys: frozenset[RowKey] | None, since: int) -> bool:
        trail = self._tables.get(name)
        if trail is None or trail.changed_at <= since:
            return False
        if keys is None or since < trail.keys_from:
            return True
        return any(trail.keys.get(key, 0) > since for key in keys)


class _TableTrail:
    """When a table changed last, and when each row did, as far as that is known: from ``keys_from`` on."""

    __slots__ = ("changed_at", "keys", "keys_from")

    def __init__(self, keys_from: int) -> None:
        self.changed_at = 0
        self.keys: dict[RowKey, int] = {}
        self.keys_from = keys_from

    def note(self, keys: Sequence[RowKey], position: int) -> None:
        """Note the rows, and forget those whose change is the longest ago when they become too many."""
        if self.keys_from == maxsize:
            self.keys_from = position
            return
        for key in keys:
            self.keys.pop(key, None)
            self.keys[key] = position
        while len(self.keys) > _MOST_KEYS:
            oldest = next(iter(self.keys))
            self.keys_from = max(self.keys_from, self.keys.pop(oldest))
