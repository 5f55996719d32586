"""Load: boundary query to state, and the position it was read at. Reads: boundaries.py. Read next: executor.py."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import msgspec

from headwater.aggregates import AggregatePlan
from headwater.codec import Codec
from headwater.commands.boundaries import Boundary
from headwater.commands.fingerprints import beginning_at, fingerprint_of
from headwater.commands.gathering import GatheredReads
from headwater.errors import EvolutionError, MessageError, StoreError
from headwater.event_store.bodies import Bodies, BodyReader
from headwater.event_store.protocol import EventQuery, EventStore, NewEvent, QueryItem, RecordedEvent, Snapshot
from headwater.messages import Event

_Step: TypeAlias = "tuple[Callable[[bytes], Any], Callable[[Any, Any], None]]"
"""What decodes a body, and what folds the event."""

_PAGE = 4096
_NO_ITEM = QueryItem()
_log = logging.getLogger("headwater.commands")


class Loader:
    """Brings a boundary's state up to the log: from a snapshot or from nothing, or by the delta since its baseline."""

    def __init__(self, store: EventStore, codec: Codec, plan: AggregatePlan, reads: GatheredReads) -> None:
        self._store = store
        self._reads = reads
        self._codec = codec
        self._cls = plan.cls
        self._every = plan.cls.snapshot_every
        self.keeps_after = self._every or sys.maxsize
        """After so many folded events a load is due, which keeps a snapshot."""
        self._fingerprint = fingerprint_of(plan) if self._every else ""
        self._methods = {event: evolver.method for event, evolver in plan.evolvers.items()}
        self._enveloped = frozenset(event for event, evolver in plan.evolvers.items() if evolver.wants_envelope)
        self.needs_envelope = bool(self._enveloped)
        self._read_bodies = store.read_bodies if isinstance(store, BodyReader) and not self._enveloped else None
        self.reads_at_once = self._read_bodies is not None and not self._every
        """Whether most loads need no waiting."""
        self._steps: dict[int, _Step] = {}

    async def load(self, boundary: Boundary, *, up_to: int = 0) -> None:
        """Fold what was appended since the boundary's baseline. Raises ``EvolutionError`` and ``StoreError``.

        What was read without a wait may not say how far the log is. Up to ``up_to`` it is read, if it comes so far.
        """
        if not self.loaded_at_once(boundary):
            await self.load_waiting(boundary)
        if boundary.position < up_to and boundary.query is not None:
            await self._fold_page_by_page(boundary, boundary.query)

    def loaded_at_once(self, boundary: Boundary) -> bool:
        """Load if nothing has to be waited for, and say whether that is done. If not, ``load_waiting`` does it."""
        return boundary.query is None or (self.reads_at_once and self._taken_at_once(boundary))

    async def load_waiting(self, boundary: Boundary) -> None:
        """Load what ``loaded_at_once`` could not: from a snapshot on, or page by page."""
        if boundary.query is None:
            return
        if self._every and boundary.version == 0:
            await self._restore(boundary)
        if not (self._every and self._taken_at_once(boundary)):
            await self._fold_page_by_page(boundary, boundary.query)
        if self._every and boundary.folded >= self._every:
            await self._keep(boundary)

    def bodies(self, boundary: Boundary) -> Bodies | None:
        """What ``take`` folds, if it can be read without waiting."""
        if self._read_bodies is None or boundary.query is None:
            return None
        return self._read_bodies(boundary.query, boundary.position)

    def take(self, boundary: Boundary, found: Bodies) -> None:
        """Fold what was read. Raises ``EvolutionError`` and ``MessageError``."""
        self._fold_bodies(boundary, found)
        # A state from a snapshot of another process may be younger than what the reads of a turn share.
        boundary.position = max(boundary.position, found.head)

    def _taken_at_once(self, boundary: Boundary) -> bool:
        found = self.bodies(boundary)
        if found is not None:
            self.take(boundary, found)
        return found is not None

    async def _fold_page_by_page(self, boundary: Boundary, query: EventQuery) -> None:
        while True:
            found = await self._reads.read(query, after=boundary.position, limit=_PAGE)
            self._fold(boundary, found.events)
            if len(found.events) < _PAGE:
                break
            boundary.position = boundary.version  # if the next page cannot be read, this one is not folded again
        boundary.position = found.head

    def fold(self, boundary: Boundary, events: Sequence[Event], stored: Sequence[NewEvent], first: int) -> None:
        """Fold the events just ``stored`` from position ``first`` on, so that the next command needs no load.

        As in a load, those outside the boundary are none of its business: a transfer from one account also puts money
        into another.
        """
        query = boundary.query
        if query is None or self.needs_envelope:  # only the store knows the envelope: the next load reads the delta
            return
        usual, last = query.items[0] if query.items else _NO_ITEM, first - 1
        try:
            for event, new in zip(events, stored):  # noqa: B905  the one was made of the other
                last += 1
                if (new.tags == usual.tags and new.type in usual.types) or query.matches(new.type, new.tags):
                    method = self._methods.get(type(event))
                    if method is not None:
                        method(boundary.state, event)
                    boundary.version = last
                    boundary.folded += 1
        except Exception:  # noqa: BLE001  the events are stored: the receipt is due whatever evolve does
            _log.exception("%s could not evolve the event at %s", self._cls.__name__, last)
            boundary.forget()
            return
        boundary.position = last

    def _fold_bodies(self, boundary: Boundary, found: Bodies) -> None:
        """Decode and fold in one tight loop: a cold command spends most of its time here."""
        state, steps = boundary.state, self._steps
        position, met, data = boundary.version, -1, b""
        step: _Step = bytes, _ignored
        decode, fold = step
        try:
            for position, form, data in found.rows:  # noqa: B007  what comes after the loop says it
                if form != met:  # most events of a state are of the form before
                    decode, fold = steps.get(form) or self._step(found, form)
                    met = form
                fold(state, decode(data))
        except Exception as error:
            boundary.forget()
            if isinstance(error, MessageError | msgspec.MsgspecError | UnicodeError | RecursionError):
                self._codec.decode(_bare(position, *found.form(met), data))  # says what is wrong with it, and where
            if isinstance(error, MessageError):
                raise
            raise self._unfoldable(error, position) from error
        boundary.version = position
        boundary.folded += len(found.rows)

    def _step(self, found: Bodies, form: int) -> _Step:
        name, version = found.form(form)
        known = self._codec.event_decoder(name, version)
        if known is None:
            step: _Step = (lambda data: self._codec.decode(_bare(0, name, version, data))), self._fold_any
        else:
            step = known[1], self._methods.get(known[0], _ignored)
        self._steps[form] = step
        return step

    def _fold_any(self, state: Any, event: Event) -> None:
        method = self._methods.get(type(event))
        if method is not None:
            method(state, event)

    def _fold(self, boundary: Boundary, events: Sequence[RecordedEvent]) -> None:
        """The same with whole events."""
        state, decode = boundary.state, self._codec.decode
        methods, enveloped = self._methods, self._enveloped
        position = boundary.version
        try:
            for recorded in events:
                position = recorded.position
                event = decode(recorded)
                kind = type(event)
                method = methods.get(kind)
                if method is not None:
                    method(state, self._codec.recorded(recorded) if kind in enveloped else event)
        except MessageError:
            boundary.forget()
            raise
        except Exception as error:
            boundary.forget()
            raise self._unfoldable(error, position) from error
        boundary.version = position
        boundary.folded += len(events)

    def _unfoldable(self, error: Exception, position: int) -> EvolutionError:
        return EvolutionError(
            f"{self._cls.__name__} cannot fold the event at position {position}: {error!r}",
            remedy="mend its evolve method; the event itself stays as it is",
            aggregate=self._cls.__name__,
            position=position,
        )

    async def _restore(self, boundary: Boundary) -> None:
        snapshot = await self._store.load_snapshot(self._snapshot_key(boundary))
        if snapshot is None or snapshot.fingerprint != beginning_at(self._fingerprint, boundary.key):
            return
        if snapshot.position > await self._store.head():  # the log was restored from an older copy
            return
        try:
            boundary.state = self._codec.decode_as(self._cls, snapshot.state)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            _log.warning("a damaged snapshot of %s is ignored", self._cls.__name__)
            return
        boundary.position = boundary.version = snapshot.position

    async def _keep(self, boundary: Boundary) -> None:
        boundary.folded = 0
        state = self._encoded(boundary.state)
        if state is None:
            _log.warning(
                "no snapshot of %s is kept: a field of its state does not come back from JSON", self._cls.__name__
            )
            return
        snapshot = Snapshot(boundary.version, beginning_at(self._fingerprint, boundary.key), state)
        try:
            await self._store.save_snapshot(self._snapshot_key(boundary), snapshot)
        except StoreError as error:  # it only makes loads shorter; what is wrong shows at the next append
            _log.warning("no snapshot of %s was kept: %s", self._cls.__name__, error)

    def _encoded(self, state: Any) -> bytes | None:
        """A state as JSON, if that gives the same state: what a field of any type holds may come back as another."""
        try:
            made = self._codec.encode(state)
            return made if self._codec.decode_as(self._cls, made) == state else None
        except (msgspec.MsgspecError, ValueError, TypeError, NotImplementedError, RecursionError):
            return None

    def _snapshot_key(self, boundary: Boundary) -> str:
        return f"{self._cls.__name__}:{msgspec.json.encode(boundary.query).decode()}"


def _ignored(_state: Any, _event: Any) -> None:
    """An event that the aggregate does not evolve by."""


def _bare(position: int, name: str, version: int, data: bytes) -> RecordedEvent:
    return RecordedEvent(position, name, version, data, (), b"{}", b"", 0)
