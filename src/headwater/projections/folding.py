"""Events into rows, without event loop or store. Reads: read_models.py, read_store/tables.py. Read next: projector.py.

folding = Folding(plan)
needed = folding.keys(facts)          # the rows to look up
batch = folding.fold(facts, rows)     # the rows to write, and where it stumbled if it did

Both take a test of keys: who works on a range of slices folds the rows in it, and leaves the others alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import msgspec

from headwater.errors import HandlerContractError, MissingRow, ProjectionError
from headwater.projections.sequences import SEVERAL, Happening, Sequences, only
from headwater.read_models import ProjectionPlan
from headwater.read_store.checkpoints import Checkpoint, slice_of
from headwater.read_store.tables import RowKey, Table, tables_of
from headwater.row_handlers import EventHandler, KeyOf
from headwater.signatures import forgotten_return

Rows = Mapping[RowKey, Any]
"""Rows by key as it is stored; ``None`` for a row that was deleted."""

Owned = Callable[[RowKey], bool]
"""Whether a row belongs to who folds, by its key as it is stored."""


class Batch(msgspec.Struct, frozen=True):
    """The rows that changed. With an ``error``, those before the event at ``failed_at``.

    ``failed_key`` is that of the row the event could not be applied to, where it was about one.
    """

    rows: Rows
    failed_at: int = 0
    error: Exception | None = None
    failed_key: RowKey | None = None


class Folding:
    """How one projection folds events into rows."""

    def __init__(self, plan: ProjectionPlan, side: int = 0) -> None:
        (self.table,) = tables_of(plan, side)
        self._sequences = Sequences(plan, self.table)
        self._types = plan.event_types
        projection = plan.cls()
        self._steps: dict[type[Any], _Making | _Changing] = {
            event: _step(handler, handler.method.__get__(projection), self.table)
            for event, (handler,) in plan.handlers.items()
        }

    def keys(self, facts: Iterable[Happening], owned: Owned | None = None) -> set[RowKey]:
        """Which rows these events need. Where a key cannot be told, ``fold`` will fail, and say so."""
        needed: set[RowKey] = set()
        for fact in facts:
            step = self._steps.get(type(fact.event))
            if isinstance(step, _Changing):
                try:
                    needed.update(step.keys(fact))
                except Exception:  # noqa: BLE001, S112  code of the user; folding meets it again and reports it
                    continue
        return needed if owned is None else set(filter(owned, needed))

    def keys_of(self, fact: Happening) -> list[RowKey] | None:
        """The keys of the rows that the event is about; ``None`` if nobody can tell.

        What makes new rows is asked for them: a row need not have the key that the event names.
        """
        step = self._steps.get(type(fact.event))
        if isinstance(step, _Making):
            made: dict[RowKey, Any] = {}
            with suppress(Exception):  # code of the user: if it fails, what the event names has to do
                step.apply(fact, {}, made, None)
                return list(made)
        return self._sequences.keys_of(fact)

    def strays(self, fact: Happening, key: RowKey) -> bool:
        """See ``Consumer.strays``. What makes new rows counts, when it fails, to the row whose key the event names."""
        if not isinstance(self._steps.get(type(fact.event)), _Making):
            return False
        return key in (self._sequences.keys_of(fact) or ()) and self.keys_of(fact) != [key]

    def fold(self, facts: Sequence[Happening], rows: Rows, owned: Owned | None = None) -> Batch:
        """Apply the events in order. ``rows`` are those that there are of the keys they need, perhaps among others."""
        changed: dict[RowKey, Any] = {}
        for fact in facts:
            try:
                step = self._steps.get(type(fact.event))
                if step is not None:
                    step.apply(fact, rows, changed, owned)
                elif fact.event is None and fact.type in self._types:
                    _ = fact.recorded  # raises, and says why it cannot be decoded
            except AtRow as error:
                return Batch(changed, fact.position, error.cause, error.key)
            except Exception as error:  # noqa: BLE001  code of the user may raise anything; the follower decides
                key = only(self._sequences.keys_of(fact))
                if key is None or owned is None or owned(key):  # else it is for those to whom the row belongs
                    return Batch(changed, fact.position, error, key)
        return Batch(changed)


def owned_by(at: Checkpoint, parked: frozenset[RowKey] = frozenset(), only: RowKey | None = None) -> Owned | None:
    """The test whether a row is in the range of that checkpoint, and not parked, or the ``only`` one that is wanted.

    ``None`` if every row is.
    """
    if only is not None:
        return lambda key: bool(key == only)
    low, high = at.low, at.high
    if parked:
        return lambda key: key not in parked and low <= slice_of(key) <= high
    return None if at.is_whole else lambda key: low <= slice_of(key) <= high


class AtRow(Exception):
    """A handler failed on the row of that key."""

    def __init__(self, key: RowKey, cause: Exception) -> None:
        super().__init__(key)
        self.key = key
        self.cause = cause


class _Making:
    """How an event type is applied whose handler makes new rows, bound to its projection."""

    def __init__(self, handler: EventHandler, method: Callable[..., Any], table: Table) -> None:
        self._method = method
        self._table = table
        self._wants_envelope = handler.wants_envelope
        self._may_be_none = handler.may_be_none
        self._where = handler.where

    def apply(self, fact: Happening, rows: Rows, changed: dict[RowKey, Any], owned: Owned | None) -> None:  # noqa: ARG002  as the other
        """Note in ``changed`` the rows to write; an event that fails leaves it as it was."""
        made = self._made(self._method(fact.recorded if self._wants_envelope else fact.event))
        # Whoever makes rows cannot say beforehand for which keys.
        changed.update(made if owned is None else [each for each in made if owned(each[0])])

    def _made(self, returned: Any) -> list[tuple[RowKey, Any]]:
        model, row_key, settled = self._table.model, self._table.row_key, self._table.settled
        if isinstance(returned, model):
            return [(row_key(returned), settled(returned, None))]
        if returned is None:
            if not self._may_be_none:
                raise forgotten_return(self._where)
            return []
        if type(returned) not in (*SEVERAL, tuple):
            raise _no_row(self._where, model, returned)
        for row in returned:
            if not isinstance(row, model):
                raise _no_row(self._where, model, row)
        return [(row_key(row), settled(row, None)) for row in returned]


class _Changing:
    """How an event type is applied whose handler takes the rows that there are, bound to its projection."""

    def __init__(self, handler: EventHandler, method: Callable[..., Any], table: Table, key: KeyOf) -> None:
        self._method = method
        self._key = key
        self._model = table.model
        self._row_key = table.row_key
        self._settled = table.settled
        self._copied = table.copied
        self._stored_key = table.stored_key
        self._plain_key = table.plain_key
        self._is_open = table.is_open
        self._wants_envelope = handler.wants_envelope
        self._is_required = handler.needs == "required"
        self._may_be_none = handler.may_be_none
        self._where = handler.where

    def keys(self, fact: Happening) -> Collection[RowKey]:
        """The keys of the rows that the event is about, each once."""
        found: Any = self._key(fact.recorded if self._wants_envelope else fact.event)
        return (found,) if found.__class__ is self._plain_key else self._keys(found)

    def apply(self, fact: Happening, rows: Rows, changed: dict[RowKey, Any], owned: Owned | None) -> None:
        """Note in ``changed``, which goes before ``rows``, what to write; an event that fails leaves it as it was."""
        argument = fact.recorded if self._wants_envelope else fact.event
        found: Any = self._key(argument)
        if found.__class__ is self._plain_key:  # nearly always: one event, one row
            if owned is None or owned(found):
                row = changed[found] if found in changed else rows.get(found)
                returned = self._changed(argument, fact, found, row)
                if returned is not row or (self._is_open and row is not None):
                    changed[found] = returned
            return
        made: dict[RowKey, Any] = {}
        for key in self._keys(found):
            if owned is None or owned(key):
                row = changed[key] if key in changed else rows.get(key)
                returned = self._changed(argument, fact, key, row)
                if returned is not row or (self._is_open and row is not None):
                    made[key] = returned
        changed.update(made)

    def _keys(self, found: Any) -> Collection[RowKey]:
        if found is None:
            return ()
        if type(found) in SEVERAL:
            return dict.fromkeys(map(self._stored_key, found))
        return (self._stored_key(found),)

    def _changed(self, argument: Any, fact: Happening, key: RowKey, row: Any) -> Any:
        """What the handler makes of that row. Whatever fails, fails at this row: raises ``AtRow``."""
        try:
            if row is None and self._is_required:
                raise MissingRow(
                    f"{self._where}: there is no row {key!r} for the event at position {fact.position}", key=key
                )
            if self._is_open and row is not None:  # an event that fails leaves it as it was, lists and all
                row = self._copied(row)
            returned = self._method(argument, row)
            if returned is None and not self._may_be_none:
                raise forgotten_return(self._where)
            if returned is row or returned is None:
                return returned
            if not isinstance(returned, self._model):
                raise _no_row(self._where, self._model, returned)
            if self._row_key(returned) != key:
                raise ProjectionError(
                    f"{self._where} returned the row {self._row_key(returned)!r} when given {key!r}",
                    remedy="a row keeps its key; to move a row, delete it and make another with two handlers",
                )
            return self._settled(returned, row)
        except Exception as error:
            raise AtRow(key, error) from error


def _step(handler: EventHandler, method: Callable[..., Any], table: Table) -> _Making | _Changing:
    if handler.key is None:
        return _Making(handler, method, table)
    return _Changing(handler, method, table, handler.key)


def _no_row(where: str, model: type[Any], returned: Any) -> HandlerContractError:
    return HandlerContractError(
        f"{where} returned {type(returned).__name__}, which is no {model.__name__}",
        remedy="return rows of the projection's read model, or None",
        where=where,
    )
