"""The read store's contract: rows and checkpoints, committed together. Reads: reader.py, checkpoints.py.

Promises: the rows of a batch and the checkpoints of all its ranges are stored together or not at all; a commit that
starts from another checkpoint than the stored one stores nothing, so that an event counts once even if two processes
project it, and so that a worker which lost its lease (stopped, or cut off for too long) changes nothing when it comes
back; a reader sees whole commits only. Everything here can be built anew from the log, so a commit need
not outlive a power cut: what is lost, rows and checkpoint together, is projected again. Read next: memory.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from headwater.read_models import ReadModel
from headwater.read_store.checkpoints import Checkpoint, Fleet, Regrant, Worker
from headwater.read_store.news import News
from headwater.read_store.parking import Discarded, Parked, Pause
from headwater.read_store.reader import Reader
from headwater.read_store.source import RowSource
from headwater.read_store.tables import RowKey, Table, Values

R = TypeVar("R", bound=ReadModel)


class TableChanges(msgspec.Struct, frozen=True):
    """Rows to store under their keys, and keys to delete, of one table. No key stands in both, and none twice."""

    table: Table
    puts: Sequence[Values]
    deletes: Sequence[RowKey]


class Changes(msgspec.Struct, frozen=True):
    """What a batch of events makes of a projection's range: from the checkpoint it was made on, to that position.

    ``parks`` are sequences that are parked with it, ``settles`` names those that go on, ``discards`` records the events
    that were left out so that they could.
    """

    projection: str
    start: Checkpoint
    position: int
    tables: tuple[TableChanges, ...] = ()
    parks: tuple[Parked, ...] = ()
    settles: tuple[str, ...] = ()
    discards: tuple[Discarded, ...] = ()

    @property
    def changed_at(self) -> int:
        """The last position at which a row of the range changed, once this is stored."""
        return self.position if any(part.puts or part.deletes for part in self.tables) else self.start.changed_at


class ReadStore(RowSource, Protocol):
    """Where read models live: what readers need, and what fills it."""

    @property
    def news(self) -> News:
        """Whether somebody, here or in another process, may have moved a checkpoint."""
        ...

    async def prepare(self, tables: Sequence[Table]) -> None:
        """Make room for these tables, which are all that is read and written from now on.

        A table of another version of a projection stays until ``retire``. Raises ``ContractChanged`` if the rows that
        are stored under the same version have another shape.
        """
        ...

    async def identify(self, log: bytes) -> bool:
        """Say which log the rows come from (the id of its first event, empty for an empty log).

        If they come from another log, all of them are dropped, to be built from this one; says whether that happened.
        """
        ...

    async def checkpoints(self) -> Mapping[str, Checkpoint]:
        """How far each prepared projection is as a whole: as its hindmost range."""
        ...

    async def ranges(self) -> Mapping[str, tuple[Checkpoint, ...]]:
        """How far each range is whose rows readers read (see ``serve``), from the lowest slice on: one cheap look.

        From then on readers read the side that these ranges are on, whoever switched to it.
        """
        ...

    def ranges_at_hand(self) -> Mapping[str, tuple[Checkpoint, ...]] | None:
        """What ``ranges`` would say, where that can be told without waiting; else ``None``. Raises ``StoreError``.

        As long as nothing has moved it is the very same mapping, which is not to be changed.
        """
        ...

    async def fleet(self) -> Fleet:
        """All ranges of all versions of all projections, and who works on them."""
        ...

    async def announce(self, worker: Worker, lease_seconds: float) -> None:
        """Say that a worker lives, and will for so long: one small transaction, whatever it holds."""
        ...

    async def leave(self, worker: str) -> None:
        """Give back every range that worker holds, and forget it."""
        ...

    async def regrant(self, regrants: Sequence[Regrant]) -> Sequence[tuple[Checkpoint, ...] | None]:
        """Rearrange ranges, each regrant for itself: what is stored now, or ``None`` where ranges were not as seen."""
        ...

    async def load(self, table: Table, keys: Iterable[RowKey]) -> dict[RowKey, Any]:
        """The rows of these keys, as far as there are any. For projecting: it sees the last commit."""
        ...

    async def commit(self, changes: Sequence[Changes]) -> frozenset[str]:
        """Store all changes, or none if a checkpoint has moved since, or its range was granted to somebody else.

        Gives the names of the projections for which that is so.
        """
        ...

    async def parked(self) -> Sequence[Parked]:
        """All parked sequences, of all versions of all projections."""
        ...

    async def discarded(self) -> Sequence[Discarded]:
        """All events that were left out of a projection, also before it was built anew."""
        ...

    async def pause(self, pause: Pause) -> None:
        """From now on nobody takes that projection further. Pausing it again changes nothing."""
        ...

    async def resume(self, projection: str) -> None:
        """It goes on, if it was paused."""
        ...

    async def reset(self, projection: str) -> None:
        """Drop a projection's rows and begin a new epoch at position 0, in one range that nobody holds.

        Nothing of it is parked any more.
        """
        ...

    async def build_beside(self, projection: str) -> int:
        """Begin to build a projection's rows anew in its other table, while those that are there are served.

        Gives the epoch in which they are built; where that is under way already, nothing else begins. Raises
        ``StoreReadOnly`` where tables may not be made.
        """
        ...

    async def switch(self, projection: str) -> bool:
        """Let what was built beside take the place of the rows before, if it is no less far; says whether it did."""
        ...

    async def abandon(self, projection: str) -> None:
        """Give up what is built beside."""
        ...

    async def tidy(self, projection: str) -> None:
        """Empty the table that is neither served nor built. Raises ``StoreBusy`` while somebody streams from it."""
        ...

    async def can_serve(self, projection: str, version: int) -> bool:
        """Whether the rows of that version, if there are any, have the shape of the prepared one."""
        ...

    def serve(self, projection: str, version: int, side: int) -> None:
        """Let readers of this store read those rows from now on: of another version, or the other of two tables."""
        ...

    async def retire(self, projection: str) -> None:
        """Drop what is left of its other versions, unless a live worker has announced that it knows one of them.

        Raises ``StoreBusy`` while somebody streams from that.
        """
        ...

    def table_of(self, model: type[ReadModel]) -> Table:
        """The table that holds the rows of a model. Raises ``UnknownMessage`` if no prepared projection fills it."""
        ...

    def reader(self, model: type[R]) -> Reader[R]:
        """Reads the rows of a model. Raises ``UnknownMessage`` if no prepared projection fills it."""
        ...

    async def close(self) -> None:
        """Finish what was handed over, refuse what comes after. Calling it again does nothing."""
        ...
