"""Events into rows of several models, with rows looked up and rows added up. Reads: adding.py, folding.py.

Read next: composer.py. Where one handler makes one row of one model, folding.py does the same in fewer steps, and what
fails can be told apart by row; here an event is all or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from headwater.errors import HandlerContractError, MissingRow, ProjectionError
from headwater.messages import contract_of
from headwater.projections.adding import Adding
from headwater.projections.folding import AtRow, Owned
from headwater.projections.sequences import SEVERAL, Happening
from headwater.read_models import ProjectionPlan
from headwater.read_store.tables import RowKey, Table, tables_of
from headwater.row_handlers import EventHandler
from headwater.signatures import forgotten_return

RowsOf: TypeAlias = Mapping[Table, Mapping[RowKey, Any]]
"""Rows of each table by key as it is stored; ``None`` for a row that was deleted."""

_Made: TypeAlias = tuple[Table, RowKey, Any]


class Composed(msgspec.Struct, frozen=True):
    """The rows that changed, and what events ``added`` to others; with an ``error``, before the event ``failed``.

    ``failed_key`` is that of the row the event could not be applied to, where that is known.
    """

    rows: RowsOf
    added: Mapping[Table, Mapping[RowKey, Sequence[Any]]]
    failed: Happening | None = None
    error: Exception | None = None
    failed_key: RowKey | None = None


class Composing:
    """How one projection folds events into rows of its ``tables``; ``sums`` are those that it adds to.

    It ``is_undivided`` where handlers look up other rows: all belong to one slice then, because they must stand at one
    position together. Events ``apart``, by their stored names, make rows that nothing builds on.
    """

    def __init__(self, plan: ProjectionPlan, side: int = 0) -> None:
        self.tables = tables_of(plan, side)
        by_model = {table.model: table for table in self.tables}
        self.sums = {by_model[model]: Adding(by_model[model]) for model in plan.models if model in plan.sums}
        self._types = plan.event_types
        self.is_undivided = any(handler.lookups for handlers in plan.handlers.values() for handler in handlers)
        self.apart = frozenset[str]() if self.is_undivided else _apart(plan)
        projection = plan.cls()
        self._steps: dict[type[Any], tuple[_Step, ...]] = {
            event: tuple(_Step(handler, handler.method.__get__(projection), by_model) for handler in handlers)
            for event, handlers in plan.handlers.items()
        }

    def keys_of(self, fact: Happening) -> list[RowKey] | None:
        """The keys of the rows that the event is about; ``None`` if nobody can tell, as of rows that it makes."""
        if self.is_undivided or fact.event is None:
            return None if fact.type in self._types else []
        try:
            steps = self._steps.get(type(fact.event), ())
            found = [key for step in steps if step.takes_row for key in step.keys(fact)]
        except Exception:  # noqa: BLE001  code of the user
            return None
        return list(dict.fromkeys(found)) if all(step.takes_row for step in steps) else None

    def keys(self, facts: Iterable[Happening], owned: Owned | None = None) -> dict[Table, set[RowKey]]:
        """Which rows these events need. Where a key cannot be told, ``fold`` will fail, and say so."""
        needed: dict[Table, set[RowKey]] = {}
        for fact in facts:
            for step in self._steps.get(type(fact.event), ()):
                try:
                    step.need(fact, needed)
                except Exception:  # noqa: BLE001, S112  code of the user; folding meets it again and reports it
                    continue
        return needed if owned is None else {table: set(filter(owned, keys)) for table, keys in needed.items()}

    def fold(self, facts: Sequence[Happening], rows: RowsOf, owned: Owned | None = None) -> Composed:
        """Apply the events in order. ``rows`` are those that there are of the keys they need, perhaps others."""
        changed: dict[Table, dict[RowKey, Any]] = {table: {} for table in self.tables}
        standing = {table: _Standing(changed[table], rows.get(table, {})) for table in self.tables}
        added: dict[Table, dict[RowKey, list[Any]]] = {table: {} for table in self.sums}
        for fact in facts:
            try:
                steps = self._steps.get(type(fact.event), ())
                if not steps and fact.event is None and fact.type in self._types:
                    _ = fact.recorded  # raises, and says why it cannot be decoded
                made = [each for step in steps for each in step.made(fact, standing, owned)]
                sums = self._summed([each for each in made if each[0] in added]) if added else {}
            except AtRow as error:
                return Composed(changed, added, fact, error.cause, error.key)
            except Exception as error:  # noqa: BLE001  code of the user may raise anything; the follower decides
                return Composed(changed, added, fact, error)
            for table, key, row in made:  # an event that fails leaves everything as it was
                if table not in added:
                    changed[table][key] = row
            for (table, key), row in sums.items():
                if key in added[table]:
                    added[table][key].append(row)
                else:
                    added[table][key] = [row]
        return Composed(changed, added)

    def _summed(self, made: Iterable[_Made]) -> dict[tuple[Table, RowKey], Any]:
        """What one event adds to each row: it is all or nothing, so that what it takes and gives back never went."""
        sums: dict[tuple[Table, RowKey], Any] = {}
        for table, key, row in made:
            before = sums.get((table, key))
            sums[table, key] = row if before is None else self.sums[table].add(before, row)
        return sums


def _apart(plan: ProjectionPlan) -> frozenset[str]:
    """Events whose handlers make rows of models that are only made, never changed."""
    changed = {each.models[0] for handlers in plan.handlers.values() for each in handlers if each.needs != "new"}
    names: set[str] = set()
    for event, handlers in plan.handlers.items():
        if all(each.needs == "new" and changed.isdisjoint(each.models) for each in handlers):
            names.update((contract_of(event).name, *contract_of(event).aliases))
    return frozenset(names)


class _Standing:
    """Rows of a table as they stand: those that changed, before those that there were."""

    __slots__ = ("_before", "_changed")

    def __init__(self, changed: Mapping[RowKey, Any], before: Mapping[RowKey, Any]) -> None:
        self._changed = changed
        self._before = before

    def get(self, key: RowKey) -> Any:
        """The row of that key, ``None`` if there is none."""
        return self._changed[key] if key in self._changed else self._before.get(key)


class _Step:
    """One handler of an event type, bound to its projection."""

    def __init__(self, handler: EventHandler, method: Callable[..., Any], tables: Mapping[type[Any], Table]) -> None:
        self._method = method
        self._key = handler.key
        self._tables = {model: tables[model] for model in handler.models}
        self._table = tables[handler.models[0]]
        self._stored_key = self._table.stored_key
        self._wants_envelope = handler.wants_envelope
        self._is_required = handler.needs == "required"
        self._may_be_none = handler.may_be_none
        self.takes_row = handler.needs != "new"
        self._lookups = [(plan, tables[plan.model]) for plan in handler.lookups]
        self._where = handler.where

    def need(self, fact: Happening, needed: dict[Table, set[RowKey]]) -> None:
        """Note the keys of the rows that the event is about, and of those that it looks up."""
        if self.takes_row and (keys := self.keys(fact)):
            needed.setdefault(self._table, set()).update(keys)
        for plan, table in self._lookups:
            key = plan.key(fact.recorded if self._wants_envelope else fact.event)
            if key is not None:
                needed.setdefault(table, set()).add(table.stored_key(key))

    def made(self, fact: Happening, current: Mapping[Table, _Standing], owned: Owned | None) -> list[_Made]:
        """The rows that the event makes, changes or deletes; ``current`` stays as it is."""
        argument = fact.recorded if self._wants_envelope else fact.event
        if not self.takes_row:
            made = self._additions(argument, self._found(fact, argument, current))
            # Whoever makes rows cannot say beforehand for which keys.
            return made if owned is None else [each for each in made if owned(each[1])]
        keys = self.keys(fact)
        mine = keys if owned is None else list(filter(owned, keys))
        found = self._found(fact, argument, current) if mine and self._lookups else {}
        return self._changes(argument, fact, current[self._table], mine, found)

    def keys(self, fact: Happening) -> Collection[RowKey]:
        """The keys of the rows that the event is about, each once."""
        found: Any = self._key(fact.recorded if self._wants_envelope else fact.event) if self._key else None
        if found is None:
            return ()
        if type(found) in SEVERAL:
            return dict.fromkeys(map(self._stored_key, found))
        return (self._stored_key(found),)

    def _found(self, fact: Happening, argument: Any, current: Mapping[Table, _Standing]) -> dict[str, Any]:
        """The rows that are looked up, by parameter."""
        found: dict[str, Any] = {}
        for plan, table in self._lookups:
            key = plan.key(argument)
            row = None if key is None else current[table].get(table.stored_key(key))
            if row is None and plan.required:
                raise self._no_such_row(plan.model, key, fact)
            found[plan.parameter] = row
        return found

    def _additions(self, argument: Any, found: Mapping[str, Any]) -> list[_Made]:
        returned: Any = self._method(argument, **found)
        table = self._tables.get(returned.__class__)
        if table is not None:
            return [(table, _hashable(table.row_key(returned)), table.settled(returned, None))]
        if returned is None:
            self._refuse_forgotten()
            return []
        rows: list[Any] = list(returned) if type(returned) in (*SEVERAL, tuple) else [returned]
        made: list[_Made] = []
        for row in rows:
            table = self._table_of(row)
            made.append((table, _hashable(table.row_key(row)), table.settled(row, None)))
        return made

    def _table_of(self, row: Any) -> Table:
        for model, table in self._tables.items():
            if isinstance(row, model):
                return table
        raise self._no_row(row)

    def _changes(
        self,
        argument: Any,
        fact: Happening,
        current: _Standing,
        keys: Iterable[RowKey],
        found: Mapping[str, Any],
    ) -> list[_Made]:
        made: list[_Made] = []
        for key in keys:
            row = current.get(key)
            try:
                returned = self._changed(argument, fact, key, row, found)
            except Exception as error:
                raise AtRow(key, error) from error
            if returned is not row or (self._table.is_open and row is not None):
                made.append((self._table, key, returned))
        return made

    def _changed(self, argument: Any, fact: Happening, key: RowKey, row: Any, found: Mapping[str, Any]) -> Any:
        if row is None and self._is_required:
            raise self._no_such_row(self._table.model, key, fact)
        if self._table.is_open and row is not None:  # an event that fails leaves it as it was, lists and all
            row = self._table.copied(row)
        returned = self._method(argument, row, **found)
        if returned is None:
            self._refuse_forgotten()
        elif returned is not row:
            if not isinstance(returned, self._table.model):
                raise self._no_row(returned)
            if self._table.row_key(returned) != key:
                raise ProjectionError(
                    f"{self._where} returned the row {self._table.row_key(returned)!r} when given {key!r}",
                    remedy="a row keeps its key; to move a row, delete it and make another with two handlers",
                )
            return self._table.settled(returned, row)
        return returned

    def _refuse_forgotten(self) -> None:
        if not self._may_be_none:
            raise forgotten_return(self._where)

    def _no_such_row(self, model: type[Any], key: RowKey, fact: Happening) -> MissingRow:
        name = "" if model is self._table.model else f" of {model.__name__}"
        return MissingRow(
            f"{self._where}: there is no row {key!r}{name} for the event at position {fact.position}", key=key
        )

    def _no_row(self, returned: Any) -> HandlerContractError:
        names = " or ".join(model.__name__ for model in self._tables)
        return HandlerContractError(
            f"{self._where} returned {type(returned).__name__}, which is no {names}",
            remedy="return rows of the projection's read model, or None",
            where=self._where,
        )


def _hashable(key: RowKey) -> RowKey:
    """A key of a row that a handler made, whatever stands in its fields. Raises ``TypeError`` if it is no key."""
    hash(key)
    return key
