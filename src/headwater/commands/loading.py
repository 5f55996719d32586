"""Load: boundary query to state, and the position it was read at. Reads: boundaries.py. Read next: executor.py."""

from __future__ import annotations

import logging

import msgspec

from headwater.aggregates import AggregatePlan
from headwater.codec import Codec
from headwater.commands.boundaries import Boundary
from headwater.commands.fingerprints import fingerprint_of
from headwater.errors import EvolutionError
from headwater.event_store.protocol import EventStore, RecordedEvent, Snapshot
from headwater.messages import Event

_PAGE = 4096
_log = logging.getLogger("headwater.commands")


class Loader:
    """Brings a boundary's state up to the log: from a snapshot or from nothing, or by the delta since its baseline."""

    def __init__(self, store: EventStore, codec: Codec, plan: AggregatePlan) -> None:
        self._store = store
        self._codec = codec
        self._evolvers = plan.evolvers
        self._cls = plan.cls
        self._every = plan.cls.snapshot_every
        self._fingerprint = fingerprint_of(plan) if self._every else ""
        self.needs_envelope = any(evolver.wants_envelope for evolver in plan.evolvers.values())

    async def load(self, boundary: Boundary) -> None:
        """Fold what was appended since the boundary's baseline. Raises ``EvolutionError`` and ``StoreError``."""
        if boundary.query is None:
            return
        if self._every and boundary.version == 0:
            await self._restore(boundary)
        after = boundary.position
        while True:
            found = await self._store.read(boundary.query, after=after, limit=_PAGE)
            for recorded in found.events:
                self._fold(boundary, recorded)
            if len(found.events) < _PAGE:
                break
            after = boundary.version
        boundary.position = found.head
        if self._every and boundary.folded >= self._every:
            await self._keep(boundary)

    def fold(self, boundary: Boundary, events: tuple[Event, ...], first: int, last: int) -> None:
        """Fold the events just appended at ``first`` to ``last``, so that the next command needs no load."""
        if self.needs_envelope:  # the envelope is only known to the store: the next load reads the delta
            return
        try:
            for event in events:
                evolver = self._evolvers.get(type(event))
                if evolver is not None:
                    evolver.method(boundary.state, event)
        except Exception:  # noqa: BLE001  the events are stored: the receipt is due whatever evolve does
            _log.exception("%s could not evolve an event at %s..%s", self._cls.__name__, first, last)
            boundary.forget()
            return
        boundary.position = boundary.version = last
        boundary.folded += len(events)

    def _fold(self, boundary: Boundary, recorded: RecordedEvent) -> None:
        event = self._codec.decode(recorded)
        evolver = self._evolvers.get(type(event))
        if evolver is not None:
            try:
                evolver.method(boundary.state, self._codec.recorded(recorded) if evolver.wants_envelope else event)
            except Exception as error:
                boundary.forget()
                raise EvolutionError(
                    f"{self._cls.__name__} cannot fold {recorded.type} at position {recorded.position}: {error!r}",
                    remedy="mend its evolve method; the event itself stays as it is",
                    aggregate=self._cls.__name__,
                    position=recorded.position,
                ) from error
        boundary.version = recorded.position
        boundary.folded += 1

    async def _restore(self, boundary: Boundary) -> None:
        snapshot = await self._store.load_snapshot(self._snapshot_key(boundary))
        if snapshot is None or snapshot.fingerprint != self._fingerprint:
            return
        if snapshot.position > await self._store.head():  # the log was restored from an older copy
            return
        try:
            boundary.state = msgspec.json.decode(snapshot.state, type=self._cls)
        except msgspec.MsgspecError:
            _log.warning("a damaged snapshot of %s is ignored", self._cls.__name__)
            return
        boundary.position = boundary.version = snapshot.position

    async def _keep(self, boundary: Boundary) -> None:
        boundary.folded = 0
        state = msgspec.json.encode(boundary.state)
        snapshot = Snapshot(boundary.version, self._fingerprint, state)
        await self._store.save_snapshot(self._snapshot_key(boundary), snapshot)

    def _snapshot_key(self, boundary: Boundary) -> str:
        return f"{self._cls.__name__}:{msgspec.json.encode(boundary.query).decode()}"
