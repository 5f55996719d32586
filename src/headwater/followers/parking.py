"""What to do about parked sequences: list them, let them go on, leave the event out that they failed on.

Reads: consumer.py, read_store/parking.py, worker.py. Read next: follower.py (which parks them).

A sequence that goes on catches up first, beside the worker that holds its range and without holding it up. Only for the
last step the range is claimed, so that the rows, the end of the parking and the range's place in the log are stored
together, and whoever held the range before learns of it: it comes back to him under another token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from headwater.catalogue import named
from headwater.clock import Clock
from headwater.codec import Codec
from headwater.errors import NotParked, ParkedAlone, StoreBusy
from headwater.event_store.protocol import EventQuery, EventStore
from headwater.followers.consumer import Consumer, Work
from headwater.followers.feed import Fact, facts_of
from headwater.followers.worker import this_worker
from headwater.read_store.checkpoints import NOBODY, Checkpoint, Regrant, Share, slice_of
from headwater.read_store.parking import (
    NOTHING_SKIPPED,
    Discarded,
    Parked,
    Skips,
    error_text,
    key_of,
    sequence_of,
    skipping,
    storable_text,
)
from headwater.read_store.protocol import Changes, ReadStore
from headwater.read_store.tables import RowKey

_PAGE = 1_000
_TRIES = 20
_LEASE_SECONDS = 30.0


class Parking:
    """The parked sequences of the consumers of one process, on one log and one read store."""

    def __init__(
        self,
        event_store: EventStore,
        read_store: ReadStore,
        codec: Codec,
        consumers: Mapping[str, Consumer],
        clock: Clock,
    ) -> None:
        self._events = event_store
        self._rows = read_store
        self._codec = codec
        self._consumers = consumers
        self._clock = clock

    async def listed(self, name: str | None = None) -> list[Parked]:
        """What is parked, of one projection or of all. Raises ``UnknownMessage`` for a name nobody has."""
        if name is not None:
            self._consumer(name)
        return [each for each in await self._rows.parked() if name in (None, each.projection)]

    async def discarded(self, name: str | None = None) -> list[Discarded]:
        """Which events were left out, of one projection or of all. Raises ``UnknownMessage``."""
        if name is not None:
            self._consumer(name)
        return [each for each in await self._rows.discarded() if name in (None, each.projection)]

    async def retry(self, name: str, sequence: str) -> Parked | None:
        """Let a sequence go on, in order, from the event it failed on; if one fails again, where it stands now.

        Raises ``UnknownMessage``, ``NotParked``, ``ParkedAlone``, ``StoreError``.
        """
        return await self._settle(name, sequence, reason="", by="")

    async def discard(self, name: str, sequence: str, *, reason: str, by: str = "") -> Parked | None:
        """Leave out the event that a sequence failed on, and let it go on with the rest. Raises as ``retry`` does."""
        return await self._settle(name, sequence, reason=reason, by=by)

    async def _settle(self, name: str, sequence: str, *, reason: str, by: str) -> Parked | None:
        consumer = self._consumer(name)
        worker = this_worker({}, follows=False)
        await self._rows.announce(worker, _LEASE_SECONDS)
        try:
            for _ in range(_TRIES):
                consumer = consumer.on(await self._side(consumer))
                parked = await self._find(consumer, sequence)
                run = _Rerun(self._events, self._rows, self._codec, consumer, parked)
                await run.begin(skip=bool(reason))
                share = await self._share(consumer, run.key)
                await run.go_on(share.checkpoint.position)
                claimed = await self._claim(share, worker.id)
                if claimed is None:
                    continue
                try:
                    if await self._find(consumer, sequence) == parked:
                        await run.go_on(claimed.position)
                        changes = run.changes(claimed, self._discarded(parked, claimed, reason, by))
                        if not await self._rows.commit([changes]):
                            return run.stands
                finally:
                    await self._give_back(share, claimed)
        finally:
            await self._rows.leave(worker.id)
        raise StoreBusy(f"others kept changing {name} meanwhile", remedy="try again")

    def _consumer(self, name: str) -> Consumer:
        return named("projection", name, self._consumers)

    async def _find(self, consumer: Consumer, sequence: str) -> Parked:
        names = (sequence, sequence_of(sequence))
        parked = [each for each in await self.listed(consumer.name) if each.version == consumer.version]
        for each in parked:
            if each.sequence in names:
                return each
        raise NotParked(
            f"{consumer.name} has no parked sequence {sequence}", projection=consumer.name, sequence=sequence
        )

    async def _side(self, consumer: Consumer) -> int:
        """In which of its tables the rows stand that are served."""
        return (await self._rows.checkpoints())[consumer.name].side

    async def _share(self, consumer: Consumer, key: RowKey) -> Share:
        """The range that the row of that key is in; for a key that nobody knows, the first one."""
        place = 0 if key is None else slice_of(key)
        for share in (await self._rows.fleet()).shares:
            at = share.checkpoint
            if (share.projection, share.version) == (consumer.name, consumer.version) and at.low <= place <= at.high:
                return share
        raise StoreBusy(f"{consumer.name} is just being built anew", remedy="try again")

    async def _claim(self, share: Share, worker: str) -> Checkpoint | None:
        at = share.checkpoint
        (made,) = await self._rows.regrant([Regrant((share,), ((at.low, at.high, worker),))])
        return made[0] if made else None

    async def _give_back(self, share: Share, claimed: Checkpoint) -> None:
        live = {worker.id for worker in (await self._rows.fleet()).workers if worker.is_live}
        owner = share.checkpoint.owner if share.checkpoint.owner in live else NOBODY
        mine = Share(share.projection, share.version, claimed)
        await self._rows.regrant([Regrant((mine,), ((claimed.low, claimed.high, owner),))])

    def _discarded(self, parked: Parked, claimed: Checkpoint, reason: str, by: str) -> tuple[Discarded, ...]:
        if not reason:
            return ()
        return (
            Discarded(
                projection=parked.projection,
                version=parked.version,
                sequence=parked.sequence,
                position=parked.position,
                event=parked.event,
                error=parked.error,
                epoch=claimed.epoch,
                discarded_at=self._clock.now(),
                discarded_by=storable_text(by),
                reason=storable_text(reason),
            ),
        )


class _Rerun:
    """One parked sequence on its way through the log again, in memory. ``stands`` is where it failed anew."""

    def __init__(
        self, event_store: EventStore, read_store: ReadStore, codec: Codec, consumer: Consumer, parked: Parked
    ) -> None:
        self._events = event_store
        self._rows = read_store
        self._codec = codec
        self._consumer = consumer
        self._parked = parked
        self._position = parked.position - 1
        self._work: Work | None = None
        self.key: RowKey = parked.key
        self.stands: Parked | None = None

    async def begin(self, *, skip: bool) -> None:
        """Begin where it failed; with ``skip`` the faulty event is left out. Raises ``ParkedAlone``."""
        if self._parked.is_alone and not skip:
            await self._adopt()
        if skip:
            self._position = self._parked.position
        if self.key is not None:
            self._work = self._consumer.begin(Checkpoint(self._position, 0), self.key)

    async def go_on(self, position: int) -> None:
        """Fold the events of this row up to there, in order, until one fails. Raises ``ParkedAlone``."""
        left_out = await self._left_out() if self._work is not None else NOTHING_SKIPPED
        while self._work is not None and self.stands is None and self._position < position:
            facts, reached = await self._read(position)
            await self._fold(self._work, facts, reached, left_out)
            self._position = reached

    def changes(self, claimed: Checkpoint, discarded: tuple[Discarded, ...]) -> Changes:
        """What to store, if the range is claimed at that checkpoint."""
        return Changes(
            self._consumer.name,
            claimed,
            claimed.position,
            () if self._work is None else self._work.changes().tables,
            parks=() if self.stands is None else (self.stands,),
            settles=() if self.stands is not None else (self._parked.sequence,),
            discards=discarded,
        )

    async def _read(self, position: int) -> tuple[list[Fact], int]:
        types = self._consumer.event_types
        page = await self._events.read(EventQuery.of(types=sorted(types)), after=self._position, limit=_PAGE)
        events = [event for event in page.events if event.position <= position]
        return facts_of(events, types, self._codec), events[-1].position if len(events) == _PAGE else position

    async def _left_out(self) -> Skips:
        """The events that are left out for every row, because they were parked or discarded alone."""
        name, version = self._parked.projection, self._parked.version
        epoch = (await self._rows.checkpoints())[name].epoch
        parked = [each for each in await self._rows.parked() if each.is_alone and each != self._parked]
        gone = [each for each in await self._rows.discarded() if key_of(each.sequence) is None and each.epoch == epoch]
        sequences = [each.sequence for each in parked if (each.projection, each.version) == (name, version)]
        sequences += [each.sequence for each in gone if (each.projection, each.version) == (name, version)]
        return skipping(sequences)

    async def _fold(self, work: Work, facts: Sequence[Fact], position: int, left_out: Skips) -> None:
        if self._parked.is_alone:
            later = [fact for fact in facts if fact.position > self._parked.position]
            if any(self.key in (self._consumer.keys_of(fact) or ()) for fact in later):
                raise self._too_late()
        elif any(self._consumer.strays(fact, self.key) for fact in facts):
            raise self._too_late()
        fault = await work.fold(facts, position, left_out)
        if fault is not None:
            event = next(fact.type for fact in facts if fact.position == fault.position)
            self.stands = self._standing_at(fault.position, event, fault.cause)

    async def _adopt(self) -> None:
        """Find out which row an event is about that was parked alone; it must be one."""
        facts, _ = await self._read(self._parked.position)
        for fact in facts:
            if fact.error is not None:
                self.stands = self._standing_at(fact.position, fact.type, fact.error)
                return
            keys = self._consumer.keys_of(fact)
            if keys is None or len(keys) > 1:
                raise self._too_late()
            self.key = keys[0] if keys else None

    def _standing_at(self, position: int, event: str, cause: Exception) -> Parked:
        return msgspec.structs.replace(
            self._parked, position=position, event=event, error=error_text(cause), attempts=self._parked.attempts + 1
        )

    def _too_late(self) -> ParkedAlone:
        name, position = self._consumer.name, self._parked.position
        return ParkedAlone(
            f"{name} cannot apply the event at position {position} any more: rows it may be about have gone on",
            projection=name,
            position=position,
        )
