"""Which code made a snapshot: a snapshot made by other code is ignored. Reads: aggregates.py. Read next: loading.py."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Hashable, Iterable
from typing import Any, cast

import msgspec

from headwater.aggregates import AggregatePlan

_FORM = 2  # snapshots of the first form may hold events that other boundaries were given beside them


def fingerprint_of(plan: AggregatePlan) -> str:
    """A short hash of the state's fields, the evolve methods' code and ``snapshot_version``.

    It errs on the safe side: another Python version may compile other code, and the snapshot is rebuilt.
    """
    cls = plan.cls
    told = hashlib.sha256(f"{_FORM}:{cls.snapshot_version}".encode())
    for field in msgspec.structs.fields(cls):
        told.update(f"{field.name}:{field.type!r}:{field.required}".encode())
    for event, evolver in plan.evolvers.items():
        code = inspect.unwrap(evolver.method).__code__
        told.update(event.__name__.encode() + code.co_code + repr((code.co_names, code.co_varnames)).encode())
        told.update(repr([_stable(constant) for constant in code.co_consts]).encode())
    return told.hexdigest()[:16]


def beginning_at(fingerprint: str, key: Hashable) -> str:
    """The fingerprint of a state that began as a boundary's key says: from elsewhere the same events lead elsewhere."""
    return hashlib.sha256(f"{fingerprint}:{key!r}".encode()).hexdigest()[:16]


def _stable(constant: Any) -> Any:
    """A constant in a form that reads the same in every process: sets sorted, inner code by its name."""
    if isinstance(constant, frozenset):
        return sorted(map(repr, cast("Iterable[Any]", constant)))
    return getattr(constant, "co_name", constant)
