"""What a follower needs of what it serves: projections now, process managers and relays by the same door.

Reads: feed.py, read_store/protocol.py. Read next: follower.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from headwater.followers.feed import Fact
from headwater.read_store.checkpoints import Checkpoint
from headwater.read_store.parking import NOTHING_SKIPPED, Skips
from headwater.read_store.protocol import Changes
from headwater.read_store.tables import RowKey, Table

State: TypeAlias = Literal["stopped", "paused", "catching-up", "live", "retrying", "failed"]


class Fault(msgspec.Struct, frozen=True):
    """The event at ``position``, of the type ``event``, could not be consumed, because of ``cause``.

    ``key`` is that of the row it could not be applied to, as it is stored, where that is known: what belongs to other
    keys need not stop. ``event`` is empty where nothing can be left out, so that all has to stop.
    """

    position: int
    cause: Exception
    key: RowKey | None = None
    event: str = ""


class Work(Protocol):
    """What a consumer has in hand of one range: made of the events after a checkpoint, and not stored yet.

    Once that is stored it may go on from there, and need not look up again what it has: a commit stores nothing where
    anybody else has stored something since, so whoever begins a new work when a checkpoint is not where he left it
    never goes on with what is not true any more.
    """

    @property
    def start(self) -> Checkpoint:
        """Where it goes on from: what is stored."""
        ...

    @property
    def position(self) -> int:
        """Up to where events are folded."""
        ...

    @property
    def size(self) -> int:
        """How many rows there are to store."""
        ...

    async def fold(self, facts: Sequence[Fact], position: int, skips: Skips = NOTHING_SKIPPED) -> Fault | None:
        """Fold these events, the next ones in the log, as far as they are in its slices; then it is at ``position``.

        What ``skips`` names is left out. With a fault it stands before the faulty event, and goes no further. Raises
        ``ProjectionError`` for rows that cannot be read, ``StoreError``.
        """
        ...

    def changes(self) -> Changes:
        """What there is to store. Raises ``ProjectionError`` for a row that cannot be stored."""
        ...

    def stored(self, start: Checkpoint) -> None:
        """That is stored, and the range stands there now."""
        ...


class Consumer(Protocol):
    """Turns events into changes. It stores nothing itself."""

    @property
    def name(self) -> str:
        """Under which its checkpoint is kept."""
        ...

    @property
    def version(self) -> int:
        """Which version of it this is."""
        ...

    @property
    def event_types(self) -> frozenset[str]:
        """The stored names of the events it wants."""
        ...

    @property
    def tables(self) -> tuple[Table, ...]:
        """Where it keeps what it makes."""
        ...

    def begin(self, start: Checkpoint, only: RowKey | None = None) -> Work:
        """Nothing in hand yet: the next event is the one after that checkpoint. It may be about ``only`` one key."""
        ...

    def on(self, side: int) -> Consumer:
        """The same, into the tables on that side."""
        ...

    def keys_of(self, fact: Fact) -> list[RowKey] | None:
        """The keys of the rows that an event is about; ``None`` if nobody can tell."""
        ...

    def strays(self, fact: Fact, key: RowKey) -> bool:
        """Whether an event, when it fails, counts to the row of that key, though it makes others when it does not."""
        ...

    def blame(self, fact: Fact, cause: Exception, at: Checkpoint) -> Fault:
        """The fault of an event that makes something, in the range of that checkpoint, which cannot be stored."""
        ...


class ProjectionStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How far a follower is: ``lag_positions`` behind the log's ``head``; ``error`` says what it stumbled over.

    ``state`` is ``live``, ``catching-up``, ``retrying`` (an event failed and is tried again), ``failed`` (it was tried
    often enough; it stands still until it is rebuilt or the application is opened again), ``paused`` (by order) or
    ``stopped`` (nobody runs it). ``workers`` is how many processes share it, ``parked`` how many sequences it has set
    aside, see ``Parked``. ``serving`` is the version that queries are answered from here, ``building`` how far rows are
    that are built anew beside those.
    """

    name: str
    version: int
    position: int
    head: int
    lag_positions: int
    state: State
    error: str | None = None
    workers: int = 0
    parked: int = 0
    serving: int = 0
    building: int | None = None
